/** A renewal on a disk that refuses: served, loud, retried, nothing wiped. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { after, HOUR_MS } from "../../src/core/time.ts";
import { TcError } from "../../src/errors.ts";
import type { Clock, Vault } from "../../src/ports.ts";
import { fileError } from "../../src/store/files/file_target.ts";
import { canMount, SmallDisk } from "../fixtures/mounts.ts";
import { realClock } from "../fixtures/real_ports.ts";
import {
  ended,
  entryOf,
  type Kit,
  PATIENT,
  refresherOn,
} from "../fixtures/refresh_kit.ts";
import { report } from "../fixtures/report.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import { type Family, TokenServer } from "../fixtures/token_server.ts";
import { trials } from "../fixtures/trials.ts";
import { fileVault, idOf, refreshTokenOf } from "../fixtures/vault_kit.ts";

const A = idOf("a");

/** The machine's clock, whose wall time can be moved on. */
class LaterClock implements Clock {
  #aheadMs = 0;

  now() {
    return after(realClock.now(), this.#aheadMs);
  }

  monotonicMs(): number {
    return realClock.monotonicMs() + this.#aheadMs;
  }

  /** Waits are a tenth as long: retries come once a second and slower. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return realClock.sleep(ms / 10, signal);
  }

  advance(ms: number): void {
    this.#aheadMs += ms;
  }
}

/** Returns when the token is in the vault and the journal has said so. */
async function saved(
  vault: Vault,
  family: Family,
  { journal }: Kit,
): Promise<void> {
  for (let tries = 0; tries < 2_000; tries++) {
    const token = refreshTokenOf(await vault.get(A));
    const isTold = journal.count("token_saved_late") > 0;
    if (isTold && token === family.refreshToken) return;
    await realClock.sleep(10);
  }
  throw new Error("It was never saved");
}

/** Serves twice over while the disk refuses; the second spends the successor. */
async function serveWithoutDisk(
  { refresher, journal }: Kit,
  { server, family, clock }: {
    readonly server: TokenServer;
    readonly family: Family;
    readonly clock: LaterClock;
  },
): Promise<void> {
  for (let turn = 0; turn < 2; turn++) {
    const auth = await refresher.authorization(A, PATIENT);
    strictEqual(auth.token.reveal(), family.accessToken);
    clock.advance(9 * HOUR_MS);
  }
  await refresher.authorization(A, PATIENT);
  strictEqual(server.killed, 0);
  ok(journal.count("token_not_saved") >= 1);
}

Deno.test({
  name: "a full and a read-only disk: served from memory, saved when it can be",
  ignore: !canMount(),
  fn: async () => {
    for (const fault of ["full", "read-only"] as const) {
      await using folder = new TempFolder();
      await using server = new TokenServer();
      using disk = new SmallDisk(folder.path, "96k");
      const family = server.mint("a");
      const opened = await fileVault(folder.join("vault"));
      const clock = new LaterClock();
      await opened.vault.put(entryOf(family, ended()));
      const kit = refresherOn(opened, server, { clock });
      // Once in good days, so that there is a lock file to hold.
      await kit.refresher.authorization(A, PATIENT);
      const before = await Deno.readFile(folder.join("vault/a.vault"));
      clock.advance(9 * HOUR_MS);
      if (fault === "full") disk.fill();
      else await disk.setWritable("ro");
      await serveWithoutDisk(kit, { server, family, clock });
      deepStrictEqual(
        await Deno.readFile(folder.join("vault/a.vault")),
        before,
      );
      if (fault === "full") disk.free();
      else await disk.setWritable("rw");
      await saved(opened.vault, family, kit);
      strictEqual(kit.journal.count("token_saved_late"), 1, fault);
      await kit.refresher.close();
      const { entries, damaged } = await opened.vault.list();
      strictEqual(entries.length, 1);
      deepStrictEqual(damaged, []);
    }
  },
});

const CODES = ["ENOSPC", "EROFS", "EACCES", "EIO", "EDQUOT", "EXDEV"];

Deno.test("whatever the system says to a write, no token is lost and the store stays whole", async () => {
  let faults = 0;
  for (let round = 0; round < trials(1, 50); round++) {
    for (const code of CODES) {
      await using folder = new TempFolder();
      await using server = new TokenServer();
      const family = server.mint("a");
      const opened = await fileVault(folder.path);
      const clock = new LaterClock();
      await opened.vault.put(entryOf(family, ended()));
      const refusing = new RefusingVault(opened.vault, code);
      const kit = refresherOn(opened, server, { clock, vault: refusing });
      await serveWithoutDisk(kit, { server, family, clock });
      faults += refusing.refusals;
      refusing.isBroken = false;
      await saved(opened.vault, family, kit);
      await kit.refresher.close();
      strictEqual((await opened.vault.list()).entries.length, 1);
    }
  }
  report(`${faults} refused writes of ${CODES.length} kinds: 0 tokens lost`);
});

Deno.test("a process that ends on a broken disk says that a token is lost", async () => {
  await using folder = new TempFolder();
  await using server = new TokenServer();
  const family = server.mint("a");
  const opened = await fileVault(folder.path);
  await opened.vault.put(entryOf(family, ended()));
  const refusing = new RefusingVault(opened.vault, "ENOSPC");
  const { refresher, journal } = refresherOn(opened, server, {
    vault: refusing,
  });
  await refresher.authorization(A, PATIENT);
  await refresher.close();
  strictEqual(journal.count("token_lost"), 1);
});

/** A vault whose writes fail as the system's do, while it is broken. */
class RefusingVault implements Vault {
  readonly #vault: Vault;
  readonly #code: string;
  isBroken = true;
  refusals = 0;

  constructor(vault: Vault, code: string) {
    this.#vault = vault;
    this.#code = code;
  }

  list(): ReturnType<Vault["list"]> {
    return this.#vault.list();
  }

  get(id: Parameters<Vault["get"]>[0]): ReturnType<Vault["get"]> {
    return this.#vault.get(id);
  }

  put(entry: Parameters<Vault["put"]>[0]): Promise<void> {
    return this.#vault.put(entry);
  }

  remove(id: Parameters<Vault["remove"]>[0]): Promise<boolean> {
    return this.#vault.remove(id);
  }

  /** Reading under the lock works; what would write fails. */
  update(
    id: Parameters<Vault["update"]>[0],
    change: Parameters<Vault["update"]>[1],
  ): ReturnType<Vault["update"]> {
    return this.#vault.update(id, (entry) => {
      const next = change(entry);
      if (next === entry || !this.isBroken) return next;
      this.refusals += 1;
      throw this.#refusal();
    });
  }

  describe(): ReturnType<Vault["describe"]> {
    return this.#vault.describe();
  }

  #refusal(): TcError {
    return fileError(
      "write the vault",
      Object.assign(new Error(this.#code), { code: this.#code }),
    );
  }
}

/**
 * Several hands on one config and one vault, in every order that a scheduler
 * finds: nothing comes back that was removed, nothing is dropped.
 */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { setImmediate } from "node:timers";
import fc from "fast-check";
import { instantFromMs } from "../../src/core/time.ts";
import { type Clock, RefreshToken, Secret } from "../../src/ports.ts";
import {
  addAccount,
  removeAccount,
  renameAccount,
  setEnabled,
  setPriority,
} from "../../src/store/account_edits.ts";
import { accountRows } from "../../src/store/account_rows.ts";
import { mergeAccounts } from "../../src/store/accounts.ts";
import {
  type ConfigEdit,
  editConfig,
  readConfig,
} from "../../src/store/config_file.ts";
import { FileLocks } from "../../src/store/files/lock.ts";
import { StoredVault } from "../../src/store/vault/vault.ts";
import { VaultCipher } from "../../src/store/vault/vault_cipher.ts";
import { VaultFiles } from "../../src/store/vault/vault_file.ts";
import { realClock, realEntropy } from "../fixtures/real_ports.ts";
import { report } from "../fixtures/report.ts";
import { trials } from "../fixtures/trials.ts";
import {
  idOf,
  MACHINE,
  oauthEntry,
  refreshTokenOf,
} from "../fixtures/vault_kit.ts";

const A = oauthEntry("a", "old");
const B = oauthEntry("b", "old");
const C = oauthEntry("c", "old");
const ENTRIES = [A, B, C];

/** One process: its own locks and vault on the shared folder. */
class Process {
  readonly #path: string;
  readonly #pause: () => Promise<void>;
  readonly #ports: { clock: Clock; entropy: typeof realEntropy };
  readonly vault: StoredVault;

  constructor(folder: string, pause: () => Promise<void>) {
    this.#path = `${folder}/config.json`;
    this.#pause = pause;
    this.#ports = {
      clock: {
        ...realClock,
        // Short sleeps are polls of a lock, long ones its time limit.
        sleep: (ms, signal) =>
          ms < 1_000 ? pause() : realClock.sleep(ms, signal),
      },
      entropy: realEntropy,
    };
    const locks = new FileLocks(folder, this.#ports);
    const cipher = new VaultCipher(MACHINE, realEntropy);
    const main = new VaultFiles(folder, cipher, { onStep: pause });
    this.vault = new StoredVault({ locks, main, spare: null });
  }

  async edit(edit: ConfigEdit): Promise<void> {
    await editConfig(this.#path, edit, { ...this.#ports, onStep: this.#pause });
  }

  async refresh(id: string): Promise<void> {
    await this.vault.update(idOf(id), (entry) => ({
      ...entry,
      credential: {
        kind: "oauth",
        accessToken: new Secret("FAKE-access-new"),
        refreshToken: new RefreshToken("FAKE-new"),
        expiresAt: instantFromMs(2_000_000_000_000),
        scopes: [],
        signInEndsAt: null,
      },
    }));
  }
}

/** A person with an editor, who reads and writes the file at one moment. */
async function handEdits(path: string, pause: () => Promise<void>) {
  for (let idle = 0; idle < 6; idle++) await pause();
  handEdit(path, (text) => text.replace("{", '{ "x-mine": 1, // mine\n'));
  for (let idle = 0; idle < 6; idle++) await pause();
  handEdit(
    path,
    (text) => text.replace('"id": "b",', '"id": "b", "priority": 7,'),
  );
}

function handEdit(path: string, change: (text: string) => string): void {
  Deno.writeTextFileSync(path, change(Deno.readTextFileSync(path)));
}

/** Counts who is on the move, so that a scheduler can wait for none to be. */
class Steps {
  #moving = 0;
  #still = Promise.withResolvers<void>();
  scheduler: fc.Scheduler | null = null;

  async run(
    act: (pause: () => Promise<void>) => Promise<void>,
  ): Promise<void> {
    this.#moving += 1;
    try {
      const pause = () => this.#pause();
      await pause();
      await act(pause);
    } finally {
      this.#stop();
    }
  }

  async allStill(): Promise<void> {
    while (this.#moving > 0) await this.#still.promise;
  }

  async #pause(): Promise<void> {
    this.#stop();
    await this.scheduler?.schedule(Promise.resolve());
    this.#moving += 1;
  }

  #stop(): void {
    this.#moving -= 1;
    if (this.#moving > 0) return;
    this.#still.resolve();
    this.#still = Promise.withResolvers();
  }
}

Deno.test("foreign edits in any order: nothing resurrected, nothing dropped", async () => {
  const root = await Deno.makeTempDir({
    prefix: "tc-test-",
    ...(Deno.build.os === "linux" ? { dir: "/dev/shm" } : {}),
  });
  let round = 0;
  const steps = new Steps();
  const act = async (next: () => Promise<void>) => {
    await next();
    await new Promise((resolve) => setImmediate(resolve));
    await steps.allStill();
  };
  try {
    await fc.assert(
      fc.asyncProperty(fc.scheduler({ act }), async (scheduler) => {
        steps.scheduler = scheduler;
        const folder = `${root}/${round++}`;
        await Deno.mkdir(folder);
        const path = `${folder}/config.json`;
        await Deno.writeTextFile(
          path,
          '{\n  "accounts": [\n    { "id": "a", "name": "a" },\n' +
            '    { "id": "b", "name": "b" },\n    { "id": "c", "name": "c" }\n  ]\n}\n',
        );
        const still = new Process(folder, () => Promise.resolve());
        for (const entry of ENTRIES) await still.vault.put(entry);

        // Each actor is a process of its own; the next one moves only when all
        // of them stand still, or the order would be that of the disk.
        const D = oauthEntry("d", "login");
        const actor = (act: (process: Process) => Promise<void>) =>
          steps.run((pause) => act(new Process(folder, pause)));
        await scheduler.waitFor(Promise.all([
          actor((server) => server.refresh("a")),
          actor((server) => server.refresh("b")),
          actor((server) => server.refresh("c")),
          actor((cli) => cli.edit(renameAccount(ENTRIES, idOf("a"), "work"))),
          actor((cli) => cli.edit(setEnabled(ENTRIES, idOf("b"), "disabled"))),
          actor((cli) => cli.edit(setPriority(ENTRIES, idOf("a"), 3))),
          actor(async (cli) => {
            await cli.edit(removeAccount(ENTRIES, idOf("c")));
            await cli.vault.remove(idOf("c"));
          }),
          actor(async (cli) => {
            await cli.vault.put(D);
            await cli.edit(addAccount([...ENTRIES, D], D.id));
          }),
          steps.run((pause) => handEdits(path, pause)),
        ]));

        const document = await readConfig(path) ?? {};
        strictEqual(document["x-mine"], 1);
        strictEqual((await Deno.readTextFile(path)).includes("// mine"), true);
        const { entries, damaged } = await still.vault.list();
        const merged = mergeAccounts(entries, accountRows(document, path));
        deepStrictEqual(
          merged.accounts.map((
            { account: { id, label, priority, enabled } },
          ) => [id, label, priority, enabled]),
          // By priority, as every screen lists them.
          [
            ["d", "d", 0, true],
            ["a", "work", 3, true],
            ["b", "b", 7, false],
          ],
        );
        deepStrictEqual([damaged, merged.unlisted, merged.orphans], [
          [],
          [],
          [],
        ]);
        deepStrictEqual(entries.map(refreshTokenOf), [
          "FAKE-new",
          "FAKE-new",
          "sk-ant-ort01-FAKE-login",
        ]);
        await Deno.remove(folder, { recursive: true });
      }),
      { numRuns: trials(60, 5_000), endOnFailure: true },
    );
    report(`${trials(60, 5_000)} interleavings: nothing came back or went`);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

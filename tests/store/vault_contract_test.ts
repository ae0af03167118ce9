/** What every vault must do, whether it is this machine's own or shared. */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import { HAS_POSTGRES, Postgres } from "../fixtures/postgres.ts";
import type { Vault } from "../../src/ports.ts";
import { machineOf, newPool } from "../fixtures/shared_kit.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import {
  fileVault,
  idOf,
  oauthEntry,
  refreshTokenOf,
} from "../fixtures/vault_kit.ts";

/** Runs `check` with two views of one empty vault, as two processes have it. */
type Setup = (
  check: (one: Vault, other: () => Promise<Vault>) => Promise<void>,
) => Promise<void>;

const embedded: Setup = async (check) => {
  await using folder = new TempFolder();
  const { vault } = await fileVault(folder.path);
  await check(vault, async () => (await fileVault(folder.path)).vault);
};

const shared: Setup = async (check) => {
  await using postgres = await Postgres.start();
  await using folder = new TempFolder();
  const pool = await newPool(await postgres.database(), folder.join("maker"));
  const one = await machineOf(pool, folder.join("one"), "one");
  const other = await machineOf(pool, folder.join("other"), "other");
  try {
    await check(one.vault, async () => {
      await other.vault.exchange();
      return other.vault;
    });
  } finally {
    await one.close();
    await other.close();
  }
};

for (
  const { name, setup, ignore } of [
    { name: "of this machine", setup: embedded, ignore: false },
    { name: "shared", setup: shared, ignore: !HAS_POSTGRES },
  ]
) {
  Deno.test({
    name: `a vault ${name}: put, get, list and remove, seen by the other`,
    ignore,
    fn: () =>
      setup(async (one, other) => {
        await one.put(oauthEntry("a", "1"));
        await one.put(oauthEntry("b", "2"));
        const seen = await (await other()).list();
        deepStrictEqual(seen.entries.map(({ id }) => id), ["a", "b"]);
        deepStrictEqual(seen.damaged, []);
        strictEqual(
          refreshTokenOf(await (await other()).get(idOf("a"))),
          refreshTokenOf(oauthEntry("a", "1")),
        );
        await one.put(oauthEntry("a", "3"));
        strictEqual(
          refreshTokenOf(await (await other()).get(idOf("a"))),
          refreshTokenOf(oauthEntry("a", "3")),
        );
        strictEqual(await (await other()).remove(idOf("a")), true);
        strictEqual(await (await other()).get(idOf("a")), null);
        strictEqual(await (await other()).remove(idOf("a")), false);
        strictEqual(await one.update(idOf("a"), (entry) => entry), null);
      }),
  });

  Deno.test({
    name: `a vault ${name}: update() changes what is stored at that moment`,
    ignore,
    fn: () =>
      setup(async (one, other) => {
        await one.put(oauthEntry("a", "1"));
        const theirs = await other();
        await Promise.all(Array.from({ length: 10 }, (_, index) =>
          (index % 2 === 0 ? one : theirs).update(idOf("a"), (entry) => ({
            ...entry,
            label: `${entry.label}+`,
          }))));
        const last = await theirs.update(idOf("a"), (entry) =>
          entry);
        strictEqual(last?.label, `a${"+".repeat(10)}`);
        strictEqual(await one.update(idOf("nobody"), (entry) => entry), null);
        await rejects(
          () => one.update(idOf("a"), (entry) => ({ ...entry, id: idOf("b") })),
          /change the id/,
        );
      }),
  });

  Deno.test({
    name: `a vault ${name}: locks exclude each other by account`,
    ignore: ignore || name !== "shared",
    fn: async () => {
      await using postgres = await Postgres.start();
      await using folder = new TempFolder();
      const pool = await newPool(await postgres.database(), folder.join("m"));
      const one = await machineOf(pool, folder.join("one"), "one");
      const other = await machineOf(pool, folder.join("other"), "other");
      await one.vault.put(oauthEntry("a", "1"));
      const held = await one.locks.acquire("a", { waitMs: 1_000 });
      await rejects(
        () => other.locks.acquire("a", { waitMs: 300 }),
        /the machine .* is renewing it/,
      );
      held.release();
      (await other.locks.acquire("a", { waitMs: 5_000 })).release();
      // An account that is not in the store is this machine's own.
      (await other.locks.acquire("z", { waitMs: 100 })).release();
      await one.close();
      await other.close();
      ok(true);
    },
  });
}

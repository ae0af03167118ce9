/** What every vault must do, whether it is this machine's own or shared. */

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import { HAS_POSTGRES, Postgres } from "../fixtures/postgres.ts";
import type { Locks, Vault } from "../../src/ports.ts";
import { machineOf, newPool } from "../fixtures/shared_kit.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";
import {
  fileVault,
  idOf,
  oauthEntry,
  refreshTokenOf,
} from "../fixtures/vault_kit.ts";

/** A vault, and who may renew which of its logins. */
type View = { readonly vault: Vault; readonly locks: Locks };

/** Runs `check` with two views of one empty vault, as two processes have it. */
type Setup = (
  check: (one: View, other: () => Promise<View>) => Promise<void>,
) => Promise<void>;

const embedded: Setup = async (check) => {
  await using folder = new TempFolder();
  await check(
    await fileVault(folder.path),
    () => fileVault(folder.path),
  );
};

const shared: Setup = async (check) => {
  await using postgres = await Postgres.start();
  await using folder = new TempFolder();
  const pool = await newPool(await postgres.database(), folder.join("maker"));
  const one = await machineOf(pool, folder.join("one"), "one");
  const other = await machineOf(pool, folder.join("other"), "other");
  try {
    await check(one, async () => {
      await other.vault.exchange();
      return other;
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
      setup(async ({ vault: one }, view) => {
        const other = async () => (await view()).vault;
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
      setup(async ({ vault: one }, view) => {
        const other = async () => (await view()).vault;
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
    ignore,
    fn: () =>
      setup(async (one, other) => {
        await one.vault.put(oauthEntry("a", "1"));
        const held = await one.locks.acquire("a", { waitMs: 1_000 });
        const theirs = await other();
        await rejects(
          () => theirs.locks.acquire("a", { waitMs: 300 }),
          { code: "lock_timeout" },
        );
        // Another account is free meanwhile.
        (await theirs.locks.acquire("z", { waitMs: 1_000 })).release();
        held.release();
        (await theirs.locks.acquire("a", { waitMs: 5_000 })).release();
      }),
  });
}

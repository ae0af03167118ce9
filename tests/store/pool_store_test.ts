/** PoolStore: what a restart finds, and whose memory counts. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { persisted } from "../../src/core/pool/persist.ts";
import { openDatabase } from "../../src/store/ledger/database.ts";
import {
  parsePool,
  PoolStore,
  readLabels,
} from "../../src/store/ledger/pool_store.ts";
import {
  account,
  fold,
  inSeconds,
  NOW,
  poolOf,
  quotaWindow,
  servedOn,
} from "../fixtures/pool.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const MEMORY = persisted(
  fold(
    poolOf([
      { account: account("a"), windows: [quotaWindow("5h", 0.5)] },
      { account: account("b") },
    ]),
    ...servedOn("b", "s1"),
  ),
  inSeconds(30),
);

Deno.test("read() gives back what save() kept", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  const first = new PoolStore(database, "first");
  strictEqual(first.read(), null);
  first.claim(NOW);
  ok(first.save(MEMORY, inSeconds(30)));
  const memory = new PoolStore(database, "second").read();
  deepStrictEqual(memory?.pool, JSON.parse(JSON.stringify(MEMORY)));
  strictEqual(memory?.savedAt, inSeconds(30));
  ok((memory?.pool.bindings.length ?? 0) > 0);
  database.close();
});

Deno.test("save() of a server that was replaced changes nothing", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  const old = new PoolStore(database, "old");
  old.claim(NOW);
  old.save(MEMORY, NOW);
  const next = new PoolStore(database, "next");
  next.claim(NOW);
  strictEqual(old.save({ ...MEMORY, lifeMs: 1 }, inSeconds(5)), false);
  ok(next.save({ ...MEMORY, lifeMs: 2 }, inSeconds(6)));
  strictEqual(new PoolStore(database, "x").read()?.pool.lifeMs, 2);
  database.close();
});

Deno.test("parsePool() leaves out what is damaged, and that alone", () => {
  const [first, second] = MEMORY.accounts;
  const text = JSON.stringify({
    ...MEMORY,
    accounts: [first, { ...second, cap: "many" }],
    bindings: [{ conversation: 7 }, ...MEMORY.bindings],
  });
  const pool = parsePool(text);
  deepStrictEqual(pool?.accounts.map(({ id }) => id), [first?.id]);
  strictEqual(pool?.bindings.length, MEMORY.bindings.length);
});

Deno.test("parsePool() takes nothing from another version or from rubbish", () => {
  for (const text of ["", "{", "[]", "7", JSON.stringify({ version: 2 })]) {
    strictEqual(parsePool(text), null, text);
  }
});

Deno.test("nameAccounts() keeps the names of accounts that are gone", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  const store = new PoolStore(database, "run");
  store.nameAccounts([account("a"), account("b")], NOW);
  store.nameAccounts([{ ...account("b"), label: "better" }], NOW);
  deepStrictEqual({ ...readLabels(database) }, { a: "a", b: "better" });
  database.close();
});

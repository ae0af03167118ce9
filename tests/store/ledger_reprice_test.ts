/** reprice(): what had no price is priced once, in rows and sums alike. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { openDatabase } from "../../src/store/ledger/database.ts";
import { Ledger } from "../../src/store/ledger/ledger.ts";
import { type CostOf, reprice } from "../../src/store/ledger/ledger_prune.ts";
import { ledgerEntry } from "../fixtures/ledger_rows.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const COST = 700;

const costOf: CostOf = (_usage, { model }) =>
  model === "claude-opus-6" ? COST : null;

function sums(database: DatabaseSync): readonly number[] {
  const row = database.prepare(
    "SELECT sum(cost_nano) AS cost, sum(unpriced) AS unpriced FROM quarters",
  ).get() ?? {};
  return [Number(row["cost"]), Number(row["unpriced"])];
}

function all(database: DatabaseSync): number {
  let sum = 0;
  for (let from: string | null = ""; from !== null;) {
    const { next, priced } = reprice(database, from, costOf);
    sum += priced;
    from = next;
  }
  return sum;
}

Deno.test("a price that is known later counts for the requests before", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  const fresh = { modelAsked: "claude-opus-6", modelAnswered: "claude-opus-6" };
  new Ledger(database).write([
    ledgerEntry({}, 1_000),
    ledgerEntry(fresh, null),
    ledgerEntry({ ...fresh, modelAnswered: null }, null),
    // No account answered, and no session is named.
    ledgerEntry({ ...fresh, accountId: null, session: null }, null),
    // Still unpriced.
    ledgerEntry({ modelAsked: "x", modelAnswered: "x" }, null),
    // Not a message: it is in no sum.
    ledgerEntry({ ...fresh, path: "/v1/messages/batches" }, null),
    // Nothing was counted.
    ledgerEntry({ ...fresh, usage: null }, null),
  ]);
  deepStrictEqual(sums(database), [1_000, 4]);
  strictEqual(all(database), 4);
  deepStrictEqual(sums(database), [1_000 + 3 * COST, 1]);
  // A second look finds nothing to price.
  strictEqual(all(database), 0);
  deepStrictEqual(sums(database), [1_000 + 3 * COST, 1]);
  database.close();
});

Deno.test("more rows than one portion are all priced", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  const fresh = { modelAsked: "claude-opus-6", modelAnswered: "claude-opus-6" };
  const count = 4_500;
  new Ledger(database).write(
    Array.from({ length: count }, () => ledgerEntry(fresh, null)),
  );
  strictEqual(all(database), count);
  deepStrictEqual(sums(database), [count * COST, 0]);
  database.close();
});

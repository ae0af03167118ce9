/** Ledger: rows, sums, bounds. */

import { ok, strictEqual, throws } from "node:assert/strict";
import type { DatabaseSync } from "node:sqlite";
import { after, DAY_MS } from "../../src/core/time.ts";
import { openDatabase } from "../../src/store/ledger/database.ts";
import { Ledger } from "../../src/store/ledger/ledger.ts";
import { prune, usedBytes } from "../../src/store/ledger/ledger_prune.ts";
import { ledgerEntry } from "../fixtures/ledger_rows.ts";
import { accountId, NOW } from "../fixtures/pool.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

function number(database: DatabaseSync, sql: string): number {
  return Number(Object.values(database.prepare(sql).get() ?? {})[0]);
}

Deno.test("write() keeps a request once, however often it is written", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  const ledger = new Ledger(database);
  const entry = ledgerEntry();
  ledger.write([entry, ledgerEntry()]);
  ledger.write([entry]);
  strictEqual(number(database, "SELECT count(*) FROM requests"), 2);
  strictEqual(number(database, "SELECT sum(requests) FROM quarters"), 2);
  strictEqual(number(database, "SELECT sum(cache_read) FROM quarters"), 1_800);
  database.close();
});

Deno.test("write() counts messages alone, and what failed of them", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  new Ledger(database).write([
    ledgerEntry({ path: "/v1/messages/count_tokens", usage: null }),
    ledgerEntry({ status: 429, usage: null, accountId: null, end: "refused" }),
    ledgerEntry({ end: "client_gone" }),
    ledgerEntry({ movedFrom: accountId("home"), endedAt: after(NOW, 1) }, null),
  ]);
  strictEqual(number(database, "SELECT count(*) FROM requests"), 4);
  strictEqual(number(database, "SELECT sum(requests) FROM quarters"), 3);
  strictEqual(number(database, "SELECT sum(failed) FROM quarters"), 1);
  strictEqual(number(database, "SELECT sum(switches) FROM quarters"), 1);
  strictEqual(number(database, "SELECT sum(switch_rebuild) FROM quarters"), 90);
  strictEqual(number(database, "SELECT sum(unpriced) FROM quarters"), 1);
  strictEqual(number(database, "SELECT sum(cost_nano) FROM quarters"), 1_000);
  database.close();
});

Deno.test("write() leaves out what cannot be stored, and says how many", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  const ledger = new Ledger(database);
  const batch = [ledgerEntry(), ledgerEntry({ status: 1.5 }), ledgerEntry()];
  strictEqual(ledger.write(batch), 1);
  strictEqual(number(database, "SELECT count(*) FROM requests"), 2);
  strictEqual(number(database, "SELECT sum(requests) FROM quarters"), 2);
  strictEqual(ledger.write(batch), 0);
  strictEqual(number(database, "SELECT count(*) FROM requests"), 2);
  database.close();
});

Deno.test("write() writes nothing of a batch that fails", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  const ledger = new Ledger(database);
  database.exec(
    "CREATE TRIGGER no BEFORE INSERT ON requests WHEN new.status = 418 " +
      "BEGIN SELECT RAISE(ROLLBACK, 'no'); END",
  );
  throws(() => ledger.write([ledgerEntry(), ledgerEntry({ status: 418 })]));
  strictEqual(number(database, "SELECT count(*) FROM requests"), 0);
  strictEqual(number(database, "SELECT count(*) FROM names"), 0);
  ledger.write([ledgerEntry()]);
  strictEqual(number(database, "SELECT count(*) FROM requests"), 1);
  strictEqual(
    number(
      database,
      "SELECT count(*) FROM requests JOIN names ON names.id = session",
    ),
    1,
  );
  database.close();
});

Deno.test("prune() removes single requests by age and keeps their sums", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  new Ledger(database).write([
    ledgerEntry({ endedAt: after(NOW, -31 * DAY_MS) }),
    ledgerEntry({ endedAt: after(NOW, -29 * DAY_MS) }),
    ledgerEntry({ endedAt: after(NOW, -900 * DAY_MS), session: "old" }),
  ]);
  const isMore = prune(database, { days: 30, bytesMax: 1e9 }, NOW);
  strictEqual(isMore, false);
  strictEqual(number(database, "SELECT count(*) FROM requests"), 1);
  strictEqual(number(database, "SELECT sum(requests) FROM quarters"), 2);
  strictEqual(
    number(database, "SELECT count(*) FROM names WHERE text = 'old'"),
    0,
  );
  database.close();
});

Deno.test("prune() brings a file that is too large under its bound", async () => {
  await using folder = new TempFolder();
  const path = folder.join("state.db");
  const database = openDatabase(path, "read_write");
  const ledger = new Ledger(database);
  for (let batch = 0; batch < 6; batch++) {
    ledger.write(Array.from({ length: 1_000 }, () => ledgerEntry()));
  }
  const bytesMax = Math.round(usedBytes(database) / 2);
  let rounds = 0;
  while (prune(database, { days: 30, bytesMax }, NOW)) {
    ok(++rounds < 10);
  }
  ok(usedBytes(database) <= bytesMax);
  ok(number(database, "SELECT count(*) FROM requests") > 1_000);
  strictEqual(number(database, "SELECT sum(requests) FROM quarters"), 6_000);
  database.close();
});

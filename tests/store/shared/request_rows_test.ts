/** The ledger's rows on their way into the database: from memory or the file. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { openDatabase } from "../../../src/store/ledger/database.ts";
import { Ledger, type OwnEntry } from "../../../src/store/ledger/ledger.ts";
import {
  FreshRows,
  lastSequence,
  readPlace,
  SENT_FIELDS,
  settlePlace,
  writePlace,
} from "../../../src/store/ledger/ledger_exchange.ts";
import { sendRows, takeRows } from "../../../src/store/shared/request_rows.ts";
import type { RequestRecord } from "../../../src/ports.ts";
import { instantFromMs } from "../../../src/core/time.ts";
import { ledgerEntry } from "../../fixtures/ledger_rows.ts";
import { HAS_POSTGRES, Postgres } from "../../fixtures/postgres.ts";
import { machineOf, newPool } from "../../fixtures/shared_kit.ts";
import { TempFolder } from "../../fixtures/temp_folder.ts";

const SOME_TIME = instantFromMs(1_790_000_000_123);

/** The numbers of the rows that are sent, with the status of each. */
function rowsIn(
  portion: { readonly text: string } | null,
): readonly { readonly sequence: number; readonly status: number }[] {
  const rows: readonly (readonly number[])[] = JSON.parse(
    `[${portion?.text ?? ""}]`,
  );
  const place = 4 + SENT_FIELDS.indexOf("status");
  return rows.map((row) => ({
    sequence: row[0] ?? NaN,
    status: row[place] ?? NaN,
  }));
}

function numbers(portion: { readonly text: string } | null): readonly number[] {
  return rowsIn(portion).map(({ sequence }) => sequence);
}

Deno.test("rows come from memory only where it has all of them", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  const fresh = new FreshRows();
  const [own, other] = [new Ledger(database), new Ledger(database)];
  const write = (count: number) =>
    own.write(
      Array.from({ length: count }, () => ledgerEntry()),
      (rows) => fresh.note(rows),
    );
  /** Whether the rows are those that were noted, and not those of the file. */
  const isKept = (sequence: number, limit: number) => {
    database.exec("UPDATE requests SET status = status + 100");
    const rows = rowsIn(fresh.after(database, sequence, limit));
    return rows.every(({ status }) => status === 200);
  };

  // From before this process.
  other.write([ledgerEntry(), ledgerEntry()]);
  write(3);
  deepStrictEqual(numbers(fresh.after(database, 0)), [1, 2, 3, 4, 5]);
  write(2);
  deepStrictEqual(numbers(fresh.after(database, 2)), [3, 4, 5, 6, 7]);
  strictEqual(isKept(2, 200), true);
  // Not both batches, and less than the first one.
  deepStrictEqual(numbers(fresh.after(database, 2, 4)), [3, 4, 5]);
  strictEqual(isKept(2, 4), true);
  deepStrictEqual(numbers(fresh.after(database, 2, 2)), [3, 4]);
  strictEqual(isKept(2, 2), false);
  // The middle of a batch.
  deepStrictEqual(numbers(fresh.after(database, 3)), [4, 5, 6, 7]);

  // Rows of another machine are none of its own.
  own.take([{ ...ledgerEntry(), machine: "desktop" }], () => {});
  write(2);
  deepStrictEqual(numbers(fresh.after(database, 7)), [9, 10]);
  strictEqual(isKept(7, 200), true);

  // A server that takes over writes into the same file meanwhile.
  write(1);
  other.write([ledgerEntry()]);
  write(1);
  deepStrictEqual(numbers(fresh.after(database, 10)), [11, 12, 13]);
  strictEqual(fresh.after(database, 13), null);
  // What was kept back while the file failed comes at once, and is read there.
  write(500);
  const [portion] = [fresh.after(database, 13)];
  deepStrictEqual([portion?.count, portion?.last], [400, 413]);
  deepStrictEqual(numbers(fresh.after(database, 413)).length, 100);
  database.close();
});

Deno.test("a row is sent with each value at the place of its field", async () => {
  await using folder = new TempFolder();
  const entry = ledgerEntry();
  const record = Object.fromEntries(
    Object.keys(entry.record).map((field) => [field, `value of ${field}`]),
  ) as unknown as RequestRecord;
  const fresh = new FreshRows();
  fresh.note([{ sequence: 1, entry: { ...entry, record } }]);
  using database = openDatabase(folder.join("state.db"), "read_write");
  new Ledger(database).write([ledgerEntry()]);
  const { text } = fresh.after(database, 0) ?? { text: "" };
  deepStrictEqual(
    JSON.parse(text).slice(4),
    SENT_FIELDS.map((field) => `value of ${field}`),
  );
});

Deno.test("rows that were rolled back are not sent, and a new file is not taken for the old one", async () => {
  await using folder = new TempFolder();
  const fresh = new FreshRows();
  const note = (rows: readonly OwnEntry[]) => fresh.note(rows);
  const begin = (name: string) => {
    const database = openDatabase(folder.join(name), "read_write");
    return { database, ledger: new Ledger(database) };
  };
  using old = begin("old.db").database;
  new Ledger(old).write([ledgerEntry(), ledgerEntry()], note);
  using database = begin("new.db").database;
  const ledger = new Ledger(database);
  ledger.write([ledgerEntry({ status: 418 })], note);
  const [only, ...more] = rowsIn(fresh.after(database, 0));
  deepStrictEqual([only?.status, more], [418, []]);
  database.exec("DROP TABLE quarters");
  try {
    ledger.write([ledgerEntry()], note);
  } catch {
    // Its sums have no table.
  }
  strictEqual(fresh.after(database, 1), null);
});

Deno.test("the place moves past rows of others, and numbers that are given anew count on", async () => {
  await using folder = new TempFolder();
  using database = openDatabase(folder.join("state.db"), "read_write");
  const ledger = new Ledger(database);
  const fresh = new FreshRows();
  /** What the others are told of the next own row, as the exchange does it. */
  const next = () => {
    const place = readPlace(database, null) ?? { sequence: 0, base: 0 };
    const last = lastSequence(database);
    const row = fresh.after(database, place.sequence, 1);
    if (row === null) return settlePlace(database, place, last);
    writePlace(database, null, { ...place, sequence: row.last });
    return place.base + row.last;
  };
  ledger.write([ledgerEntry()]);
  strictEqual(next(), 1);
  const theirs = { ...ledgerEntry(), machine: "desktop" };
  ledger.take([theirs, theirs, theirs], () => {});
  strictEqual(next(), undefined);
  strictEqual(readPlace(database, null)?.sequence, 4);
  database.exec("DELETE FROM requests WHERE sequence > 1");
  strictEqual(next(), undefined);
  ledger.write([ledgerEntry({ status: 418 })]);
  strictEqual(lastSequence(database), 2);
  strictEqual(next(), 5);
});

Deno.test({
  name: "a row with what PostgreSQL cannot store holds up no other",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using postgres = await Postgres.start();
    await using folder = new TempFolder();
    const address = await newPool(
      await postgres.database(),
      folder.join("maker"),
    );
    const [here, there] = await Promise.all(
      ["here", "there"].map((name) =>
        machineOf(address, folder.join(name), name)
      ),
    );
    if (here === undefined || there === undefined) {
      throw new Error("no machine");
    }
    const models = ["claude-\0x", "claude-\ud800y", "claude-\\u0000", "plain"];
    using database = openDatabase(folder.join("state.db"), "read_write");
    const fresh = new FreshRows();
    const entries = models.map((modelAsked) =>
      ledgerEntry({ modelAsked, movedWhy: "of the log", endedAt: SOME_TIME })
    );
    fresh.note(entries.map((entry, at) => ({ sequence: at + 1, entry })));
    new Ledger(database).write(models.map(() => ledgerEntry()));
    const portion = fresh.after(database, 0);
    if (portion === null) throw new Error("nothing to send");
    await postgres.sql(
      "pool_1",
      "INSERT INTO tc.machines (id, name, version) VALUES ('id-here', 'here', '1')",
    );
    const { text } = portion;
    await sendRows(here.database, "id-here", { base: 40, text });
    const [taken] = await takeRows(there.database, "id-there", {
      after: {},
      limit: 10,
    });
    deepStrictEqual(
      taken?.rows.map(({ entry }) => entry.record.modelAsked),
      ["claude-", "claude-\ufffdy", "claude-\\u0000", "plain"],
    );
    deepStrictEqual(
      taken?.rows.map(({ sequence }) => sequence),
      [41, 42, 43, 44],
    );
    // As another machine, of any version, expects it.
    const plain = entries.at(-1);
    deepStrictEqual(taken?.rows.at(-1)?.entry, {
      ...plain,
      record: { ...plain?.record, movedWhy: null },
    });
    strictEqual(
      await postgres.sql(
        "pool_1",
        "SELECT extract(epoch FROM ended_at) * 1000 = " +
          `${SOME_TIME} FROM tc.requests LIMIT 1`,
      ),
      "t\n",
    );
    await here.close();
    await there.close();
  },
});

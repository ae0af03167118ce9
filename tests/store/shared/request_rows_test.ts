/** The ledger's rows on their way into the database: from memory or the file. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { openDatabase } from "../../../src/store/ledger/database.ts";
import { Ledger, type OwnEntry } from "../../../src/store/ledger/ledger.ts";
import {
  FreshRows,
  lastSequence,
  readPlace,
  settlePlace,
  writePlace,
} from "../../../src/store/ledger/ledger_exchange.ts";
import { sendRows, takeRows } from "../../../src/store/shared/request_rows.ts";
import { ledgerEntry } from "../../fixtures/ledger_rows.ts";
import { HAS_POSTGRES, Postgres } from "../../fixtures/postgres.ts";
import { machineOf, newPool } from "../../fixtures/shared_kit.ts";
import { TempFolder } from "../../fixtures/temp_folder.ts";

function numbers(rows: readonly OwnEntry[]): readonly number[] {
  return rows.map(({ sequence }) => sequence);
}

Deno.test("rows come from memory only where it has all of them", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  const fresh = new FreshRows();
  const [own, other] = [new Ledger(database), new Ledger(database)];
  const written: OwnEntry[] = [];
  const write = (count: number) =>
    own.write(Array.from({ length: count }, () => ledgerEntry()), (rows) => {
      written.push(...rows);
      fresh.note(rows);
    });
  const isKept = (rows: readonly OwnEntry[]) =>
    rows.every((row) => written.includes(row));

  // From before this process.
  other.write([ledgerEntry(), ledgerEntry()]);
  write(3);
  const first = fresh.after(database, 0, 200);
  deepStrictEqual(numbers(first), [1, 2, 3, 4, 5]);
  const rest = fresh.after(database, 2, 2);
  deepStrictEqual([numbers(rest), isKept(rest)], [[3, 4], true]);

  // Rows of another machine are none of its own.
  own.take([{ ...ledgerEntry(), machine: "desktop" }], () => {});
  write(2);
  const third = fresh.after(database, 5, 200);
  deepStrictEqual([numbers(third), isKept(third)], [[7, 8], true]);

  // A server that takes over writes into the same file meanwhile.
  write(1);
  other.write([ledgerEntry()]);
  write(1);
  deepStrictEqual(numbers(fresh.after(database, 8, 200)), [9, 10, 11]);
  deepStrictEqual(numbers(fresh.after(database, 11, 200)), []);
  database.close();
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
  const [only, ...more] = fresh.after(database, 0, 1);
  deepStrictEqual([only?.entry.record.status, more], [418, []]);
  database.exec("DROP TABLE quarters");
  try {
    ledger.write([ledgerEntry()], note);
  } catch {
    // Its sums have no table.
  }
  deepStrictEqual(fresh.after(database, 1, 200), []);
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
    const [row] = fresh.after(database, place.sequence, 1);
    if (row === undefined) return settlePlace(database, place, last);
    writePlace(database, null, { ...place, sequence: row.sequence });
    return place.base + row.sequence;
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
    const rows = models.map((modelAsked, at) => ({
      sequence: at + 1,
      entry: ledgerEntry({ modelAsked, movedWhy: "of the log" }),
    }));
    await postgres.sql(
      "pool_1",
      "INSERT INTO tc.machines (id, name, version) VALUES ('id-here', 'here', '1')",
    );
    await sendRows(here.database, "id-here", rows);
    const [taken] = await takeRows(there.database, "id-there", {
      after: {},
      limit: 10,
    });
    deepStrictEqual(
      taken?.rows.map(({ entry }) => entry.record.modelAsked),
      ["claude-", "claude-\ufffdy", "claude-\\u0000", "plain"],
    );
    strictEqual(taken?.rows[0]?.entry.record.movedWhy, null);
    await here.close();
    await there.close();
  },
});

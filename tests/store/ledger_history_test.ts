/** readHistory(): answered requests, with the tries that led to them. */

import { deepStrictEqual } from "node:assert/strict";
import { instantFromMs } from "../../src/core/time.ts";
import type { RequestRecord } from "../../src/ports.ts";
import { openDatabase } from "../../src/store/ledger/database.ts";
import { Ledger } from "../../src/store/ledger/ledger.ts";
import { readHistory } from "../../src/store/ledger/ledger_history.ts";
import { ledgerEntry } from "../fixtures/ledger_rows.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const START_MS = Date.UTC(2026, 10, 2, 9);

/** A request from minute `from` to minute `to`. */
function made(
  from: number,
  to: number,
  parts: Partial<RequestRecord> = {},
): RequestRecord {
  return ledgerEntry({
    startedAt: instantFromMs(START_MS + from * 60_000),
    endedAt: instantFromMs(START_MS + to * 60_000),
    ...parts,
  }).record;
}

const REFUSED = {
  accountId: null,
  usage: null,
  status: 429,
  end: "refused",
} as const;

/** Minutes at which each answered request was asked for and begun. */
async function read(
  records: readonly RequestRecord[],
): Promise<readonly (readonly [asked: number, started: number])[]> {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  new Ledger(database).write(records.map((record) => ledgerEntry(record)));
  const rows = readHistory(database, 0);
  database.close();
  const minute = (ms: number) => (ms - START_MS) / 60_000;
  return rows.map((row) => [minute(row.askedAt), minute(row.startedAt)]);
}

Deno.test("readHistory() begins a wait at the first try that was refused", async () => {
  deepStrictEqual(
    await read([
      made(0, 1),
      made(5, 15, REFUSED),
      made(16, 26, { ...REFUSED, status: 200 }),
      made(27, 28, { usage: null, status: 529, end: "complete" }),
      made(29, 30),
      made(33, 34),
    ]),
    [[0, 0], [5, 29], [33, 33]],
  );
});

Deno.test("readHistory() takes what was given up for no try", async () => {
  deepStrictEqual(
    await read([
      // Long ago, left by the client, its own fault, or another's.
      made(0, 1, REFUSED),
      made(30, 31),
      made(40, 41, { ...REFUSED, end: "client_gone" }),
      made(42, 43),
      made(50, 51, { ...REFUSED, status: 400 }),
      made(52, 53),
      made(60, 61, { ...REFUSED, isSide: true }),
      made(62, 63),
    ]),
    [[30, 30], [42, 42], [52, 52], [62, 62]],
  );
});

Deno.test("readHistory() waits for hours for who was told when to come again", async () => {
  deepStrictEqual(
    await read([
      made(0, 1, { ...REFUSED, reason: "parked" }),
      made(130, 131, { ...REFUSED, reason: "all_closed" }),
      made(400, 401),
      // A day later nobody waits any more.
      made(500, 501, { ...REFUSED, reason: "all_closed" }),
      made(1_940, 1_941),
    ]),
    [[0, 400], [1_940, 1_940]],
  );
});

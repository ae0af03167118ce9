/**
 * Keeps the ledger within its bounds, a little at a time, so that no request
 * waits for it.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { DAY_MS, type Instant } from "../../core/time.ts";
import { transaction } from "./database.ts";
import { QUARTER_MS } from "./ledger.ts";

export interface LedgerBounds {
  /** Single requests are kept so long. */
  readonly days: number;
  /** Size of the whole database. */
  readonly bytesMax: number;
}

/** Sums are small and outlive the requests that they were made of. */
const SUM_DAYS = 800;
const ROWS_AT_ONCE = 2_000;
const PAGES_AT_ONCE = 500;
/** When the file is too large, more goes, so that it is not so again at once. */
const SIZE_TARGET = 0.9;

/** Removes at most one portion; true when there is more to remove. */
export function prune(
  database: DatabaseSync,
  bounds: LedgerBounds,
  now: Instant,
): boolean {
  const removed = transaction(database, () => {
    const old = removeOld(database, bounds, now);
    return old > 0 ? old : removeForSize(database, bounds);
  });
  database.exec(`PRAGMA incremental_vacuum(${PAGES_AT_ONCE})`);
  return removed >= ROWS_AT_ONCE;
}

function removeOld(
  database: DatabaseSync,
  { days }: LedgerBounds,
  now: Instant,
): number {
  const sumsFrom = now - Math.max(SUM_DAYS, days) * DAY_MS;
  const rows = removeRows(database, now - days * DAY_MS);
  database.prepare("DELETE FROM quarters WHERE quarter < ?")
    .run(Math.floor(sumsFrom / QUARTER_MS));
  // Marked as seen once a day, so a name in use may look a day older.
  database.prepare("DELETE FROM names WHERE seen_at < ?")
    .run(sumsFrom - 2 * DAY_MS);
  database.prepare("DELETE FROM session_issues WHERE seen_at < ?")
    .run(sumsFrom);
  return rows;
}

function removeRows(database: DatabaseSync, endedBefore: number): number {
  const { changes } = database.prepare(
    `DELETE FROM requests WHERE sequence IN (
       SELECT sequence FROM requests WHERE ended_at < ?
       ORDER BY ended_at LIMIT ${ROWS_AT_ONCE})`,
  ).run(endedBefore);
  return Number(changes);
}

function removeForSize(
  database: DatabaseSync,
  { bytesMax }: LedgerBounds,
): number {
  const used = usedBytes(database);
  if (used <= bytesMax) return 0;
  const count = Number(
    database.prepare("SELECT count(*) AS n FROM requests").get()?.["n"],
  );
  if (count === 0) return 0;
  const surplus = Math.ceil(count * (1 - SIZE_TARGET * bytesMax / used));
  const { changes } = database.prepare(
    `DELETE FROM requests WHERE sequence IN (
       SELECT sequence FROM requests ORDER BY ended_at LIMIT ?)`,
  ).run(Math.min(surplus, ROWS_AT_ONCE));
  return Number(changes);
}

/** Bytes of pages that hold something. */
export function usedBytes(database: DatabaseSync): number {
  const read = (name: string) =>
    Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
  return (read("page_count") - read("freelist_count")) * read("page_size");
}

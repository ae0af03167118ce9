/**
 * Upkeep of the ledger, a little at a time so that no request waits for it:
 * removes what is beyond its bounds, and prices requests whose model had no
 * price when they were booked.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { DAY_MS, type Instant } from "../../core/time.ts";
import { pruneWindows } from "./window_history.ts";
import { transaction } from "./database.ts";
import type { PricedAnswer } from "../../core/pricing.ts";
import { isMessage, QUARTER_MS, termsOf } from "./ledger.ts";
import type { TokenUsage } from "../../core/usage.ts";

export interface LedgerBounds {
  /** How long single requests are kept. */
  readonly days: number;
  /** Size limit of the whole database. */
  readonly bytesMax: number;
}

/** Sums are small and outlive the requests that they were made of. */
const SUM_DAYS = 800;
const ROWS_AT_ONCE = 2_000;
const PAGES_AT_ONCE = 500;
/**
 * If the file is too large it is reduced to this share, so that it stays within
 * the limit for a while.
 */
const SIZE_TARGET = 0.9;

/** Removes at most one portion; returns whether there is more to remove. */
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
  // Names are marked as seen once a day, so one in use may look a day older.
  database.prepare("DELETE FROM names WHERE seen_at < ?")
    .run(sumsFrom - 2 * DAY_MS);
  pruneWindows(database, now);
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

/** Returns the bytes of pages in use. */
export function usedBytes(database: DatabaseSync): number {
  const read = (name: string) =>
    Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
  return (read("page_count") - read("freelist_count")) * read("page_size");
}

/**
 * Returns the cost of a request in nanodollars, or null if it is still
 * unpriced.
 */
export type CostOf = (
  usage: TokenUsage,
  about: PricedAnswer,
) => number | null;

/** Rows per transaction; a writer waits for it. */
const ROWS_MAX = 2_000;

const UNPRICED = `
SELECT requests.id AS id, ended_at, session, account, project, machine,
  model_answered, model_asked,
  answered.text AS answered, asked.text AS asked, path.text AS path,
  input, cache_read, cache_write_5m, cache_write_1h, output,
  is_paid, terms, web_searches
FROM requests
LEFT JOIN names AS answered ON answered.id = model_answered
LEFT JOIN names AS asked ON asked.id = model_asked
LEFT JOIN names AS path ON path.id = requests.path
WHERE cost_nano IS NULL AND input IS NOT NULL AND requests.id > ?
ORDER BY requests.id LIMIT ${ROWS_MAX}`;

/** Where a pass over the unpriced rows has got to; null at its end. */
export type RepricePlace = string | null;

/**
 * Prices the unpriced rows after `from`, which begins as an empty text. Returns
 * where to go on, and how many requests were priced.
 */
export function reprice(
  database: DatabaseSync,
  from: string,
  costOf: CostOf,
): { readonly next: RepricePlace; readonly priced: number } {
  const rows = database.prepare(UNPRICED).all(from);
  let priced = 0;
  transaction(database, () => {
    const setRow = database.prepare(
      "UPDATE requests SET cost_nano = ? WHERE id = ? AND cost_nano IS NULL",
    );
    const addSum = database.prepare(
      "UPDATE quarters SET cost_nano = cost_nano + ?, paid_nano = paid_nano + ?, " +
        "unpriced = max(0, unpriced - 1) " +
        "WHERE quarter = ? AND session = ? AND account = ? AND model = ? AND project = ? " +
        "AND machine = ?",
    );
    for (const row of rows) {
      const text = (name: string) =>
        row[name] === null ? null : String(row[name]);
      const count = (name: string) => Number(row[name] ?? 0);
      const at = count("ended_at");
      const cost = costOf({
        input: count("input"),
        cacheRead: count("cache_read"),
        cacheWrite5m: count("cache_write_5m"),
        cacheWrite1h: count("cache_write_1h"),
        output: count("output"),
      }, {
        model: text("answered") ?? text("asked"),
        at,
        terms: termsOf(count("terms"), count("web_searches")),
      });
      if (cost === null) continue;
      setRow.run(cost, text("id"));
      priced += 1;
      if (!isMessage({ path: text("path") ?? "" })) continue;
      addSum.run(
        cost,
        count("is_paid") > 0 ? cost : 0,
        Math.floor(at / QUARTER_MS),
        count("session"),
        count("account"),
        row["model_answered"] === null
          ? count("model_asked")
          : count("model_answered"),
        count("project"),
        count("machine"),
      );
    }
  });
  const last = rows.at(-1)?.["id"];
  const isMore = rows.length === ROWS_MAX && last !== undefined;
  return { next: isMore ? String(last) : null, priced };
}

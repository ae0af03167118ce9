/**
 * Prices for requests that had none when they were booked: a new model's price
 * is known later, and then its requests count.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import type { TokenUsage } from "../../core/usage.ts";
import { transaction } from "./database.ts";
import { isMessage, QUARTER_MS } from "./ledger.ts";

/** The cost of a request in nanodollars, or null where it is unpriced still. */
export type CostOf = (
  usage: TokenUsage,
  about: { readonly model: string | null; readonly at: number },
) => number | null;

/** Rows looked at in one transaction; a writer waits for it. */
const ROWS_MAX = 2_000;

const UNPRICED = `
SELECT requests.id AS id, ended_at, session, account,
  model_answered, model_asked,
  answered.text AS answered, asked.text AS asked, path.text AS path,
  input, cache_read, cache_write_5m, cache_write_1h, output
FROM requests
LEFT JOIN names AS answered ON answered.id = model_answered
LEFT JOIN names AS asked ON asked.id = model_asked
LEFT JOIN names AS path ON path.id = requests.path
WHERE cost_nano IS NULL AND input IS NOT NULL AND requests.id > ?
ORDER BY requests.id LIMIT ${ROWS_MAX}`;

/** Where a pass over the unpriced rows stands; null at its end. */
export type RepricePlace = string | null;

/**
 * Prices the unpriced rows behind `from`, which begins as an empty text.
 * Returns where to go on, and how many requests have a price now.
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
      "UPDATE quarters SET cost_nano = cost_nano + ?, unpriced = max(0, unpriced - 1) " +
        "WHERE quarter = ? AND session = ? AND account = ? AND model = ?",
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
      }, { model: text("answered") ?? text("asked"), at });
      if (cost === null) continue;
      setRow.run(cost, text("id"));
      priced += 1;
      if (!isMessage({ path: text("path") ?? "" })) continue;
      addSum.run(
        cost,
        Math.floor(at / QUARTER_MS),
        count("session"),
        count("account"),
        row["model_answered"] === null
          ? count("model_asked")
          : count("model_answered"),
      );
    }
  });
  const last = rows.at(-1)?.["id"];
  const isMore = rows.length === ROWS_MAX && last !== undefined;
  return { next: isMore ? String(last) : null, priced };
}

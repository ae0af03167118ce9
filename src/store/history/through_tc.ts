/**
 * Marks the answers of transcripts that the ledger has, so that none counts
 * twice. A mark stays when the ledger forgets the request.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { HOUR_MS } from "../../core/time.ts";
import { transaction } from "../ledger/database.ts";
import { QUARTER_MS } from "../ledger/ledger.ts";
import { addUp } from "./history_store.ts";

/** A transcript's time and the ledger's differ by less. */
const SLACK_MS = HOUR_MS;

/**
 * Compares the answers since `fromMs` with the ledger. An answer is the ledger's
 * by its request id, and by session and tokens for rows of an older tc, which
 * kept no ids. Returns how many were marked.
 */
export function markThroughTc(
  history: DatabaseSync,
  ledger: DatabaseSync,
  fromMs: number,
): number {
  const open = history.prepare(
    `SELECT message, request, quarter, at, names.text AS session,
       input, cache_read, cache_write_5m + cache_write_1h AS written, output
     FROM answers LEFT JOIN names ON names.id = session
     WHERE quarter >= ? AND is_through_tc = 0`,
  ).all(Math.floor(Math.max(fromMs, ledgerStart(ledger)) / QUARTER_MS));
  if (open.length === 0) return 0;
  const times = open.map(({ at }) => Number(at));
  const known = ledgerKeys(ledger, {
    fromMs: times.reduce((a, b) => Math.min(a, b)) - SLACK_MS,
    untilMs: times.reduce((a, b) => Math.max(a, b)) + SLACK_MS,
  });
  const found = open.filter((row) =>
    known.has(String(row["request"])) || known.has(keyOf(row))
  );
  if (found.length === 0) return 0;
  transaction(history, () => {
    const mark = history.prepare(
      "UPDATE answers SET is_through_tc = 1 WHERE message = ? AND request = ?",
    );
    for (const { message, request } of found) {
      mark.run(String(message), String(request));
    }
    addUp(history, new Set(found.map(({ quarter }) => Number(quarter))));
  });
  return found.length;
}

function ledgerStart(ledger: DatabaseSync): number {
  const row = ledger.prepare("SELECT min(ended_at) AS at FROM requests").get();
  const at = row?.["at"] ?? null;
  return at === null ? Number.MAX_SAFE_INTEGER : Number(at) - SLACK_MS;
}

function ledgerKeys(
  ledger: DatabaseSync,
  { fromMs, untilMs }: { readonly fromMs: number; readonly untilMs: number },
): ReadonlySet<string> {
  const keys = new Set<string>();
  const rows = ledger.prepare(
    `SELECT provider_id, names.text AS session, input, cache_read,
       cache_write_5m + cache_write_1h AS written, output
     FROM requests LEFT JOIN names ON names.id = session
     WHERE ended_at >= ? AND ended_at <= ? AND input IS NOT NULL`,
  ).iterate(fromMs, untilMs);
  for (const row of rows) {
    const id = row["provider_id"];
    keys.add(typeof id === "string" ? id : keyOf(row));
  }
  // A line without a request id is nobody's.
  keys.delete("");
  return keys;
}

function keyOf(row: Readonly<Record<string, unknown>>): string {
  const { session, input, cache_read, written, output } = row;
  return [session, input, cache_read, written, output].join("/");
}

/**
 * The requests of one session in the ledger.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { QUARTER_MS } from "./ledger.ts";

/** One request as the ledger has it; null is unknown. */
interface TurnRow {
  readonly id: string;
  readonly startedAt: number;
  readonly durationMs: number;
  readonly waitedMs: number;
  /** Ids of accounts. */
  readonly account: string | null;
  readonly movedFrom: string | null;
  readonly reason: string;
  readonly agent: string | null;
  readonly model: string | null;
  readonly status: number;
  readonly isCompaction: boolean;
  readonly isPaid: boolean;
  readonly input: number | null;
  readonly cacheRead: number | null;
  readonly cacheWrite: number | null;
  readonly output: number | null;
  readonly costNano: number | null;
}

/**
 * Returns the session's requests since `fromMs`, oldest first: how many there
 * are, and the latest `most` of them. Single requests are kept for a shorter
 * time than their sums.
 */
export function readTurns(
  database: DatabaseSync,
  { session, fromMs, most }: {
    readonly session: string;
    readonly fromMs: number;
    readonly most: number;
  },
): { readonly count: number; readonly turns: readonly TurnRow[] } {
  const id = database.prepare("SELECT id FROM names WHERE text = ?")
    .get(session)?.["id"];
  if (id === undefined) return { count: 0, turns: [] };
  // The requests have no index by session: the sums say when it was at work.
  const edges = database.prepare(
    `SELECT min(quarter) AS first, max(quarter) AS last FROM quarters
     WHERE quarter >= ? AND session = ?`,
  ).get(Math.floor(fromMs / QUARTER_MS), Number(id));
  if ((edges?.["first"] ?? null) === null) return { count: 0, turns: [] };
  const span = [
    Math.max(fromMs, Number(edges?.["first"]) * QUARTER_MS),
    (Number(edges?.["last"]) + 1) * QUARTER_MS,
    Number(id),
  ];
  const where = "ended_at >= ? AND ended_at < ? AND session = ?";
  const count = database.prepare(
    `SELECT count(*) AS count FROM requests WHERE ${where}`,
  ).get(...span)?.["count"];
  const name = (column: string) =>
    `(SELECT text FROM names WHERE id = ${column}) AS ${column}`;
  const columns = [
    "account",
    "moved_from",
    "reason",
    "agent",
    "model_answered",
  ];
  const rows = database.prepare(
    `SELECT id, started_at, duration_ms, waited_ms, status, is_compaction,
       is_paid, input, cache_read, cache_write_5m + cache_write_1h AS written,
       output, cost_nano, ${columns.map(name).join(", ")}
     FROM requests WHERE ${where} ORDER BY ended_at DESC LIMIT ?`,
  ).all(...span, most);
  return { count: Number(count), turns: rows.reverse().map(turnOf) };
}

function turnOf(row: Readonly<Record<string, unknown>>): TurnRow {
  const text = (key: string) => {
    const value = row[key];
    return typeof value === "string" ? value : null;
  };
  const figure = (key: string) => {
    const value = row[key] ?? null;
    return value === null ? null : Number(value);
  };
  return {
    id: String(row["id"]),
    startedAt: Number(row["started_at"]),
    durationMs: Number(row["duration_ms"]),
    waitedMs: Number(row["waited_ms"]),
    account: text("account"),
    movedFrom: text("moved_from"),
    reason: text("reason") ?? "",
    agent: text("agent"),
    model: text("model_answered"),
    status: Number(row["status"]),
    isCompaction: row["is_compaction"] === 1,
    isPaid: row["is_paid"] === 1,
    input: figure("input"),
    cacheRead: figure("cache_read"),
    cacheWrite: figure("written"),
    output: figure("output"),
    costNano: figure("cost_nano"),
  };
}

/**
 * The recorded requests one by one, for a replay.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import type { TokenUsage } from "../core/usage.ts";

/** One answered message of the ledger. Times in epoch milliseconds. */
export interface HistoryRow {
  readonly startedAt: number;
  readonly endedAt: number;
  readonly waitedMs: number;
  readonly conversation: string;
  readonly model: string;
  readonly account: string;
  readonly policy: string;
  readonly isPrompt: boolean;
  readonly isSide: boolean;
  readonly isCompacted: boolean;
  readonly isMoved: boolean;
  readonly usage: TokenUsage;
  /** What the account's windows said after it; null is unknown. */
  readonly spent5h: number | null;
  readonly resets5h: number | null;
  readonly spent7d: number | null;
  readonly resets7d: number | null;
}

/** Answered messages since `fromMs`, by their start. */
export function readHistory(
  database: DatabaseSync,
  fromMs: number,
): readonly HistoryRow[] {
  const names = new Map(
    database.prepare("SELECT id, text FROM names").all()
      .map((row) => [row["id"], String(row["text"])]),
  );
  const rows = database.prepare(
    `SELECT * FROM requests
     WHERE ended_at >= ? AND account IS NOT NULL AND input IS NOT NULL
       AND conversation IS NOT NULL
     ORDER BY started_at, sequence`,
  ).all(fromMs);
  return rows.flatMap((row) => {
    const name = (key: string) => names.get(row[key] ?? null) ?? "";
    if (!name("path").endsWith("/v1/messages")) return [];
    const count = (key: string) => Number(row[key] ?? 0);
    const figure = (key: string) => row[key] === null ? null : Number(row[key]);
    return [{
      startedAt: count("started_at"),
      endedAt: count("ended_at"),
      waitedMs: count("waited_ms"),
      conversation: name("conversation"),
      model: name("model_answered") || name("model_asked"),
      account: name("account"),
      policy: name("policy"),
      isPrompt: row["is_prompt"] === 1,
      isSide: row["is_side"] === 1,
      isCompacted: row["is_compacted"] === 1,
      isMoved: row["moved_from"] !== null,
      usage: {
        input: count("input"),
        cacheRead: count("cache_read"),
        cacheWrite5m: count("cache_write_5m"),
        cacheWrite1h: count("cache_write_1h"),
        output: count("output"),
      },
      spent5h: figure("spent_5h"),
      resets5h: figure("resets_5h"),
      spent7d: figure("spent_7d"),
      resets7d: figure("resets_7d"),
    }];
  });
}

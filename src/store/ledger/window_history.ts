/**
 * How full each account's windows were over time: one row per account, window
 * and five minutes in which its figure changed. The page draws curves from it.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { DAY_MS, type Instant, MINUTE_MS } from "../../core/time.ts";

/** One figure of a window. Times are in epoch milliseconds. */
export interface WindowSample {
  readonly account: string;
  /** `5h`, `7d`, or the window of a model family. */
  readonly window: string;
  /** A share from 0 to 1. */
  readonly utilization: number;
  /** Null where the provider does not say. */
  readonly resetsAt: number | null;
}

/** A figure with the start of the step that it stands for. */
export interface PastSample extends WindowSample {
  readonly at: number;
}

/** A change of account of a conversation, or tries that one account refused. */
interface PastMove {
  readonly at: number;
  /** The account that served in the end; null if none did. */
  readonly account: string | null;
  /** The account that the conversation left; null if it stayed. */
  readonly movedFrom: string | null;
  readonly reason: string;
  readonly attempts: number;
}

/** The finest step of the history. */
export const STEP_MS = 5 * MINUTE_MS;

/** Days after which the figures are removed. */
const WINDOW_DAYS = 60;

/** The most moves in one answer; the latest are kept. */
const MOVES_MAX = 500;

/** Writes the figures of now; the last of five minutes counts. */
export function noteWindows(
  database: DatabaseSync,
  samples: readonly WindowSample[],
  at: Instant,
): void {
  const put = database.prepare(
    `INSERT INTO window_history (account, window, step, utilization, resets_at)
     VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (account, window, step) DO UPDATE SET
       utilization = excluded.utilization, resets_at = excluded.resets_at`,
  );
  const step = Math.floor(at / STEP_MS);
  for (const { account, window, utilization, resetsAt } of samples) {
    put.run(account, window, step, utilization, resetsAt);
  }
}

/**
 * Returns when the first known figure of the account's windows came, in epoch
 * milliseconds; null if none is known.
 */
export function windowsSince(
  database: DatabaseSync,
  account: string,
): number | null {
  const first = database.prepare(
    "SELECT min(step) AS first FROM window_history WHERE account = ?",
  ).get(account)?.["first"] ?? null;
  return first === null ? null : Number(first) * STEP_MS;
}

/** Removes the figures that are too old. */
export function pruneWindows(database: DatabaseSync, now: Instant): void {
  database.prepare("DELETE FROM window_history WHERE step < ?")
    .run(Math.floor((now - WINDOW_DAYS * DAY_MS) / STEP_MS));
}

/**
 * Returns the figures since `fromMs`, one per account, window and `stepMs`, in
 * the order of time: the highest of each step, so that no peak is lost.
 */
export function readWindows(
  database: DatabaseSync,
  { fromMs, stepMs }: { readonly fromMs: number; readonly stepMs: number },
): readonly PastSample[] {
  const steps = Math.max(1, Math.round(stepMs / STEP_MS));
  // With one max(), SQLite takes the other columns from the row that has it.
  const rows = database.prepare(
    `SELECT account, window, step, max(utilization) AS utilization, resets_at
     FROM window_history WHERE step >= ?
     GROUP BY account, window, step / ${steps}
     ORDER BY account, window, step`,
  ).all(Math.floor(fromMs / STEP_MS));
  return rows.map((row) => ({
    account: String(row["account"]),
    window: String(row["window"]),
    at: Number(row["step"]) * STEP_MS,
    utilization: Number(row["utilization"]),
    resetsAt: row["resets_at"] === null ? null : Number(row["resets_at"]),
  }));
}

/** Returns the latest moves and refused tries since `fromMs`, oldest first. */
export function readMoves(
  database: DatabaseSync,
  fromMs: number,
): readonly PastMove[] {
  const rows = database.prepare(
    `SELECT ended_at, account.text AS account, moved.text AS moved_from,
       reason.text AS reason, attempts
     FROM requests INDEXED BY requests_moved
     LEFT JOIN names AS account ON account.id = requests.account
     LEFT JOIN names AS moved ON moved.id = requests.moved_from
     LEFT JOIN names AS reason ON reason.id = requests.reason
     WHERE ended_at >= ? AND (moved_from IS NOT NULL OR attempts IS NOT NULL)
     ORDER BY ended_at DESC LIMIT ${MOVES_MAX}`,
  ).all(fromMs);
  const text = (value: unknown) => value === null ? null : String(value);
  return rows.map((row) => ({
    at: Number(row["ended_at"]),
    account: text(row["account"]),
    movedFrom: text(row["moved_from"]),
    reason: text(row["reason"]) ?? "",
    attempts: row["attempts"] === null
      ? 1
      : JSON.parse(String(row["attempts"])).length,
  })).reverse();
}

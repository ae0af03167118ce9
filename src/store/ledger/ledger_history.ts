/**
 * Recorded requests one by one: for a replay, and for counts that must survive
 * a restart.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import type { TokenUsage } from "../../core/usage.ts";
import { accountId } from "../../core/account.ts";
import { type Instant, instantFromMs } from "../../core/time.ts";
import type { RequestRecord } from "../../ports.ts";

/** One answered message of the ledger. Times are in epoch milliseconds. */
export interface HistoryRow {
  /** When it was first asked for; its tries before `startedAt` failed. */
  readonly askedAt: number;
  readonly startedAt: number;
  readonly endedAt: number;
  readonly waitedMs: number;
  /** Time from the client's last byte to the answer's first; null if unknown. */
  readonly firstByteMs: number | null;
  readonly conversation: string;
  readonly model: string;
  readonly account: string;
  readonly policy: string;
  readonly isPrompt: boolean;
  readonly isSide: boolean;
  readonly isCompacted: boolean;
  readonly isMoved: boolean;
  readonly usage: TokenUsage;
  /** The account's windows after it; null is unknown. */
  readonly spent5h: number | null;
  readonly resets5h: number | null;
  readonly spent7d: number | null;
  readonly resets7d: number | null;
}

/** The account of a message that did not go through tc. */
export const UNKNOWN_ACCOUNT = "";

/** A refused client returns within this time, or has given up. */
const AGAIN_MS_MAX = 600_000;

/**
 * A client that tc told when to come again returns within this time: five hours
 * to a reset, and what it takes to notice it.
 */
const TOLD_MS_MAX = 6 * 3_600_000;

/** Answers of tc that name the time at which to come again. */
const TOLD: readonly string[] = ["all_closed", "parked"];

/** Returns the answered messages since `fromMs`, ordered by start. */
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
     WHERE ended_at >= ? AND conversation IS NOT NULL
     ORDER BY started_at, sequence`,
  ).all(fromMs);
  const failures = new Failures();
  return rows.flatMap((row) => {
    const read = new RowReader(row, names);
    if (!read.name("path").endsWith("/v1/messages")) return [];
    const isAnswered = row["account"] !== null && row["input"] !== null;
    if (isAnswered) return [historyRow(read, failures.end(read))];
    failures.note(read);
    return [];
  });
}

type Row = Readonly<Record<string, unknown>>;

class RowReader {
  readonly #row: Row;
  readonly #names: ReadonlyMap<unknown, string>;

  constructor(row: Row, names: ReadonlyMap<unknown, string>) {
    this.#row = row;
    this.#names = names;
  }

  name(key: string): string {
    return this.#names.get(this.#row[key] ?? null) ?? "";
  }

  count(key: string): number {
    return Number(this.#row[key] ?? 0);
  }

  figure(key: string): number | null {
    return this.#row[key] === null ? null : Number(this.#row[key]);
  }

  flag(key: string): boolean {
    return this.#row[key] === 1;
  }
}

/**
 * Tracks failed tries: the time from the first of them to the answer is a wait,
 * and not a pause that somebody made.
 */
class Failures {
  readonly #open = new Map<string, { since: number; until: number }>();

  note(row: RowReader): void {
    const key = keyOf(row);
    if (!isWorthAgain(row)) {
      this.#open.delete(key);
      return;
    }
    const since = this.#sinceOf(row) ?? row.count("started_at");
    const isTold = TOLD.includes(row.name("reason"));
    const until = row.count("ended_at") + (isTold ? TOLD_MS_MAX : AGAIN_MS_MAX);
    this.#open.set(key, { since, until });
  }

  /** Returns when the request answered by `row` was first asked for. */
  end(row: RowReader): number {
    const since = this.#sinceOf(row);
    this.#open.delete(keyOf(row));
    return since ?? row.count("started_at");
  }

  #sinceOf(row: RowReader): number | null {
    const open = this.#open.get(keyOf(row));
    const isAgain = open !== undefined &&
      row.count("started_at") <= open.until;
    return isAgain ? open.since : null;
  }
}

function keyOf(row: RowReader): string {
  return `${row.name("conversation")}/${row.count("is_side")}`;
}

/**
 * Returns whether a request was refused, overloaded or broken off, neither
 * given up nor at fault itself.
 */
function isWorthAgain(row: RowReader): boolean {
  const status = row.count("status");
  const ended = row.name("ended");
  if (ended === "client_gone") return false;
  return status === 429 || status >= 500 ||
    (status === 200 && ended !== "complete");
}

function historyRow(row: RowReader, askedAt: number): HistoryRow {
  return {
    askedAt,
    startedAt: row.count("started_at"),
    endedAt: row.count("ended_at"),
    waitedMs: row.count("waited_ms"),
    firstByteMs: row.figure("first_byte_ms"),
    conversation: row.name("conversation"),
    model: row.name("model_answered") || row.name("model_asked"),
    account: row.name("account"),
    policy: row.name("policy"),
    isPrompt: row.flag("is_prompt"),
    isSide: row.flag("is_side"),
    isCompacted: row.flag("is_compacted"),
    isMoved: row.figure("moved_from") !== null,
    usage: {
      input: row.count("input"),
      cacheRead: row.count("cache_read"),
      cacheWrite5m: row.count("cache_write_5m"),
      cacheWrite1h: row.count("cache_write_1h"),
      output: row.count("output"),
    },
    spent5h: row.figure("spent_5h"),
    resets5h: row.figure("resets_5h"),
    spent7d: row.figure("spent_7d"),
    resets7d: row.figure("resets_7d"),
  };
}

/** Returns when the last request of this machine ended; null if there is none. */
export function newestRequest(database: DatabaseSync): Instant | null {
  const row = database.prepare(
    // The clock of another machine may be ahead.
    "SELECT max(ended_at) AS at FROM requests WHERE machine IS NULL",
  ).get();
  const at = row?.["at"] ?? null;
  return at === null ? null : instantFromMs(Number(at));
}

/** Returns the messages since `fromMs` that this machine had answered. */
export function recentRequests(
  database: DatabaseSync,
  fromMs: number,
): readonly Pick<
  RequestRecord,
  "accountId" | "endedAt" | "path" | "usage"
>[] {
  const rows = database.prepare(
    `SELECT account.text AS account, path.text AS path, ended_at,
       input, cache_read, cache_write_5m, cache_write_1h, output
     FROM requests
     JOIN names AS account ON account.id = requests.account
     JOIN names AS path ON path.id = requests.path
     WHERE ended_at >= ? AND machine IS NULL`,
  ).all(fromMs);
  return rows.map((row) => ({
    accountId: accountId(String(row["account"])),
    path: String(row["path"]),
    endedAt: instantFromMs(Number(row["ended_at"])),
    usage: row["input"] === null ? null : {
      input: Number(row["input"]),
      cacheRead: Number(row["cache_read"]),
      cacheWrite5m: Number(row["cache_write_5m"]),
      cacheWrite1h: Number(row["cache_write_1h"]),
      output: Number(row["output"]),
    },
  }));
}

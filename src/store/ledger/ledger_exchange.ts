/**
 * The ledger's rows on their way between the machines of a shared pool: those
 * that this machine wrote and has not sent, and those of others. A place in the
 * rows of each machine is kept, so that nothing is sent or counted twice.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { accountId } from "../../core/account.ts";
import { type Instant, instantFromMs } from "../../core/time.ts";
import type { AttemptRecord, RequestEnd, RequestRecord } from "../../ports.ts";
import {
  type LedgerEntry,
  NAME_COLUMNS,
  type OwnEntry,
  termsOf,
} from "./ledger.ts";

/** How far the rows of a machine were sent or taken over. */
interface RowPlace {
  /** The last row, as this machine counts its own, or another one its own. */
  readonly sequence: number;
  /** What this machine adds to its own count for the others. */
  readonly base: number;
}

/** The key of this machine's own place. */
const OWN = "";

/** Returns the place in the rows of `machine`, null is this one's own. */
export function readPlace(
  database: DatabaseSync,
  machine: string | null,
): RowPlace | null {
  const row = database.prepare(
    "SELECT sequence, base FROM exchanged WHERE machine = ?",
  ).get(machine ?? OWN);
  return row === undefined
    ? null
    : { sequence: Number(row["sequence"]), base: Number(row["base"]) };
}

/** Returns the number of the last row of each other machine. */
export function readPlaces(
  database: DatabaseSync,
): Readonly<Record<string, number>> {
  const rows = database.prepare(
    "SELECT machine, sequence FROM exchanged WHERE machine <> ?",
  ).all(OWN);
  return Object.fromEntries(
    rows.map((row) => [String(row["machine"]), Number(row["sequence"])]),
  );
}

export function writePlace(
  database: DatabaseSync,
  machine: string | null,
  { sequence, base }: RowPlace,
): void {
  database.prepare(
    "INSERT OR REPLACE INTO exchanged (machine, sequence, base) VALUES (?, ?, ?)",
  ).run(machine ?? OWN, sequence, base);
}

/** Rows of this machine that follow each other, as they are sent. */
export interface Portion {
  /** The numbers of the first and the last row, as this machine counts. */
  readonly first: number;
  readonly last: number;
  readonly count: number;
  /** The rows as elements of a JSON array, with commas between them. */
  readonly text: string;
}

/** Rows that were written together, their text as UTF-8. */
interface Batch extends Omit<Portion, "text"> {
  readonly bytes: Uint8Array;
}

/** Returns rows as they are sent; null if there are none. */
function portionOf(rows: readonly OwnEntry[]): Portion | null {
  const [first] = rows;
  const last = rows.at(-1);
  if (first === undefined || last === undefined) return null;
  return {
    first: first.sequence,
    last: last.sequence,
    count: rows.length,
    text: textOf(rows),
  };
}

/** A field that only the log needs. */
type LogField = "movedWhy" | "why" | "traceParent";

/**
 * The fields of a record that are sent, each with its place: names beside the
 * values would be half of what is sent. Fields that only the log needs are left
 * out.
 */
const SENT: Readonly<Record<Exclude<keyof RequestRecord, LogField>, null>> = {
  id: null,
  startedAt: null,
  endedAt: null,
  method: null,
  path: null,
  session: null,
  agent: null,
  conversation: null,
  project: null,
  modelAsked: null,
  modelAnswered: null,
  isStream: null,
  isPrompt: null,
  isSide: null,
  isCompaction: null,
  isCompacted: null,
  accountId: null,
  reason: null,
  movedFrom: null,
  policy: null,
  attempts: null,
  status: null,
  waitedMs: null,
  firstByteMs: null,
  durationMs: null,
  usage: null,
  terms: null,
  isPaid: null,
  stopReason: null,
  end: null,
  errorType: null,
  providerId: null,
};

/** The fields in the order of their values. */
export const SENT_FIELDS = Object.keys(SENT) as readonly (keyof typeof SENT)[];

/**
 * Returns the rows as JSON: of each its number, the end of its request, its cost,
 * its windows, and the record's values in the order of the fields. It leaves out
 * the characters that PostgreSQL refuses.
 */
function textOf(rows: readonly OwnEntry[]): string {
  const json = rows.map(({ sequence, entry }) => {
    const { record, costNano, windows } = entry;
    const values: unknown[] = [sequence, record.endedAt, costNano, windows];
    for (const field of SENT_FIELDS) values.push(record[field]);
    return values;
  });
  const text = JSON.stringify(json);
  const told = STRANGE.some((escape) => text.includes(escape))
    ? JSON.stringify(json, (_, value) => stored(value))
    : text;
  return told.slice(1, -1);
}

/**
 * How JSON writes a NUL and half a surrogate pair, which a client's model may
 * hold. PostgreSQL refuses both, and with them the whole portion, for ever.
 */
const STRANGE = ["\\u0000", "\\ud"];

/** Returns what SQLite keeps of a text. */
function stored(value: unknown): unknown {
  return typeof value === "string"
    ? value.split("\0", 1)[0]?.toWellFormed()
    : value;
}

/** Returns at most `limit` of this machine's entries after `sequence`. */
function ownEntries(
  database: DatabaseSync,
  sequence: number,
  limit: number,
): readonly OwnEntry[] {
  const rows = database.prepare(
    `SELECT * FROM requests
     WHERE sequence > ? AND machine IS NULL ORDER BY sequence LIMIT ?`,
  ).all(sequence, limit);
  if (rows.length === 0) return [];
  const texts = textsOf(database, rows);
  return rows.map((row) => ({
    sequence: Number(row["sequence"]),
    entry: entryOf(new Row(row, texts)),
  }));
}

/** Returns the number of the last row, whichever machine's; 0 without rows. */
export function lastSequence(database: DatabaseSync): number {
  const row = database.prepare("SELECT max(sequence) AS last FROM requests")
    .get();
  return Number(row?.["last"] ?? 0);
}

/**
 * Moves this machine's own `place` to `last`, the number of the last row, where
 * no own row came since. Rows of others are not looked through again; and where
 * the newest rows were pruned, whose numbers SQLite gives anew, those numbers
 * count on for the others.
 */
export function settlePlace(
  database: DatabaseSync,
  place: RowPlace,
  last: number,
): void {
  if (last === place.sequence) return;
  const reused = Math.max(0, place.sequence - last);
  writePlace(database, null, { sequence: last, base: place.base + reused });
}

/** Rows that are read and sent at once. More would hold up the thread's requests. */
const PORTION_ROWS = 400;

/**
 * Rows that are sent at once if they need not be read: each portion costs a
 * statement, and a busy server sends this many in six seconds.
 */
const FRESH_ROWS = 1_200;

/** Rows that are kept in memory; all others are read when they are sent. */
const FRESH_MAX = 4_000;

/**
 * Rows that this process has just written, so that the next portion need not be
 * read from the file again. Each batch is made into bytes at once: the rows
 * themselves, or their text, would be moved about by the garbage collector until
 * they are sent. The file says whether they are all: another process of this
 * machine may write as well.
 */
export class FreshRows {
  #batches: readonly Batch[] = [];

  /** Keeps rows that are in the file, in their order. */
  note(rows: readonly OwnEntry[]): void {
    // So many at once were kept back while the file failed, and are read there.
    const batch = rows.length > PORTION_ROWS ? null : portionOf(rows);
    if (batch === null) return;
    const last = this.#batches.at(-1);
    // The numbers start at 1 again in the new file after a damaged one.
    const isAnew = last !== undefined && batch.first <= last.last;
    const { text, ...numbers } = batch;
    const fresh = { ...numbers, bytes: new TextEncoder().encode(text) };
    const kept = isAnew ? [fresh] : [...this.#batches, fresh];
    let count = kept.reduce((sum, one) => sum + one.count, 0);
    while (count > FRESH_MAX) count -= kept.shift()?.count ?? count;
    this.#batches = kept;
  }

  /**
   * Returns the rows of this machine after `sequence`, or null if there are none.
   * They come from memory if it has all of them, at most {@linkcode FRESH_ROWS},
   * else from the file, at most {@linkcode PORTION_ROWS}.
   */
  after(
    database: DatabaseSync,
    sequence: number,
    limit: number = FRESH_ROWS,
  ): Portion | null {
    this.#batches = this.#batches.filter(({ last }) => last > sequence);
    const joined = joinedPortion(this.#batches, limit);
    return joined !== null && isWhole(database, joined, sequence)
      ? joined
      : portionOf(
        ownEntries(database, sequence, Math.min(limit, PORTION_ROWS)),
      );
  }
}

/** Whether the file has no own row after `sequence` and before its end beside it. */
function isWhole(
  database: DatabaseSync,
  { first, last, count }: Portion,
  sequence: number,
): boolean {
  if (first <= sequence) return false;
  const hasNoGap = last - sequence === count;
  // No two rows have one number; but the file may be another one by now.
  return hasNoGap
    ? lastSequence(database) >= last
    : countRows(database, sequence, last) === count;
}

/** Returns the first batches that hold at most `limit` rows, as one. */
function joinedPortion(
  batches: readonly Batch[],
  limit: number,
): Portion | null {
  let count = 0;
  let end = 0;
  for (const batch of batches) {
    if (count + batch.count > limit) break;
    count += batch.count;
    end++;
  }
  const joined = batches.slice(0, end);
  const [first] = joined;
  const last = joined.at(-1);
  return first === undefined || last === undefined ? null : {
    first: first.first,
    last: last.last,
    count,
    text: joined.map(({ bytes }) => new TextDecoder().decode(bytes)).join(","),
  };
}

/** Returns how many own rows come after `from`, up to and with `last`. */
function countRows(
  database: DatabaseSync,
  from: number,
  last: number,
): number {
  const row = database.prepare(
    `SELECT count(*) AS count FROM requests
     WHERE sequence > ? AND sequence <= ? AND machine IS NULL`,
  ).get(from, last);
  return Number(row?.["count"]);
}

type Columns = Readonly<Record<string, unknown>>;

/** Returns the texts that rows name by number: few, and the same again and again. */
function textsOf(
  database: DatabaseSync,
  rows: readonly Columns[],
): ReadonlyMap<unknown, string> {
  const ids = new Set<unknown>();
  for (const row of rows) {
    for (const column of NAME_COLUMNS) ids.add(row[column]);
  }
  ids.delete(null);
  const found = database.prepare(
    "SELECT id, text FROM names WHERE id IN (SELECT value FROM json_each(?))",
  ).all(JSON.stringify([...ids]));
  return new Map(found.map(({ id, text }) => [id, String(text)]));
}

class Row {
  readonly #row: Columns;
  readonly #texts: ReadonlyMap<unknown, string>;

  constructor(row: Columns, texts: ReadonlyMap<unknown, string>) {
    this.#row = row;
    this.#texts = texts;
  }

  name(column: typeof NAME_COLUMNS[number]): string | null {
    return this.#texts.get(this.#row[column]) ?? null;
  }

  text(column: string): string | null {
    const value = this.#row[column] ?? null;
    return value === null ? null : String(value);
  }

  figure(column: string): number | null {
    const value = this.#row[column] ?? null;
    return value === null ? null : Number(value);
  }

  count(column: string): number {
    return this.figure(column) ?? 0;
  }

  at(column: string): Instant | null {
    const ms = this.figure(column);
    return ms === null ? null : instantFromMs(ms);
  }
}

function entryOf(row: Row): LedgerEntry {
  return {
    record: recordOf(row),
    costNano: row.figure("cost_nano"),
    windows: {
      fiveHour: row.figure("spent_5h"),
      fiveHourResetsAt: row.at("resets_5h"),
      week: row.figure("spent_7d"),
      weekResetsAt: row.at("resets_7d"),
    },
  };
}

function recordOf(row: Row): RequestRecord {
  const account = accountId(row.name("account") ?? "");
  return {
    id: row.text("id") ?? "",
    startedAt: instantFromMs(row.count("started_at")),
    endedAt: instantFromMs(row.count("ended_at")),
    method: row.name("method") ?? "",
    path: row.name("path") ?? "",
    session: row.name("session"),
    agent: row.name("agent"),
    conversation: row.name("conversation"),
    project: row.name("project"),
    modelAsked: row.name("model_asked"),
    modelAnswered: row.name("model_answered"),
    isStream: row.count("is_stream") === 1,
    isPrompt: row.count("is_prompt") === 1,
    isSide: row.count("is_side") === 1,
    isCompaction: row.count("is_compaction") === 1,
    isCompacted: row.count("is_compacted") === 1,
    accountId: account,
    reason: row.name("reason") ?? "",
    movedFrom: accountId(row.name("moved_from") ?? ""),
    // Only the log has it.
    movedWhy: null,
    policy: row.name("policy") ?? "",
    attempts: attemptsOf(row, account),
    status: row.count("status"),
    waitedMs: row.count("waited_ms"),
    firstByteMs: row.figure("first_byte_ms"),
    durationMs: row.count("duration_ms"),
    usage: row.figure("input") === null ? null : {
      input: row.count("input"),
      cacheRead: row.count("cache_read"),
      cacheWrite5m: row.count("cache_write_5m"),
      cacheWrite1h: row.count("cache_write_1h"),
      output: row.count("output"),
    },
    terms: termsOf(row.count("terms"), row.count("web_searches")),
    isPaid: row.count("is_paid") === 1,
    stopReason: row.name("stop_reason"),
    end: (row.name("ended") ?? "complete") as RequestEnd,
    errorType: row.name("error_type"),
    providerId: row.text("provider_id"),
  };
}

/** A row says nothing of its tries in the common case of a single served one. */
function attemptsOf(
  row: Row,
  account: RequestRecord["accountId"],
): readonly AttemptRecord[] {
  const text = row.text("attempts");
  if (text === null) {
    return account === null ? [] : [{
      accountId: account,
      verdict: "served",
      status: row.count("status"),
    }];
  }
  const tries = JSON.parse(text) as readonly (readonly [
    AttemptRecord["accountId"],
    AttemptRecord["verdict"],
    number | null,
  ])[];
  return tries.map(([accountId, verdict, status]) => ({
    accountId,
    verdict,
    status,
  }));
}

/**
 * What was read from Claude Code's transcripts, kept after the client has
 * deleted them: counts, ids, models, times and projects, never a text. It stands
 * beside the ledger, in a file of its own.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import {
  type TranscriptAnswer,
  TranscriptAnswers,
} from "../../core/transcript.ts";
import { PLAIN_TERMS, type PricedAnswer } from "../../core/pricing.ts";
import type { TokenUsage } from "../../core/usage.ts";
import { openDatabase, transaction } from "../ledger/database.ts";
import { QUARTER_MS, termsNumber, termsOf } from "../ledger/ledger.ts";

/** Returns the file with what was read from transcripts. */
export function historyPath(stateFolder: string): string {
  return `${stateFolder}/transcripts.db`;
}

const NAMES = `
CREATE TABLE names (
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE
) STRICT;
`;

/** How far each transcript was read. Times are in milliseconds. */
const FILES = `
CREATE TABLE files (
  id INTEGER PRIMARY KEY,
  path TEXT NOT NULL UNIQUE,
  size INTEGER NOT NULL,
  written_at INTEGER NOT NULL,
  inode INTEGER NOT NULL,
  known_bytes INTEGER NOT NULL
) STRICT;
`;

/**
 * Each answer once. Names stand in \`names\`, 0 is none; money is in nanodollars,
 * NULL without a price; \`is_through_tc\` says that the ledger has it.
 */
const ANSWERS = `
CREATE TABLE answers (
  message TEXT NOT NULL,
  request TEXT NOT NULL,
  at INTEGER NOT NULL,
  started_at INTEGER NOT NULL,
  quarter INTEGER NOT NULL,
  session INTEGER NOT NULL,
  agent INTEGER NOT NULL,
  project INTEGER NOT NULL,
  model INTEGER NOT NULL,
  input INTEGER NOT NULL,
  cache_read INTEGER NOT NULL,
  cache_write_5m INTEGER NOT NULL,
  cache_write_1h INTEGER NOT NULL,
  output INTEGER NOT NULL,
  terms INTEGER NOT NULL,
  web_searches INTEGER NOT NULL,
  marks INTEGER NOT NULL,
  file INTEGER NOT NULL,
  cost_nano INTEGER,
  is_through_tc INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (message, request)
) STRICT, WITHOUT ROWID;
CREATE INDEX answers_by_quarter ON answers (quarter);
`;

/** What reports read: the answers that did not go through tc. */
const SUMS = `
CREATE TABLE sums (
  quarter INTEGER NOT NULL,
  session INTEGER NOT NULL,
  project INTEGER NOT NULL,
  model INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  input INTEGER NOT NULL,
  cache_read INTEGER NOT NULL,
  cache_write_5m INTEGER NOT NULL,
  cache_write_1h INTEGER NOT NULL,
  output INTEGER NOT NULL,
  cost_nano INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  cold_rebuilds INTEGER NOT NULL,
  first_at INTEGER NOT NULL,
  last_at INTEGER NOT NULL,
  PRIMARY KEY (quarter, session, project, model)
) STRICT, WITHOUT ROWID;
`;

/** When the transcripts were last looked at, and whether to the end. */
const LOOKS = `
CREATE TABLE looks (
  id INTEGER PRIMARY KEY CHECK (id = 0),
  at INTEGER NOT NULL,
  is_whole INTEGER NOT NULL
) STRICT;
`;

const STEPS: readonly string[] = [NAMES + FILES + ANSWERS + SUMS + LOOKS];

/** Pages that a look keeps, in KB: with the usual 2,000 it reads many again. */
const KEPT_KB = 4_096;

/** Opens the answers of the transcripts. Throws what openDatabase() throws. */
export function openHistory(
  path: string,
  mode: "read_write" | "read_only",
): DatabaseSync {
  const database = openDatabase(path, mode, STEPS);
  if (mode === "read_write") database.exec(`PRAGMA cache_size = -${KEPT_KB}`);
  return database;
}

/** How far a transcript was read, and what the file looked like then. */
export interface KnownFile {
  readonly path: string;
  readonly size: number;
  readonly writtenAt: number;
  readonly inode: number;
  readonly knownBytes: number;
}

/** Returns the cost in nanodollars, or null without a price. */
type CostOf = (usage: TokenUsage, about: PricedAnswer) => number | null;

/** One bit for each fact about an answer that reports do not sum. */
const MARKS = { isSidechain: 1, hasSpeed: 2, isPrompt: 4, isCompacted: 8 };

const COLUMNS = [
  ...["message", "request", "at", "started_at", "quarter", "session"],
  ...["agent", "project", "model", "input", "cache_read", "cache_write_5m"],
  ...["cache_write_1h", "output", "terms", "web_searches", "marks", "file"],
  "cost_nano",
] as const;

/** An answer that went through tc stays one. */
const PUT = `INSERT INTO answers (${COLUMNS.join(", ")})
VALUES (${COLUMNS.map(() => "?").join(", ")})
ON CONFLICT (message, request) DO UPDATE SET ${
  COLUMNS.slice(2).map((name) => `${name} = excluded.${name}`).join(", ")
}`;

const PUT_FILE = `
INSERT INTO files (path, size, written_at, inode, known_bytes)
VALUES (?, ?, ?, ?, ?) ON CONFLICT (path) DO UPDATE SET
  size = excluded.size, written_at = excluded.written_at,
  inode = excluded.inode, known_bytes = excluded.known_bytes
RETURNING id`;

const OF_MESSAGES = `
SELECT answers.*, files.path AS path FROM answers
LEFT JOIN files ON files.id = file
WHERE message IN (SELECT value FROM json_each(?))`;

const IN_QUARTERS = "quarter IN (SELECT value FROM json_each(?))";

const ADD_UP = `
INSERT INTO sums
SELECT quarter, session, project, model, count(*), sum(input), sum(cache_read),
  sum(cache_write_5m), sum(cache_write_1h), sum(output),
  coalesce(sum(cost_nano), 0), sum(cost_nano IS NULL),
  sum(cache_write_5m + cache_write_1h > cache_read),
  min(started_at), max(at)
FROM answers WHERE is_through_tc = 0 AND ${IN_QUARTERS}
GROUP BY quarter, session, project, model`;

/** Most messages that are remembered; beyond it all are looked up. */
const WRITTEN_MAX = 100_000;

export class HistoryStore {
  readonly #database: DatabaseSync;
  readonly #costOf: CostOf;
  readonly #put: StatementSync;
  readonly #putFileRow: StatementSync;
  /** The messages written by this run; null if there were others before. */
  #written: Set<string> | null;
  readonly #names = new Map<string, number>();
  readonly #files = new Map<string, number>();

  constructor(database: DatabaseSync, costOf: CostOf) {
    this.#database = database;
    this.#costOf = costOf;
    this.#put = database.prepare(PUT);
    this.#putFileRow = database.prepare(PUT_FILE);
    const isEmpty = database.prepare("SELECT 1 FROM answers LIMIT 1")
      .get() === undefined;
    this.#written = isEmpty ? new Set() : null;
  }

  /** Returns how far each transcript was read. */
  files(): ReadonlyMap<string, KnownFile> {
    const rows = this.#database.prepare("SELECT * FROM files").all();
    return new Map(rows.map((row) => {
      const path = String(row["path"]);
      this.#files.set(path, Number(row["id"]));
      return [path, {
        path,
        size: Number(row["size"]),
        writtenAt: Number(row["written_at"]),
        inode: Number(row["inode"]),
        knownBytes: Number(row["known_bytes"]),
      }];
    }));
  }

  /**
   * Writes answers and how far the files that have them were read: all of it or
   * nothing. Returns the quarters of an hour that changed.
   */
  write(
    answers: TranscriptAnswers,
    files: readonly KnownFile[],
  ): ReadonlySet<number> {
    try {
      return transaction(this.#database, () => {
        for (const file of files) this.#putFile(file);
        const changed = this.#merge(answers);
        addUp(this.#database, changed);
        return changed;
      });
    } catch (cause) {
      // What is remembered may have been rolled back.
      this.#names.clear();
      this.#files.clear();
      this.#written = null;
      throw cause;
    }
  }

  /** Notes that the transcripts were looked at, and whether all was read. */
  looked(at: number, isWhole: boolean): void {
    this.#database.prepare(
      "INSERT OR REPLACE INTO looks (id, at, is_whole) VALUES (0, ?, ?)",
    ).run(at, Number(isWhole));
  }

  #putFile(file: KnownFile): void {
    const { path, size, writtenAt, inode, knownBytes } = file;
    const row = this.#putFileRow.get(path, size, writtenAt, inode, knownBytes);
    this.#files.set(path, Number(row?.["id"]));
  }

  /** Adds what is new to what is known, and returns the quarters that changed. */
  #merge(answers: TranscriptAnswers): ReadonlySet<number> {
    const known = this.#known(answers.messages());
    const changed = new Set<number>();
    const remove = this.#database.prepare(
      "DELETE FROM answers WHERE message = ? AND request = ?",
    );
    // Sorted as the table is, so that each of its pages is written once.
    for (const message of answers.messages().toSorted()) {
      const before = known.get(message);
      if (before === undefined) {
        for (const one of answers.of(message)) {
          this.#putAnswer(one);
          changed.add(quarterOf(one));
        }
        continue;
      }
      const merged = new TranscriptAnswers();
      for (const one of before) merged.add(one);
      for (const one of answers.of(message)) merged.add(one);
      const after = merged.of(message);
      for (const one of before) {
        if (after.includes(one)) continue;
        changed.add(quarterOf(one));
        const isReplaced = after.some(({ requestId }) =>
          requestId === one.requestId
        );
        if (!isReplaced) remove.run(one.messageId, one.requestId);
      }
      for (const one of after) {
        if (before.includes(one)) continue;
        this.#putAnswer(one);
        changed.add(quarterOf(one));
      }
    }
    return changed;
  }

  #known(
    messages: readonly string[],
  ): ReadonlyMap<string, readonly TranscriptAnswer[]> {
    // In a store that was empty, only what this run wrote can be known.
    const written = this.#written;
    const asked = written === null
      ? messages
      : messages.filter((message) => written.has(message));
    for (const message of messages) written?.add(message);
    if ((written?.size ?? 0) > WRITTEN_MAX) this.#written = null;
    if (asked.length === 0) return new Map();
    const names = readNames(this.#database);
    const rows = this.#database.prepare(OF_MESSAGES)
      .all(JSON.stringify(asked));
    return Map.groupBy(
      rows.map((row) => answerOf(row, names)),
      ({ messageId }) => messageId,
    );
  }

  #putAnswer(answer: TranscriptAnswer): void {
    const { usage, model, at, terms } = answer;
    this.#put.run(
      answer.messageId,
      answer.requestId,
      at,
      answer.startedAt,
      quarterOf(answer),
      this.#name(answer.session),
      this.#name(answer.agent),
      this.#name(answer.project),
      this.#name(model),
      usage.input,
      usage.cacheRead,
      usage.cacheWrite5m,
      usage.cacheWrite1h,
      usage.output,
      termsNumber(terms),
      terms.webSearches,
      marksOf(answer),
      this.#files.get(answer.path) ?? 0,
      this.#costOf(usage, { model, at, terms }),
    );
  }

  #name(text: string | null): number {
    if (text === null) return 0;
    const known = this.#names.get(text);
    if (known !== undefined) return known;
    this.#database.prepare("INSERT OR IGNORE INTO names (text) VALUES (?)")
      .run(text);
    const row = this.#database.prepare("SELECT id FROM names WHERE text = ?")
      .get(text);
    const id = Number(row?.["id"]);
    this.#names.set(text, id);
    return id;
  }
}

/** Makes the sums of these quarters anew. */
export function addUp(
  database: DatabaseSync,
  quarters: ReadonlySet<number>,
): void {
  if (quarters.size === 0) return;
  const list = JSON.stringify([...quarters]);
  database.prepare(`DELETE FROM sums WHERE ${IN_QUARTERS}`).run(list);
  database.prepare(ADD_UP).run(list);
}

function quarterOf({ at }: TranscriptAnswer): number {
  return Math.floor(at / QUARTER_MS);
}

function marksOf(answer: TranscriptAnswer): number {
  return (answer.isSidechain ? MARKS.isSidechain : 0) +
    (answer.hasSpeed ? MARKS.hasSpeed : 0) +
    (answer.isPrompt ? MARKS.isPrompt : 0) +
    (answer.isCompacted ? MARKS.isCompacted : 0);
}

type Row = Readonly<Record<string, unknown>>;

/** Returns the texts of the database by their number. */
export function readNames(database: DatabaseSync): ReadonlyMap<number, string> {
  const rows = database.prepare("SELECT id, text FROM names").all();
  return new Map(rows.map((row) => [Number(row["id"]), String(row["text"])]));
}

/** Returns the answer of a row of `answers`. */
export function answerOf(
  row: Row,
  names: ReadonlyMap<number, string>,
): TranscriptAnswer {
  const count = (name: string) => Number(row[name] ?? 0);
  const name = (key: string) => names.get(count(key)) ?? null;
  const marks = count("marks");
  const terms = count("terms");
  const webSearches = count("web_searches");
  return {
    messageId: String(row["message"]),
    requestId: String(row["request"]),
    at: count("at"),
    startedAt: count("started_at"),
    session: name("session") ?? "",
    agent: name("agent"),
    project: name("project"),
    model: name("model"),
    usage: {
      input: count("input"),
      cacheRead: count("cache_read"),
      cacheWrite5m: count("cache_write_5m"),
      cacheWrite1h: count("cache_write_1h"),
      output: count("output"),
    },
    terms: terms === 0 && webSearches === 0
      ? PLAIN_TERMS
      : termsOf(terms, webSearches),
    isSidechain: (marks & MARKS.isSidechain) > 0,
    hasSpeed: (marks & MARKS.hasSpeed) > 0,
    isPrompt: (marks & MARKS.isPrompt) > 0,
    isCompacted: (marks & MARKS.isCompacted) > 0,
    path: String(row["path"] ?? ""),
  };
}

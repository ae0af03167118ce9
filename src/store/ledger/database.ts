/**
 * The state database: opens SQLite with a write-ahead log, updates its schema,
 * and sets an unusable file aside. It is a cache of knowledge: without it only
 * history is lost.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { EXIT, reasonOf, TcError } from "../../errors.ts";
import { fileError, folderOf } from "../files/file_target.ts";
import { refuseForeignPlace } from "../files/own_files.ts";
import { setMode } from "../files/file_modes.ts";

/**
 * How long to wait for another process that holds the file; longer would stall
 * streams.
 */
const BUSY_MS = 200;
const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

/** Files that SQLite keeps beside the database. */
const COMPANIONS = ["-wal", "-shm"] as const;

type OpenMode = "read_write" | "read_only";

/** Returns the file of a pool's state. */
export function databasePath(stateFolder: string): string {
  return `${stateFolder}/state.db`;
}

/**
 * Opens the database at `path`, and makes it if it may be written; `steps` are
 * its schema, one a version. Throws TcError: `no_state`, `newer_state`, `damaged_state` or a file error.
 */
export function openDatabase(
  path: string,
  mode: OpenMode,
  steps: readonly string[] = MIGRATIONS,
): DatabaseSync {
  refuseForeignPlace(path);
  if (mode === "read_only") return openToRead(path, steps);
  makePrivate(path);
  return opened(path, false, (database) => {
    database.exec(
      "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;" +
        "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;",
    );
    migrate(database, path, steps);
  });
}

function openToRead(path: string, steps: readonly string[]): DatabaseSync {
  if (!isThere(path)) {
    throw new TcError(
      "There is no history yet: nothing went through tc on this machine",
      {
        code: "no_state",
        source: "user",
        exitCode: EXIT.unavailable,
        hint:
          "tc run   makes some; a demo keeps its own and removes it at its end",
      },
    );
  }
  const database = opened(path, true, (one) => {
    refuseNewer(versionOf(one), path, steps);
  });
  if (versionOf(database) === steps.length) return database;
  // Reports read the newest schema; an older tc may have written this one.
  database.close();
  openDatabase(path, "read_write", steps).close();
  return opened(path, true, () => {});
}

function opened(
  path: string,
  readOnly: boolean,
  prepare: (database: DatabaseSync) => void,
): DatabaseSync {
  let database: DatabaseSync | null = null;
  try {
    database = new DatabaseSync(path, { readOnly, timeout: BUSY_MS });
    prepare(database);
    return database;
  } catch (cause) {
    database?.close();
    throw databaseError(path, cause);
  }
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** SQLite gives its companion files the mode of the database. */
function makePrivate(path: string): void {
  try {
    Deno.mkdirSync(folderOf(path), { recursive: true, mode: PRIVATE_FOLDER });
    const file = Deno.openSync(path, {
      read: true,
      write: true,
      create: true,
      mode: PRIVATE_FILE,
    });
    file.close();
    setMode(path, PRIVATE_FILE);
  } catch (cause) {
    throw fileError(`open ${path}`, cause);
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(
    database.prepare("PRAGMA user_version").get()?.["user_version"],
  );
}

function refuseNewer(
  version: number,
  path: string,
  steps: readonly string[],
): void {
  if (version <= steps.length) return;
  throw new TcError(
    `Cannot use ${path}: a newer tc wrote it (schema ${version}, this one knows ${steps.length})`,
    {
      code: "newer_state",
      source: "user",
      exitCode: EXIT.badData,
      hint:
        "Use the newer tc, or move the file away: it holds history and no secret",
    },
  );
}

function migrate(
  database: DatabaseSync,
  path: string,
  steps: readonly string[],
): void {
  refuseNewer(versionOf(database), path, steps);
  if (versionOf(database) === steps.length) return;
  transaction(database, () => {
    // Another process may have done it between the check and the lock.
    const version = versionOf(database);
    refuseNewer(version, path, steps);
    steps.slice(version).forEach((step) => database.exec(step));
    database.exec(`PRAGMA user_version = ${steps.length}`);
  });
}

/** Does all of `work` or none of it. */
export function transaction<Result>(
  database: DatabaseSync,
  work: () => Result,
): Result {
  database.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    database.exec("COMMIT");
    return result;
  } catch (cause) {
    rollBack(database);
    throw cause;
  }
}

function rollBack(database: DatabaseSync): void {
  try {
    database.exec("ROLLBACK");
  } catch {
    // SQLite has rolled back by itself; the first error tells why.
  }
}

const DAMAGED =
  /not a database|disk image is malformed|no such (table|column)|already exists/i;
const BUSY = /database (table )?is locked/i;
const FULL = /disk is full/i;
const REFUSED = /cannot store \w+ value|constraint failed/i;

/** Returns whether the error is temporary: another process was writing. */
export function isBusy(cause: unknown): boolean {
  return cause instanceof TcError
    ? cause.code === "state_busy"
    : cause instanceof Error && BUSY.test(cause.message);
}

/**
 * Returns whether a value cannot be stored while the rest of the transaction
 * can.
 */
export function isRefused(cause: unknown): boolean {
  return cause instanceof Error && REFUSED.test(cause.message);
}

/** Returns SQLite's message as an error that a person can read. */
export function databaseError(path: string, cause: unknown): TcError {
  if (cause instanceof TcError) return cause;
  const message = reasonOf(cause);
  const [code, reason] = DAMAGED.test(message)
    ? ["damaged_state", `it is damaged (${message})`]
    : BUSY.test(message)
    ? ["state_busy", "another process is writing to it"]
    : FULL.test(message)
    ? ["disk_full", "the disk is full"]
    : ["state_failed", message];
  return new TcError(`Cannot use ${path}: ${reason}`, {
    code,
    exitCode: EXIT.cannotWrite,
    hint: "It holds history and no secret; serving goes on without it",
    cause,
  });
}

/**
 * Renames a damaged database and its companions, so that a new one can begin.
 * Returns the new name of the file, or null if it could not be moved.
 */
export function setAside(path: string, stamp: string): string | null {
  const aside = `${path}.damaged-${stamp}`;
  try {
    Deno.renameSync(path, aside);
  } catch {
    return null;
  }
  for (const companion of COMPANIONS) {
    try {
      Deno.renameSync(path + companion, aside + companion);
    } catch {
      // There was none.
    }
  }
  return aside;
}

// The schema of the state database, one step per version. A step that has
// shipped never changes; new ones are added at the end.

/** A request's texts repeat, so each is stored once, in `names`. */
const NAMES = `
CREATE TABLE names (
  id INTEGER PRIMARY KEY,
  text TEXT NOT NULL UNIQUE,
  seen_at INTEGER NOT NULL
) STRICT;
`;

/**
 * One row per finished request. Times are in milliseconds, money in
 * nanodollars. There is no index on `id`: ids are random, and each row would
 * dirty its own page.
 */
const REQUESTS = `
CREATE TABLE requests (
  sequence INTEGER PRIMARY KEY,
  id TEXT NOT NULL,
  started_at INTEGER NOT NULL,
  ended_at INTEGER NOT NULL,
  method INTEGER NOT NULL,
  path INTEGER NOT NULL,
  session INTEGER,
  agent INTEGER,
  conversation INTEGER,
  model_asked INTEGER,
  model_answered INTEGER,
  is_stream INTEGER NOT NULL,
  is_prompt INTEGER NOT NULL,
  is_side INTEGER NOT NULL,
  is_compaction INTEGER NOT NULL,
  is_compacted INTEGER NOT NULL,
  account INTEGER,
  reason INTEGER NOT NULL,
  moved_from INTEGER,
  policy INTEGER NOT NULL,
  attempts TEXT,
  status INTEGER NOT NULL,
  waited_ms INTEGER NOT NULL,
  first_byte_ms INTEGER,
  duration_ms INTEGER NOT NULL,
  input INTEGER,
  cache_read INTEGER,
  cache_write_5m INTEGER,
  cache_write_1h INTEGER,
  output INTEGER,
  stop_reason INTEGER,
  ended INTEGER NOT NULL,
  error_type INTEGER,
  cost_nano INTEGER,
  spent_5h REAL,
  resets_5h INTEGER,
  spent_7d REAL,
  resets_7d INTEGER
) STRICT;
CREATE INDEX requests_by_end ON requests (ended_at);
`;

/**
 * The sums behind reports: one row per quarter of an hour, session, account and
 * model; 0 stands for none. In every time zone, a day begins on a quarter.
 */
const QUARTERS = `
CREATE TABLE quarters (
  quarter INTEGER NOT NULL,
  session INTEGER NOT NULL,
  account INTEGER NOT NULL,
  model INTEGER NOT NULL,
  requests INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  input INTEGER NOT NULL,
  cache_read INTEGER NOT NULL,
  cache_write_5m INTEGER NOT NULL,
  cache_write_1h INTEGER NOT NULL,
  output INTEGER NOT NULL,
  cost_nano INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  cold_rebuilds INTEGER NOT NULL,
  switches INTEGER NOT NULL,
  switch_rebuild INTEGER NOT NULL,
  waited_ms INTEGER NOT NULL,
  PRIMARY KEY (quarter, session, account, model)
) STRICT, WITHOUT ROWID;
`;

/** What survives a restart, as JSON under a name. */
const MEMORIES = `
CREATE TABLE memories (
  name TEXT PRIMARY KEY,
  writer TEXT NOT NULL,
  saved_at INTEGER NOT NULL,
  value TEXT NOT NULL
) STRICT;
`;

/** The issue that a session worked on, by the fleet's own files. */
const SESSION_ISSUES = `
CREATE TABLE session_issues (
  session TEXT PRIMARY KEY,
  issue TEXT NOT NULL,
  seen_at INTEGER NOT NULL
) STRICT;
`;

/** What was really paid, and what changes the price of a response. */
const PAID = `
ALTER TABLE requests ADD COLUMN is_paid INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN terms INTEGER NOT NULL DEFAULT 0;
ALTER TABLE requests ADD COLUMN web_searches INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarters ADD COLUMN paid_nano INTEGER NOT NULL DEFAULT 0;
`;

/**
 * The provider's id of a request, by which transcripts name it, and the true
 * first and last time of a sum; 0 where an older tc wrote it.
 */
const PROVIDER_IDS = `
ALTER TABLE requests ADD COLUMN provider_id TEXT;
ALTER TABLE quarters ADD COLUMN first_at INTEGER NOT NULL DEFAULT 0;
ALTER TABLE quarters ADD COLUMN last_at INTEGER NOT NULL DEFAULT 0;
`;

/**
 * Adds the repository of a request, and the machine of a shared pool that served
 * it. A sum without a repository has 0 there, and one of this machine has 0 as
 * its machine. Both belong to the key of a sum, and SQLite changes a key only by
 * a new table. A table beside them notes how far the rows of each machine were
 * exchanged.
 */
const PROJECTS_AND_MACHINES = `
ALTER TABLE requests ADD COLUMN project INTEGER;
ALTER TABLE requests ADD COLUMN machine INTEGER;
CREATE TABLE exchanged (
  machine TEXT PRIMARY KEY,
  sequence INTEGER NOT NULL,
  base INTEGER NOT NULL
) STRICT;
ALTER TABLE quarters RENAME TO quarters_before;
CREATE TABLE quarters (
  quarter INTEGER NOT NULL,
  session INTEGER NOT NULL,
  account INTEGER NOT NULL,
  model INTEGER NOT NULL,
  project INTEGER NOT NULL DEFAULT 0,
  machine INTEGER NOT NULL DEFAULT 0,
  requests INTEGER NOT NULL,
  failed INTEGER NOT NULL,
  input INTEGER NOT NULL,
  cache_read INTEGER NOT NULL,
  cache_write_5m INTEGER NOT NULL,
  cache_write_1h INTEGER NOT NULL,
  output INTEGER NOT NULL,
  cost_nano INTEGER NOT NULL,
  unpriced INTEGER NOT NULL,
  cold_rebuilds INTEGER NOT NULL,
  switches INTEGER NOT NULL,
  switch_rebuild INTEGER NOT NULL,
  waited_ms INTEGER NOT NULL,
  paid_nano INTEGER NOT NULL DEFAULT 0,
  first_at INTEGER NOT NULL DEFAULT 0,
  last_at INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (quarter, session, account, model, project, machine)
) STRICT, WITHOUT ROWID;
INSERT INTO quarters (quarter, session, account, model, requests, failed,
  input, cache_read, cache_write_5m, cache_write_1h, output, cost_nano,
  unpriced, cold_rebuilds, switches, switch_rebuild, waited_ms, paid_nano,
  first_at, last_at)
SELECT quarter, session, account, model, requests, failed,
  input, cache_read, cache_write_5m, cache_write_1h, output, cost_nano,
  unpriced, cold_rebuilds, switches, switch_rebuild, waited_ms, paid_nano,
  first_at, last_at FROM quarters_before;
DROP TABLE quarters_before;
`;

/**
 * How full the windows were, in steps of five minutes; what the requests of the
 * last two months say of it is taken over. The index finds changes of account
 * among a million requests.
 */
const WINDOW_HISTORY = `
CREATE TABLE window_history (
  account TEXT NOT NULL,
  window TEXT NOT NULL,
  step INTEGER NOT NULL,
  utilization REAL NOT NULL,
  resets_at INTEGER,
  PRIMARY KEY (account, window, step)
) STRICT, WITHOUT ROWID;
CREATE INDEX window_history_by_step ON window_history (step);
CREATE INDEX requests_moved ON requests (ended_at)
  WHERE moved_from IS NOT NULL OR attempts IS NOT NULL;
INSERT INTO window_history
SELECT names.text, '5h', ended_at / 300000, max(spent_5h), resets_5h
  FROM requests JOIN names ON names.id = requests.account
  WHERE spent_5h IS NOT NULL
    AND ended_at >= (SELECT max(ended_at) FROM requests) - 5184000000
  GROUP BY account, ended_at / 300000;
INSERT INTO window_history
SELECT names.text, '7d', ended_at / 300000, max(spent_7d), resets_7d
  FROM requests JOIN names ON names.id = requests.account
  WHERE spent_7d IS NOT NULL
    AND ended_at >= (SELECT max(ended_at) FROM requests) - 5184000000
  GROUP BY account, ended_at / 300000;
`;

export const MIGRATIONS: readonly string[] = [
  NAMES + REQUESTS + QUARTERS + MEMORIES + SESSION_ISSUES,
  PAID,
  PROVIDER_IDS,
  PROJECTS_AND_MACHINES,
  WINDOW_HISTORY,
];

/**
 * The state database: opens SQLite with a write-ahead log, brings its schema up
 * to date, and sets a file aside that cannot be used. It is a cache of
 * knowledge: without it history is lost and nothing else.
 *
 * @module
 */

import { DatabaseSync } from "node:sqlite";
import { EXIT, reasonOf, TcError } from "../../errors.ts";
import { folderOf } from "../files/file_target.ts";
import { fileError } from "../files/file_error.ts";
import { refuseForeignPlace } from "../files/own_files.ts";
import { MIGRATIONS } from "./migrations.ts";

/** Another process holds the file for moments; a long wait would stop streams. */
const BUSY_MS = 200;
const PRIVATE_FILE = 0o600;
const PRIVATE_FOLDER = 0o700;

/** Files that SQLite keeps beside the database. */
const COMPANIONS = ["-wal", "-shm"] as const;

export type OpenMode = "read_write" | "read_only";

/** The file of a pool's state. */
export function databasePath(stateFolder: string): string {
  return `${stateFolder}/state.db`;
}

/**
 * Opens the database at `path`; makes it where it may be written. Throws
 * TcError: `no_state`, `newer_state`, `damaged_state` or a file error.
 */
export function openDatabase(path: string, mode: OpenMode): DatabaseSync {
  refuseForeignPlace(path);
  if (mode === "read_only") return openToRead(path);
  makePrivate(path);
  return opened(path, false, (database) => {
    database.exec(
      "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;" +
        "PRAGMA synchronous = NORMAL; PRAGMA foreign_keys = ON;",
    );
    migrate(database, path);
  });
}

function openToRead(path: string): DatabaseSync {
  if (!isThere(path)) {
    throw new TcError(`Cannot read ${path}: there is no history yet`, {
      code: "no_state",
      source: "user",
      exitCode: EXIT.unavailable,
      hint: "tc run   makes some",
    });
  }
  return opened(path, true, (database) => {
    refuseNewer(versionOf(database), path);
  });
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
    if (Deno.build.os !== "windows") Deno.chmodSync(path, PRIVATE_FILE);
  } catch (cause) {
    throw fileError(`open ${path}`, cause);
  }
}

function versionOf(database: DatabaseSync): number {
  return Number(
    database.prepare("PRAGMA user_version").get()?.["user_version"],
  );
}

function refuseNewer(version: number, path: string): void {
  if (version <= MIGRATIONS.length) return;
  throw new TcError(
    `Cannot use ${path}: a newer tc wrote it (schema ${version}, this one knows ${MIGRATIONS.length})`,
    {
      code: "newer_state",
      source: "user",
      exitCode: EXIT.badData,
      hint:
        "Use the newer tc, or move the file away: it holds history and no secret",
    },
  );
}

function migrate(database: DatabaseSync, path: string): void {
  refuseNewer(versionOf(database), path);
  if (versionOf(database) === MIGRATIONS.length) return;
  transaction(database, () => {
    // Another process may have done it between the look and the lock.
    const version = versionOf(database);
    refuseNewer(version, path);
    MIGRATIONS.slice(version).forEach((step) => database.exec(step));
    database.exec(`PRAGMA user_version = ${MIGRATIONS.length}`);
  });
}

/** Does all of `work` or nothing of it. */
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

/** Whether the error passes by itself: another process was writing. */
export function isBusy(cause: unknown): boolean {
  return cause instanceof TcError
    ? cause.code === "state_busy"
    : cause instanceof Error && BUSY.test(cause.message);
}

/** Whether a value cannot be stored; the rest of the transaction can. */
export function isRefused(cause: unknown): boolean {
  return cause instanceof Error && REFUSED.test(cause.message);
}

/** What SQLite said, as an error that a person can read. */
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
 * The new name of the file, or null when it could not be moved.
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

/**
 * The config file: read with comments, and changed by one operation at a time
 * on what the file holds at that moment, never by writing back an old copy.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import { ConfigError, TcError } from "../errors.ts";
import { readIfThere, type StepObserver, writeAtomic } from "./files/atomic.ts";
import { fileError, folderOf, resolveTarget } from "./files/file_target.ts";
import { JsoncError, parseJsonc, toValue } from "./files/jsonc.ts";
import { changeJsonc } from "./files/jsonc_edit.ts";
import { refuseForeign } from "./files/own_files.ts";
import { FileLocks, type LockPorts } from "./files/lock.ts";

export type ConfigDocument = Readonly<Record<string, unknown>>;

/**
 * A change of the config; returns the document itself if nothing is to change.
 */
export type ConfigEdit = (document: ConfigDocument) => ConfigDocument;

export interface EditPorts extends LockPorts {
  readonly onStep?: StepObserver | undefined;
}

const LOCK_WAIT_MS = 10_000;
/** How often tc gives way to a program that edits at the same moment. */
const TRIES_MAX = 20;
export const CONFIG_BYTES_MAX = 4 * 1024 * 1024;

/** Returns the document in `text`. Throws ConfigError with line and column. */
export function parseConfig(text: string, file: string): ConfigDocument {
  if (text.trim() === "") return {};
  let value: unknown = null;
  try {
    value = toValue(parseJsonc(text));
  } catch (error) {
    if (!(error instanceof JsoncError)) throw error;
    throw new ConfigError(`Cannot read ${file}: ${error.message}`, {
      file,
      hint: "Correct the line; nothing was changed",
    });
  }
  if (isDocument(value)) return value;
  throw new ConfigError(`Cannot read ${file}: it is not a JSON object`, {
    file,
  });
}

/**
 * Returns the config in the file at `path`, or null if there is no such file.
 */
export async function readConfig(path: string): Promise<ConfigDocument | null> {
  const text = await readText(path);
  return text === null ? null : parseConfig(text, path);
}

/**
 * Changes the config at `path` under its lock, and makes the file if it is
 * missing. Whatever another program writes meanwhile is read again and kept.
 * Comments, order and unknown keys stay. Returns the document as it then is.
 */
export async function editConfig(
  path: string,
  edit: ConfigEdit,
  ports: EditPorts,
): Promise<ConfigDocument> {
  const target = await resolveTarget(path);
  const folder = folderOf(target);
  try {
    await Deno.mkdir(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fileError(`make ${folder}`, error);
  }
  // The owner of the folder could redirect the write.
  refuseForeign(folder);
  refuseForeign(target);
  const name = target.slice(folder.length).replace(/^[/\\]/, "");
  const locks = new FileLocks(folder, ports);
  using _lock = await locks.acquire(name, { waitMs: LOCK_WAIT_MS });
  for (let tries = 1; tries <= TRIES_MAX; tries++) {
    const text = await readText(target);
    const before = text === null ? {} : parseConfig(text, path);
    const after = edit(before);
    if (isDeepStrictEqual(before, after)) return before;
    const bytes = new TextEncoder().encode(spell(text, after));
    const isWritten = await writeAtomic(target, bytes, {
      onStep: ports.onStep,
      confirm: () => readNow(target) === text,
    });
    if (isWritten) return after;
  }
  throw new TcError(`Cannot change ${path}: it is being written all the time`, {
    code: "config_busy",
  });
}

function spell(text: string | null, after: ConfigDocument): string {
  const isEmpty = text === null || text.trim() === "";
  return isEmpty
    ? `${JSON.stringify(after, null, 2)}\n`
    : changeJsonc(text, after);
}

async function readText(path: string): Promise<string | null> {
  let bytes: Uint8Array | null = null;
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile || size > CONFIG_BYTES_MAX) {
      const reason = isFile ? "it is too large" : "it is not a regular file";
      throw new ConfigError(`Cannot read ${path}: ${reason}`, { file: path });
    }
    bytes = await readIfThere(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw fileError(`read ${path}`, error);
  }
  return bytes === null ? null : decode(bytes, path);
}

/**
 * Like {@linkcode readText}, without a pause in which the file could change.
 */
function readNow(path: string): string | null {
  try {
    return decode(Deno.readFileSync(path), path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

function decode(bytes: Uint8Array, path: string): string {
  try {
    // The byte order mark is part of the text and stays in place.
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true })
      .decode(bytes);
  } catch {
    throw new ConfigError(`Cannot read ${path}: it is not UTF-8 text`, {
      file: path,
    });
  }
}

function isDocument(value: unknown): value is ConfigDocument {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

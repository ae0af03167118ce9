/**
 * Finds and opens what can be imported: the stores of Claude Code and the
 * files of other pool tools, each in its usual place or where a person says.
 *
 * @module
 */

import { join } from "node:path";
import {
  claudeCandidate,
  type ImportCandidate,
  type ImportReading,
  readImport,
} from "../auth/import_source.ts";
import {
  type ClaudeStore,
  type ClaudeStorePorts,
  claudeStores,
  readClaudeStore,
  storeText,
} from "../claude/credential_store.ts";
import { EXIT, TcError, UsageError } from "../errors.ts";
import {
  isClaudePoolSealed,
  openClaudePool,
} from "../store/claude_pool_file.ts";
import { parseConfig } from "../store/config_file.ts";
import type { Environment } from "./paths.ts";

export interface ImportPlaces {
  readonly environment: Environment;
  readonly system: string;
  readonly claude: ClaudeStorePorts;
  /** What binds claude-pool's store; null id where the machine has none. */
  readonly machine: () => Promise<
    { readonly machineId: string | null; readonly userName: string }
  >;
}

const FILE_BYTES_MAX = 16 * 1024 * 1024;
const POOL_FILES = [
  "teamclaude.json",
  "maxpool.json",
  "nextclaude.json",
  join("claude-pool", "pool.json"),
];

/** Everything in the usual places; what is not there is left out. */
export async function usualImports(
  places: ImportPlaces,
): Promise<readonly ImportReading[]> {
  const { environment, system } = places;
  const readings: ImportReading[] = [];
  for (const store of claudeStores(environment, system)) {
    const reading = await fromClaudeStore(store, places.claude);
    if (reading !== null) readings.push(reading);
  }
  const home = environment["HOME"] ?? environment["USERPROFILE"] ?? "";
  const config = environment["XDG_CONFIG_HOME"] || join(home, ".config");
  for (const name of POOL_FILES) {
    const path = join(config, name);
    if (!await isFile(path)) continue;
    readings.push(await importOf(path, places));
  }
  return readings;
}

/** What `path` holds: a file of any of the tools, or Claude Code's folder. */
export async function importOf(
  path: string,
  places: ImportPlaces,
): Promise<ImportReading> {
  const file = await isFolder(path) ? join(path, ".credentials.json") : path;
  const reading = readImport(await documentOf(file, places), file);
  if (reading === null) {
    throw new UsageError(
      `Cannot import ${path}: it is none of the formats that tc knows`,
      "Known: Claude Code, teamclaude, maxpool, nextclaude, claude-pool",
    );
  }
  return await followed(reading, places);
}

/** Rows that name another file get the login that stands there. */
async function followed(
  reading: ImportReading,
  places: ImportPlaces,
): Promise<ImportReading> {
  const candidates: ImportCandidate[] = [...reading.candidates];
  const skipped = [...reading.skipped];
  for (const { name, path, settings } of reading.elsewhere) {
    const file = path.replace(/^~(?=\/)/, places.environment["HOME"] ?? "~");
    const store: ClaudeStore = { kind: "file", path: file };
    const found = await fromClaudeStore(store, places.claude);
    const [candidate] = found?.candidates ?? [];
    if (candidate !== undefined) {
      candidates.push({ ...candidate, name, settings });
    } else {
      skipped.push({
        name: name ?? file,
        reason: `there is no login in ${file}`,
      });
    }
  }
  return { ...reading, candidates, skipped, elsewhere: [] };
}

async function fromClaudeStore(
  store: ClaudeStore,
  ports: ClaudeStorePorts,
): Promise<ImportReading | null> {
  const reading = await readClaudeStore(store, ports);
  const location = storeText(store);
  const base = { tool: "claude_code", location, elsewhere: [] } as const;
  switch (reading.kind) {
    case "absent":
      return null;
    case "blank":
      return {
        ...base,
        candidates: [],
        skipped: [{ name: "Claude Code", reason: "its login is blank" }],
      };
    case "unreadable":
      return {
        ...base,
        candidates: [],
        skipped: [{ name: "Claude Code", reason: reading.reason }],
      };
    case "found":
      return {
        ...base,
        skipped: [],
        candidates: [claudeCandidate(reading.login, location)],
      };
  }
}

async function documentOf(
  path: string,
  { machine }: ImportPlaces,
): Promise<unknown> {
  const bytes = await readBytes(path);
  const text = isClaudePoolSealed(bytes)
    ? await openClaudePool(bytes, await machine())
    : new TextDecoder().decode(bytes);
  return parseConfig(text, path);
}

async function readBytes(path: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    const { size } = await Deno.stat(path);
    if (size > FILE_BYTES_MAX) throw new RangeError("it is too large");
    return await Deno.readFile(path);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound
      ? "there is no such file"
      : cause instanceof Error
      ? cause.message
      : "unknown reason";
    throw new TcError(`Cannot import ${path}: ${reason}`, {
      code: "import_unreadable",
      source: "user",
      exitCode: EXIT.badData,
      cause,
    });
  }
}

async function isFile(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isFile, () => false);
}

async function isFolder(path: string): Promise<boolean> {
  return await Deno.stat(path).then((info) => info.isDirectory, () => false);
}

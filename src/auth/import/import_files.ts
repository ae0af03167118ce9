/**
 * Finds and opens what can be imported: Claude Code's stores and the files of
 * other pool tools, in their usual places or at a given path.
 *
 * @module
 */

import { dirname, join } from "node:path";
import {
  claudeCandidate,
  readImport,
  tokenCandidate,
  unreadable,
} from "./import_source.ts";
import type { ImportCandidate, ImportReading } from "./import_rows.ts";
import {
  type ClaudeFolder,
  claudeFolder,
  folderAt,
  type FolderFacts,
} from "../../claude/claude_folder.ts";
import { asObject, asText, readJson } from "../../claude/claude_file.ts";
import { ClaudeLoginStore } from "../../claude/login/login_store.ts";
import {
  EXIT,
  reasonOf,
  TcError,
  UsageError,
  VaultError,
} from "../../errors.ts";
import type { CommandRunner } from "../../ports.ts";
import { parseConfig } from "../../store/config_file.ts";
import { ForeignTexts } from "../../store/files/foreign_text.ts";
import { systemClock } from "../../system/clock.ts";
import type { MachineFacts } from "../../store/vault/vault_cipher.ts";
import { homeIn } from "../../variables.ts";

export interface ImportPlaces {
  /**
   * Environment, system and user, which decide where Claude Code's files are.
   */
  readonly facts: FolderFacts;
  readonly runner: CommandRunner;
  /** What binds claude-pool's store; the id is null if the machine has none. */
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

/** Returns everything in the usual places; absent places are left out. */
export async function usualImports(
  places: ImportPlaces,
): Promise<readonly ImportReading[]> {
  const { environment, system } = places.facts;
  const readings: ImportReading[] = [];
  for (const folder of claudePlaces(places.facts)) {
    const reading = await fromClaude(folder, places);
    if (reading !== null) readings.push(reading);
  }
  const home = homeIn(environment, system) ?? "";
  const config = environment["XDG_CONFIG_HOME"] || join(home, ".config");
  for (const name of POOL_FILES) {
    const path = join(config, name);
    if (!await isFile(path)) continue;
    readings.push(await importOf(path, places));
  }
  return readings;
}

/**
 * Returns what `path` holds: a file of any of the tools, or Claude Code's
 * folder.
 */
export async function importOf(
  path: string,
  places: ImportPlaces,
): Promise<ImportReading> {
  const file = await isFolder(path) ? join(path, ".credentials.json") : path;
  const reading = readImport(await documentOf(file, places), file);
  if (reading === null) {
    throw new UsageError(
      `Cannot import ${path}: tc does not know its format`,
      "Known: Claude Code, teamclaude, maxpool, nextclaude, claude-pool",
    );
  }
  return await followed(reading, places);
}

/** Gives rows that name another file the login in that file. */
async function followed(
  reading: ImportReading,
  places: ImportPlaces,
): Promise<ImportReading> {
  const candidates: ImportCandidate[] = [...reading.candidates];
  const skipped = [...reading.skipped];
  for (const { name, path, settings } of reading.elsewhere) {
    const { environment, system } = places.facts;
    const home = homeIn(environment, system) ?? "~";
    const file = path.replace(/^~(?=\/)/, home);
    const folder = folderAt(dirname(file), places.facts);
    const login = { kind: "file", path: file } as const;
    const found = await fromClaude({ ...folder, login }, places);
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

/**
 * Returns where Claude Code looks for its login; on macOS a file counts as
 * well.
 */
function claudePlaces(facts: FolderFacts): readonly ClaudeFolder[] {
  const folder = claudeFolder(facts);
  if (folder.login.kind === "file") return [folder];
  const path = join(folder.folder, ".credentials.json");
  return [folder, { ...folder, login: { kind: "file", path } }];
}

async function fromClaude(
  folder: ClaudeFolder,
  { runner }: ImportPlaces,
): Promise<ImportReading | null> {
  const store = new ClaudeLoginStore(folder, {
    files: new ForeignTexts(),
    runner,
    clock: systemClock,
  });
  const { location } = store;
  const nothing = {
    tool: "claude_code",
    location,
    candidates: [],
    skipped: [],
    elsewhere: [],
    left: [],
  } as const;
  try {
    const { reading } = await store.read();
    switch (reading.kind) {
      case "absent":
        return null;
      case "unreadable":
        return { ...nothing, skipped: [unreadable(reading.reason)] };
      case "blank":
        return { ...nothing, skipped: [skip("its login is blank")] };
      case "token":
        return { ...nothing, candidates: [tokenCandidate(reading)] };
      case "found": {
        const candidate = claudeCandidate(reading.login, location);
        return {
          ...nothing,
          candidates: [await withNotes(candidate, folder)],
        };
      }
    }
  } catch (cause) {
    if (!(cause instanceof TcError)) throw cause;
    return { ...nothing, skipped: [skip(cause.message)] };
  }
}

/**
 * Adds what `.claude.json` notes about the account. It tells whose login it is
 * if neither the login itself nor the provider does.
 */
async function withNotes(
  candidate: ImportCandidate,
  { identityFile }: ClaudeFolder,
): Promise<ImportCandidate> {
  const noted = asObject(
    asObject(await readJson(identityFile))?.["oauthAccount"],
  );
  const accountUuid = asText(noted?.["accountUuid"]);
  const organizationUuid = asText(noted?.["organizationUuid"]);
  if (accountUuid === null || organizationUuid === null) return candidate;
  return {
    ...candidate,
    identity: candidate.identity ?? { accountUuid, organizationUuid },
    email: candidate.email ?? asText(noted?.["emailAddress"]),
  };
}

function skip(reason: string): { name: string; reason: string } {
  return { name: "Claude Code", reason };
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
    const { size, isFile } = await Deno.stat(path);
    if (!isFile) throw new RangeError("it is not a regular file");
    if (size > FILE_BYTES_MAX) throw new RangeError("it is too large");
    return await Deno.readFile(path);
  } catch (cause) {
    const reason = cause instanceof Deno.errors.NotFound
      ? "there is no such file"
      : reasonOf(cause);
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

// claude-pool's own store on disk: JSON, or the same sealed for its machine and
// user (peers 3, encryption). It is only read.

const MAGIC = new TextEncoder().encode("CPL1");
const NONCE_BYTES = 12;
const TAG_BYTES = 16;
const SALT = "claude-pool/store-salt/v1";
const INFO = "claude-pool-store-v1";

/** The id that claude-pool uses for a machine without one. */
const NO_MACHINE_ID = "claude-pool/no-machine-id";

/** Returns whether `bytes` are a sealed store of claude-pool. */
function isClaudePoolSealed(bytes: Uint8Array): boolean {
  return bytes.length >= MAGIC.length &&
    MAGIC.every((byte, at) => bytes[at] === byte);
}

/**
 * Returns the JSON text in `bytes`. Throws VaultError if it was sealed on
 * another machine.
 */
async function openClaudePool(
  bytes: Uint8Array<ArrayBuffer>,
  machine: { readonly machineId: string | null; readonly userName: string },
): Promise<string> {
  const nonceEnd = MAGIC.length + NONCE_BYTES;
  if (bytes.length < nonceEnd + TAG_BYTES) throw unopened("it is cut short");
  try {
    const text = await crypto.subtle.decrypt(
      { name: "AES-GCM", iv: bytes.subarray(MAGIC.length, nonceEnd) },
      await poolKey({
        machineId: machine.machineId ?? NO_MACHINE_ID,
        userName: machine.userName,
      }),
      bytes.subarray(nonceEnd),
    );
    return new TextDecoder().decode(text);
  } catch {
    throw unopened("it was made by another user or machine, or is damaged");
  }
}

async function poolKey(
  { machineId, userName }: MachineFacts,
): Promise<CryptoKey> {
  const encoder = new TextEncoder();
  const source = await crypto.subtle.importKey(
    "raw",
    encoder.encode(`${machineId}\0${userName}`),
    "HKDF",
    false,
    ["deriveKey"],
  );
  return await crypto.subtle.deriveKey(
    {
      name: "HKDF",
      hash: "SHA-256",
      salt: encoder.encode(SALT),
      info: encoder.encode(INFO),
    },
    source,
    { name: "AES-GCM", length: 256 },
    false,
    ["decrypt"],
  );
}

function unopened(reason: string): VaultError {
  return new VaultError(`Cannot open the store of claude-pool: ${reason}`, {
    code: "pool_sealed",
    source: "user",
    hint: "Run the import as the user and on the machine that made it",
  });
}

/**
 * Where Claude Code keeps its login: a file, or on macOS a keychain item whose
 * name depends on its config folder. Read whole, and written back only as the
 * successor of a token that still stands there.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { dirname, join } from "node:path";
import type { CommandRunner, OAuthCredential, Secret } from "../ports.ts";
import {
  type ClaudeLoginReading,
  readClaudeLogin,
  writeClaudeLogin,
} from "../wire/claude_credential.ts";

type Environment = Readonly<Record<string, string | undefined>>;

/** A file, or an item of the macOS keychain by its service name. */
export type ClaudeStore =
  | { readonly kind: "file"; readonly path: string }
  | { readonly kind: "keychain"; readonly service: string };

export interface ClaudeStorePorts {
  readonly runner: CommandRunner;
  /** The keychain account that Claude Code files its items under. */
  readonly userName: string;
  /** Long where a person can answer the keychain's prompt. */
  readonly timeoutMs: number;
}

export type ClaudeStoreReading =
  | ClaudeLoginReading
  /** It is there and cannot be read; `reason` holds no secret. */
  | { readonly kind: "unreadable"; readonly reason: string };

const SERVICE = "Claude Code-credentials";
const FILE_NAME = ".credentials.json";
const KEYCHAIN_PREFIX = "keychain:";
const FILE_BYTES_MAX = 1024 * 1024;
/** `security -i` cuts a command line at 4,096 bytes. */
const SECURITY_LINE_MAX = 4_000;

/** Claude Code's config folder as it finds it itself. */
export function claudeFolder(environment: Environment): string {
  const home = environment["HOME"] ?? environment["USERPROFILE"] ?? "";
  return environment["CLAUDE_CONFIG_DIR"] || join(home, ".claude");
}

/** Where Claude Code looks for its login on `system`, first place first. */
export function claudeStores(
  environment: Environment,
  system: string,
): readonly ClaudeStore[] {
  const file: ClaudeStore = {
    kind: "file",
    path: join(claudeFolder(environment), FILE_NAME),
  };
  if (system !== "darwin") return [file];
  const folder = environment["CLAUDE_CONFIG_DIR"] || null;
  return [{ kind: "keychain", service: keychainService(folder) }, file];
}

/**
 * The keychain item of a config folder: `Claude Code-credentials`, with eight
 * digits of a hash where the folder is not the usual one (peers 0, storage).
 */
export function keychainService(folder: string | null): string {
  if (folder === null) return SERVICE;
  const normal = folder.normalize("NFC").replace(/(?<=.)\/+$/, "");
  const digest = createHash("sha256").update(normal).digest("hex");
  return `${SERVICE}-${digest.slice(0, 8)}`;
}

/** The store as text, as it stands in a vault entry; and back. */
export function storeText(store: ClaudeStore): string {
  return store.kind === "file"
    ? store.path
    : `${KEYCHAIN_PREFIX}${store.service}`;
}

export function storeFromText(text: string): ClaudeStore {
  return text.startsWith(KEYCHAIN_PREFIX)
    ? { kind: "keychain", service: text.slice(KEYCHAIN_PREFIX.length) }
    : { kind: "file", path: text };
}

/** The login that `store` holds now. Nothing half-written counts. */
export async function readClaudeStore(
  store: ClaudeStore,
  ports: ClaudeStorePorts,
): Promise<ClaudeStoreReading> {
  const found = await readText(store, ports);
  if (found.kind !== "text") return found;
  try {
    return readClaudeLogin(JSON.parse(found.text));
  } catch {
    return { kind: "unreadable", reason: "it is no JSON" };
  }
}

/**
 * Puts `next` in the place of the login whose refresh token is `spent`, and
 * keeps everything else. Resolves to false when another token stands there.
 */
export async function replaceClaudeLogin(
  store: ClaudeStore,
  { spent, next }: {
    readonly spent: Secret;
    readonly next: OAuthCredential;
  },
  ports: ClaudeStorePorts,
): Promise<boolean> {
  const found = await readText(store, ports);
  if (found.kind !== "text") return false;
  const json: unknown = JSON.parse(found.text);
  const reading = readClaudeLogin(json);
  if (reading.kind !== "found") return false;
  const { login } = reading;
  if (!login.credential.refreshToken.equals(spent)) return false;
  const text = JSON.stringify(
    writeClaudeLogin(json, { ...login, credential: next }),
  );
  return store.kind === "file"
    ? await writeFile(store.path, { before: found.text, text })
    : await writeItem(store.service, text, ports);
}

type Text =
  | { readonly kind: "text"; readonly text: string }
  | Extract<ClaudeStoreReading, { kind: "absent" | "unreadable" }>;

function readText(
  store: ClaudeStore,
  ports: ClaudeStorePorts,
): Promise<Text> {
  return store.kind === "file"
    ? readFile(store.path)
    : readItem(store.service, ports);
}

async function readFile(path: string): Promise<Text> {
  try {
    const { isFile, size } = await Deno.stat(path);
    if (!isFile || size > FILE_BYTES_MAX) {
      return { kind: "unreadable", reason: "it is no file of that kind" };
    }
    return { kind: "text", text: await Deno.readTextFile(path) };
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return { kind: "absent" };
    const reason = cause instanceof Error ? cause.name : "unknown reason";
    return { kind: "unreadable", reason };
  }
}

/** Several items can share the service name: only the user's own is meant. */
async function readItem(
  service: string,
  { runner, userName, timeoutMs }: ClaudeStorePorts,
): Promise<Text> {
  const outcome = await runner.run("security", [
    "find-generic-password",
    "-a",
    userName,
    "-s",
    service,
    "-w",
  ], { stdin: "", timeoutMs });
  if (outcome.kind === "missing") return { kind: "absent" };
  if (outcome.kind === "timed_out") {
    return { kind: "unreadable", reason: "the keychain did not answer" };
  }
  if (outcome.code === 44) return { kind: "absent" };
  if (outcome.code !== 0) {
    return { kind: "unreadable", reason: "the keychain is locked or denied" };
  }
  return { kind: "text", text: plain(outcome.stdout.trim()) };
}

/** `security` prints in hex what is not plain ASCII. */
function plain(text: string): string {
  if (!/^(?:[0-9a-f]{2})+$/i.test(text)) return text;
  return new TextDecoder().decode(Uint8Array.fromHex(text));
}

/** Over a temporary file, with the mode of the old one, through a link. */
async function writeFile(
  path: string,
  { before, text }: { readonly before: string; readonly text: string },
): Promise<boolean> {
  const target = await Deno.realPath(path);
  const { mode } = await Deno.stat(target);
  const pending = join(
    dirname(target),
    `${FILE_NAME}.tc-${crypto.randomUUID()}`,
  );
  try {
    await Deno.writeTextFile(pending, text, {
      createNew: true,
      mode: (mode ?? 0o600) & 0o700 | 0o600,
    });
    if (await Deno.readTextFile(target) !== before) {
      await Deno.remove(pending);
      return false;
    }
    await Deno.rename(pending, target);
    return true;
  } catch (cause) {
    await Deno.remove(pending).catch(() => {});
    throw cause;
  }
}

/** The secret goes in by standard input: arguments can be read by others. */
async function writeItem(
  service: string,
  text: string,
  { runner, userName, timeoutMs }: ClaudeStorePorts,
): Promise<boolean> {
  const hex = new TextEncoder().encode(text).toHex();
  const line = `add-generic-password -U -a "${userName}" -s "${service}" ` +
    `-X ${hex}\n`;
  if (line.length > SECURITY_LINE_MAX || /["\\\n]/.test(userName)) return false;
  const outcome = await runner.run("security", ["-i"], {
    stdin: line,
    timeoutMs,
  });
  return outcome.kind === "exited" && outcome.code === 0;
}

/**
 * Claude Code's own files on this machine: the places of its login, its
 * settings, and the account that it shows.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { join } from "node:path";
import { type Environment, homeIn } from "../variables.ts";

/** Where a login is kept. */
export type LoginPlace =
  | { readonly kind: "file"; readonly path: string }
  | {
    readonly kind: "keychain";
    readonly service: string;
    readonly account: string;
  };

export interface ClaudeFolder {
  /** `~/.claude`, or the folder in CLAUDE_CONFIG_DIR. */
  readonly folder: string;
  /** False if CLAUDE_CONFIG_DIR names another folder. */
  readonly isDefault: boolean;
  readonly settingsFile: string;
  /** `.claude.json`: who is logged in, projects, and much more. */
  readonly identityFile: string;
  readonly login: LoginPlace;
}

export interface FolderFacts {
  readonly environment: Environment;
  readonly system: string;
  /** The system's name for the user, for when USER is not set. */
  readonly userName: string | null;
}

const KEYCHAIN_SERVICE = "Claude Code-credentials";
const KEYCHAIN_NAME = /^[a-zA-Z0-9._-]+$/;
const HASH_DIGITS = 8;

/** Returns the files of the Claude Code that `environment` would start. */
export function claudeFolder(facts: FolderFacts): ClaudeFolder {
  const { environment, system } = facts;
  const home = homeIn(environment, system) ?? "";
  const named = environment["CLAUDE_CONFIG_DIR"];
  if (named) return folderAt(named, facts);
  const folder = join(home, ".claude");
  return {
    folder,
    isDefault: true,
    settingsFile: join(folder, "settings.json"),
    identityFile: join(home, ".claude.json"),
    login: loginPlace(folder, null, facts),
  };
}

/**
 * Returns the files of a Claude Code started with CLAUDE_CONFIG_DIR set to
 * `named`.
 */
export function folderAt(named: string, facts: FolderFacts): ClaudeFolder {
  const folder = normalFolder(named);
  return {
    folder,
    isDefault: false,
    settingsFile: join(folder, "settings.json"),
    identityFile: join(folder, ".claude.json"),
    login: loginPlace(folder, named.normalize("NFC"), facts),
  };
}

/**
 * Returns one spelling of a folder, for records that tc itself keeps by folder.
 */
function normalFolder(path: string): string {
  const normal = path.normalize("NFC");
  return normal.length > 1 ? normal.replace(/[/\\]+$/, "") : normal;
}

/**
 * Returns the name of a place as accounts remember it: a path, or a keychain
 * service.
 */
export function locationOf(place: LoginPlace): string {
  return place.kind === "file" ? place.path : place.service;
}

/**
 * Linux, WSL and Windows have a file. macOS has a keychain item whose name ends
 * with a hash of CLAUDE_CONFIG_DIR as it is written, including a trailing slash
 * (claude-code 2.1.329: only `normalize("NFC")`).
 */
function loginPlace(
  folder: string,
  named: string | null,
  { environment, system, userName }: FolderFacts,
): LoginPlace {
  if (system !== "darwin") {
    return { kind: "file", path: join(folder, ".credentials.json") };
  }
  const secure = environment["CLAUDE_SECURESTORAGE_CONFIG_DIR"];
  const hashed = secure === undefined ? named : secure.normalize("NFC");
  const mark = hashed
    ? `-${
      createHash("sha256").update(hashed).digest("hex").slice(0, HASH_DIGITS)
    }`
    : "";
  const name = environment["USER"] || userName || "";
  return {
    kind: "keychain",
    service: KEYCHAIN_SERVICE + mark,
    account: KEYCHAIN_NAME.test(name) ? name : "claude-code-user",
  };
}

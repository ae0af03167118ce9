/**
 * Where tc keeps its files: in XDG folders on every Unix, in the application
 * folders on Windows, or beside a config file that is named.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { dirname, join as joinHere, posix, win32 } from "node:path";
import { EXIT, TcError } from "../errors.ts";
import { type Environment, homeIn } from "../variables.ts";
import { oneSpelling } from "./file_spelling.ts";
import { setHome } from "../shell_words.ts";

export type { Environment };

export interface Paths {
  /** Settings, meant to be edited by hand; no secret. */
  readonly configFile: string;
  /** Vault and local key, 0700. Losing it means logging in again. */
  readonly secretsFolder: string;
  /** History and pool memory; losing it loses nothing else. 0700. */
  readonly stateFolder: string;
  /**
   * The random key of the vault's files, outside the folders that are usually
   * copied with them. Without it they cannot be opened.
   */
  readonly vaultKeyFile: string;
}

/** The variables that {@linkcode pathsFrom} reads. */
export const PATH_VARIABLES = [
  "HOME",
  "XDG_CONFIG_HOME",
  "XDG_STATE_HOME",
  "XDG_DATA_HOME",
  "APPDATA",
  "LOCALAPPDATA",
  "USERPROFILE",
  "TC_CONFIG",
  "TEAMCLAUDE_CONFIG",
] as const;

/**
 * Returns the folders of one pool. A config file named by `TC_CONFIG` (or
 * `TEAMCLAUDE_CONFIG`) is a separate pool, with its own secrets and state.
 */
export function pathsFrom(environment: Environment, system: string): Paths {
  const isWindows = system === "windows";
  const { join, resolve } = isWindows ? win32 : posix;
  const inHome = (variable: string, ...parts: readonly string[]) =>
    absolute(environment[variable], system) ??
      join(homeOf(environment, system), ...parts);
  const config = isWindows
    ? () => inHome("APPDATA", "AppData", "Roaming")
    : () => inHome("XDG_CONFIG_HOME", ".config");
  const state = isWindows
    ? inHome("LOCALAPPDATA", "AppData", "Local")
    : inHome("XDG_STATE_HOME", ".local", "state");
  const data = isWindows
    ? () => inHome("LOCALAPPDATA", "AppData", "Local")
    : () => inHome("XDG_DATA_HOME", ".local", "share");

  const named = environment["TC_CONFIG"] || environment["TEAMCLAUDE_CONFIG"];
  if (!named && isWindows) {
    // Not in the roaming folder, which is copied to other machines; and apart
    // from the state, which the server's worker writes.
    const local = join(data(), "tc");
    return {
      configFile: join(config(), "tc", "config.json"),
      secretsFolder: join(local, "secrets"),
      stateFolder: join(local, "state"),
      vaultKeyFile: join(local, "key", "vault.key"),
    };
  }
  if (!named) {
    return {
      configFile: join(config(), "tc", "config.json"),
      secretsFolder: join(config(), "tc"),
      stateFolder: join(state, "tc"),
      vaultKeyFile: join(data(), "tc", "vault.key"),
    };
  }
  const configFile = resolve(named);
  // However the file is typed, its pool is one.
  const spelled = oneSpelling(configFile, system);
  const mark = createHash("sha256").update(spelled).digest("hex").slice(0, 8);
  const stem = spelled.endsWith(".json") ? configFile.slice(0, -5) : configFile;
  return {
    configFile,
    secretsFolder: `${stem}.vault`,
    stateFolder: join(state, "tc", `pool-${mark}`),
    vaultKeyFile: `${stem}.vault-key`,
  };
}

/**
 * Returns `path` if it is absolute. XDG ignores relative paths in its
 * variables. The same applies to the home: a relative one would put secrets
 * into whatever folder tc is started in.
 */
function absolute(path: string | undefined, system: string): string | null {
  if (path === undefined) return null;
  const { isAbsolute } = system === "windows" ? win32 : posix;
  return isAbsolute(path) ? path : null;
}

/** Returns the home folder. Throws TcError `no_home` if it is unknown. */
function homeOf(environment: Environment, system: string): string {
  const { HOME, USERPROFILE } = environment;
  const home = absolute(homeIn(environment, system), system) ??
    absolute(HOME, system) ?? absolute(USERPROFILE, system);
  if (home !== null) return home;
  throw new TcError(
    `Cannot find your home folder: ${
      system === "windows" ? "USERPROFILE" : "HOME"
    } is not set to an absolute path`,
    {
      code: "no_home",
      source: "user",
      exitCode: EXIT.badConfig,
      hint: setHome,
    },
  );
}

/** Returns every folder that tc writes to. */
export function writtenFolders(paths: Paths): readonly string[] {
  return [
    ...new Set([
      dirname(paths.configFile),
      paths.secretsFolder,
      paths.stateFolder,
      dirname(paths.vaultKeyFile),
    ]),
  ];
}

/**
 * Returns the folders that the server's worker writes to: the state and the
 * vault. It may not write the config, which decides what the next worker may
 * touch, nor the folder of secrets, which holds commands that other programs
 * run.
 */
export function workerFolders(paths: Paths): readonly string[] {
  return [vaultFolder(paths), paths.stateFolder];
}

/** Returns the folder of the vault's files. */
export function vaultFolder({ secretsFolder }: Paths): string {
  return joinHere(secretsFolder, "vault");
}

/** Returns whether something has this path, a broken link included. */
export function isThere(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch {
    return false;
  }
}

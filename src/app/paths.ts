/**
 * Where tc keeps its files: XDG folders on every Unix, the application folders
 * on Windows, and beside the file when a config file is named.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { dirname, isAbsolute, join, resolve } from "node:path";

/** The variables that decide; read once, by the command line. */
export type Environment = Readonly<Record<string, string | undefined>>;

export interface Paths {
  /** Settings, meant to be edited by hand; no secret. */
  readonly configFile: string;
  /** Vault and local key, 0700. Losing it means logging in again. */
  readonly secretsFolder: string;
  /** Knowledge: losing it loses history and nothing else. 0700. */
  readonly stateFolder: string;
}

/** The variables that {@linkcode pathsFrom} looks at. */
export const PATH_VARIABLES = [
  "HOME",
  "XDG_CONFIG_HOME",
  "XDG_STATE_HOME",
  "APPDATA",
  "LOCALAPPDATA",
  "USERPROFILE",
  "TC_CONFIG",
  "TEAMCLAUDE_CONFIG",
] as const;

/**
 * The folders of one pool. A config file named by `TC_CONFIG` (or the seeds'
 * `TEAMCLAUDE_CONFIG`) is a pool of its own, with secrets and state of its own.
 */
export function pathsFrom(environment: Environment, system: string): Paths {
  const home = environment["HOME"] ?? environment["USERPROFILE"] ?? "";
  const isWindows = system === "windows";
  const config = isWindows
    ? environment["APPDATA"] ?? join(home, "AppData", "Roaming")
    : absolute(environment["XDG_CONFIG_HOME"]) ?? join(home, ".config");
  const state = isWindows
    ? environment["LOCALAPPDATA"] ?? join(home, "AppData", "Local")
    : absolute(environment["XDG_STATE_HOME"]) ?? join(home, ".local", "state");

  const named = environment["TC_CONFIG"] || environment["TEAMCLAUDE_CONFIG"];
  if (!named) {
    return {
      configFile: join(config, "tc", "config.json"),
      secretsFolder: join(config, "tc"),
      stateFolder: join(state, "tc"),
    };
  }
  const configFile = resolve(named);
  const mark = createHash("sha256").update(configFile).digest("hex").slice(
    0,
    8,
  );
  return {
    configFile,
    secretsFolder: `${configFile.replace(/\.json$/, "")}.vault`,
    stateFolder: join(state, "tc", `pool-${mark}`),
  };
}

/** XDG says: a relative path in its variables is invalid and ignored. */
function absolute(path: string | undefined): string | null {
  return path !== undefined && isAbsolute(path) ? path : null;
}

/** Every folder that the server writes to. */
export function writtenFolders(paths: Paths): readonly string[] {
  return [
    ...new Set([
      dirname(paths.configFile),
      paths.secretsFolder,
      paths.stateFolder,
    ]),
  ];
}

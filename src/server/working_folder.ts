/**
 * The working directory of a server is its state folder, not the folder of the
 * session that started it. That one may be a worktree that is removed, and no
 * program can be started from a folder that is gone.
 *
 * @module
 */

import { resolve } from "node:path";
import type { Environment, Paths } from "../system/paths.ts";
import { TcError } from "../errors.ts";
import { ensurePrivateFolder } from "../store/files/atomic.ts";

/** Variables that may hold a path relative to the working directory. */
const PATHS = [
  "TC_CONFIG",
  "TEAMCLAUDE_CONFIG",
  "CLAUDE_CONFIG_DIR",
  "CLAUDE_SECURESTORAGE_CONFIG_DIR",
  "TC_LOG_TO",
] as const;

/** Returns the variables of `environment` that hold paths, made absolute. */
export function absolutePaths(
  environment: Environment,
): Record<string, string> {
  return Object.fromEntries(
    PATHS.flatMap((name) => {
      const path = environment[name];
      return path ? [[name, resolve(path)]] : [];
    }),
  );
}

/**
 * Changes the working directory to the state folder, or to the root if there is
 * none: a server works without a state folder too.
 */
export async function enterStateFolder({ stateFolder }: Paths): Promise<void> {
  try {
    await ensurePrivateFolder(stateFolder);
    Deno.chdir(stateFolder);
  } catch (cause) {
    if (cause instanceof TcError && cause.code === "foreign_file") throw cause;
    Deno.chdir("/");
  }
}

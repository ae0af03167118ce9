/**
 * Checks the program of `notify.command`, which is started when something
 * happens: a mistake in it would show at the worst moment only.
 *
 * @module
 */

import { isAbsolute } from "node:path";
import { findProgram } from "../../claude/launch.ts";
import type { System } from "../../variables.ts";

const EXECUTABLE = 0o111;

/**
 * Returns what is wrong with the program, as the end of a sentence that begins
 * with its name; null if it can be started.
 */
export function notifyProgramFault(
  command: string,
  { path, system, extensions }: {
    /** PATH, with which programs without a folder are found. */
    readonly path: string;
    readonly system: System;
    /** PATHEXT of Windows. */
    readonly extensions: string;
  },
): string | null {
  const isPlace = /[/\\]/.test(command);
  if (!isPlace) {
    return findProgram(command, { path, system, extensions }) === null
      ? `is not on PATH${argumentsText(command)}`
      : null;
  }
  if (!isAbsolute(command)) {
    return "is not a whole path: the server runs in another folder";
  }
  let info: Deno.FileInfo;
  try {
    info = Deno.statSync(command);
  } catch (cause) {
    return cause instanceof Deno.errors.NotFound
      ? `is not there${argumentsText(command)}`
      : "cannot be read";
  }
  if (!info.isFile) return "is not a file";
  const { mode } = info;
  const isExecutable = mode === null || system === "windows" ||
    (mode & EXECUTABLE) !== 0;
  return isExecutable ? null : "is not executable: chmod +x";
}

/** The whole value is one name: a shell would have split it. */
function argumentsText(command: string): string {
  return / /.test(command) ? ": it is one program, without arguments" : "";
}

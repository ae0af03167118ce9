/**
 * How many files the server may have open: two for each request in hand. Some
 * systems begin with 256, and a program may raise that up to their hard limit.
 *
 * @module
 */

import { systemRunner } from "../app/command_runner.ts";

/** More than this helps nobody. */
const FILES_WANTED = 65_536;
const TOOL_MS_MAX = 2_000;

/**
 * Raises the limit of this process where a tool for that is at hand: the
 * runtime has none. Elsewhere `tc doctor` says what is too few.
 */
export async function raiseOpenFiles(): Promise<void> {
  if (Deno.build.os !== "linux") return;
  try {
    const wanted = wantedLimit(await Deno.readTextFile("/proc/self/limits"));
    if (wanted === null) return;
    await systemRunner.run("prlimit", [
      "--pid",
      String(Deno.pid),
      `--nofile=${wanted}:`,
    ], { stdin: "", timeoutMs: TOOL_MS_MAX });
  } catch {
    // It serves with what it has.
  }
}

/** The soft limit to ask for by the text of `/proc/self/limits`; null: none. */
export function wantedLimit(limits: string): number | null {
  const line = /^Max open files\s+(\d+)\s+(\d+|unlimited)/m.exec(limits);
  if (line === null) return null;
  const soft = Number(line[1]);
  const hard = line[2] === "unlimited" ? Infinity : Number(line[2]);
  const wanted = Math.min(hard, FILES_WANTED);
  return soft < wanted ? wanted : null;
}

/** The command line that raises the limit and then becomes `command`. */
export function withOpenFiles(command: readonly string[]): readonly string[] {
  if (Deno.build.os === "windows") return command;
  // macOS calls its hard limit unlimited and takes no more than 10,240.
  const raise = `for n in ${FILES_WANTED} "$(ulimit -Hn)" 10240; do ` +
    'ulimit -Sn "$n" 2>/dev/null && break; done; exec "$0" "$@"';
  return ["/bin/sh", "-c", raise, ...command];
}

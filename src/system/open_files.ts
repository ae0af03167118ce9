/**
 * How many files the server may have open: two for each request in hand. Some
 * systems begin with 256, and a program may raise that up to their hard limit.
 *
 * @module
 */

import { systemRunner } from "./command_runner.ts";

/** More than this helps nobody. */
const FILES_WANTED = 65_536;
const TOOL_MS_MAX = 2_000;

/**
 * Raises the limit of open files of this process, and forbids core dumps, where
 * a tool for that is at hand: the runtime has none. Elsewhere `tc doctor` says what is too few.
 */
export async function raiseOpenFiles(): Promise<void> {
  if (Deno.build.os !== "linux") return;
  try {
    const limits = await Deno.readTextFile("/proc/self/limits");
    const wanted = wantedLimit(limits);
    const changes = [
      ...(wanted === null ? [] : [`--nofile=${wanted}:`]),
      // A core dump would hold every token.
      ...(mayDump(limits) ? ["--core=0"] : []),
    ];
    if (changes.length === 0) return;
    await systemRunner.run("prlimit", [
      "--pid",
      String(Deno.pid),
      ...changes,
    ], { stdin: "", timeoutMs: TOOL_MS_MAX });
  } catch {
    // It serves with what it has.
  }
}

/** Returns how many files this process may have open; null: nobody knows. */
export async function openFiles(): Promise<number | null> {
  if (Deno.build.os === "windows") return null;
  try {
    if (Deno.build.os === "linux") {
      return limitsIn(await Deno.readTextFile("/proc/self/limits"))?.soft ??
        null;
    }
    // A shell has the limits of the process that starts it.
    const outcome = await systemRunner.run("/bin/sh", ["-c", "ulimit -n"], {
      stdin: "",
      timeoutMs: TOOL_MS_MAX,
    });
    if (outcome.kind !== "exited") return null;
    return /^\d+\s*$/.test(outcome.stdout) ? Number(outcome.stdout) : null;
  } catch {
    return null;
  }
}

/** Whether the text of `/proc/self/limits` lets this process dump its memory. */
export function mayDump(limits: string): boolean {
  return !/^Max core file size\s+0\s/m.test(limits);
}

/** The soft limit to ask for by the text of `/proc/self/limits`; null: none. */
export function wantedLimit(limits: string): number | null {
  const files = limitsIn(limits);
  if (files === null) return null;
  const wanted = Math.min(files.hard, FILES_WANTED);
  return files.soft < wanted ? wanted : null;
}

function limitsIn(
  limits: string,
): { readonly soft: number; readonly hard: number } | null {
  const line = /^Max open files\s+(\d+)\s+(\d+|unlimited)/m.exec(limits);
  if (line === null) return null;
  return {
    soft: Number(line[1]),
    hard: line[2] === "unlimited" ? Infinity : Number(line[2]),
  };
}

/** The command line that raises the limit and then becomes `command`. */
export function withOpenFiles(command: readonly string[]): readonly string[] {
  if (Deno.build.os === "windows") return command;
  // macOS calls its hard limit unlimited and takes no more than 10,240.
  // A core dump would hold every token.
  const raise =
    `ulimit -c 0; for n in ${FILES_WANTED} "$(ulimit -Hn)" 10240; do ` +
    'ulimit -Sn "$n" 2>/dev/null && break; done; exec "$0" "$@"';
  return ["/bin/sh", "-c", raise, ...command];
}

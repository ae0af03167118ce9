/**
 * The limit of open files: the server needs two for each open request. Some
 * systems begin with 256; a program may raise that up to the hard limit.
 *
 * @module
 */

import { kernelText } from "../kernel_text.ts";
import type { Environment } from "../variables.ts";
import { systemRunner } from "./command_runner.ts";

/** The server never needs more. */
const FILES_WANTED = 65_536;
const TOOL_MS_MAX = 2_000;

/**
 * Raises this process's limit of open files and forbids core dumps, with a
 * program of the system, because the runtime cannot. Where there is no such
 * program, `tc doctor` reports a low limit.
 */
export async function raiseOpenFiles(system: string): Promise<void> {
  if (system !== "linux") return;
  try {
    const limits = ownLimits();
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
    // The server works with the present limit.
  }
}

/** Not `/proc/self`: another program may read it for this one. */
function ownLimits(): string {
  return kernelText(`/proc/${Deno.pid}/limits`);
}

/** Set for a program that was started again: once is enough. */
const RAISED_MARK = "TC_FILES_RAISED";
/** Fewer are not worth a second start. */
const FILES_FEW = 4_096;

interface RaiseFacts {
  readonly system: string;
  readonly environment: Environment;
  /** How many files may be open now; null where nobody knows. */
  readonly files: number | null;
}

/** A command line and the variables that it is started with. */
interface RaisedStart {
  readonly command: readonly string[];
  readonly variables: Readonly<Record<string, string>>;
}

/**
 * Returns how a program in the foreground is started once more to have more
 * files, or null. A process of macOS begins with 256, and no tool raises that
 * of one that runs: a shell does it before it becomes the program.
 */
export function raisedStart(
  command: readonly string[],
  { system, environment, files }: RaiseFacts,
): RaisedStart | null {
  const isFew = files !== null && files < FILES_FEW;
  if (system !== "darwin" || !isFew || environment[RAISED_MARK]) return null;
  return {
    command: withOpenFiles(command, system),
    variables: { [RAISED_MARK]: "1" },
  };
}

/** Returns how many files this process may have open; null if unknown. */
export async function openFiles(system: string): Promise<number | null> {
  if (system === "windows") return null;
  try {
    if (system === "linux") {
      return limitsIn(ownLimits())?.soft ?? null;
    }
    // A shell inherits the limits of this process.
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

/**
 * Returns whether `limits`, the text of `/proc/self/limits`, allows core dumps.
 */
export function mayDump(limits: string): boolean {
  return !/^Max core file size\s+0\s/m.test(limits);
}

/**
 * Returns the soft limit to ask for, by the text of `/proc/self/limits`; null:
 * none.
 */
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

/** Returns a command line that raises the limit and then runs `command`. */
export function withOpenFiles(
  command: readonly string[],
  system: string,
): readonly string[] {
  if (system === "windows") return command;
  // macOS calls its hard limit unlimited and takes no more than 10,240.
  // A core dump would hold every token.
  const raise =
    `ulimit -c 0; for n in ${FILES_WANTED} "$(ulimit -Hn)" 10240; do ` +
    'ulimit -Sn "$n" 2>/dev/null && break; done; exec "$0" "$@"';
  return ["/bin/sh", "-c", raise, ...command];
}

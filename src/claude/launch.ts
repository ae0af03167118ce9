/**
 * Launching Claude Code: finds the program, and runs it as a child that has the
 * terminal, the signals and the exit code of this process.
 *
 * @module
 */

import { delimiter, join } from "node:path";
import { EXIT, TcError } from "../errors.ts";
import type { Variables } from "./launch_variables.ts";

/** The path of `name` found on PATH, or null. */
export function findProgram(
  name: string,
  { path, system, extensions }: {
    readonly path: string;
    readonly system: string;
    /** PATHEXT of Windows. */
    readonly extensions: string;
  },
): string | null {
  const endings = system === "windows" ? ["", ...extensions.split(";")] : [""];
  const separator = system === "windows" ? ";" : delimiter;
  for (const folder of path.split(separator)) {
    if (folder === "") continue;
    for (const ending of endings) {
      const candidate = join(folder, `${name}${ending.toLowerCase()}`);
      if (isProgram(candidate, system)) return candidate;
    }
  }
  return null;
}

function isProgram(path: string, system: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && (system === "windows" || ((mode ?? 0) & 0o111) !== 0);
  } catch {
    // Whatever cannot be looked at cannot be run.
    return false;
  }
}

/** The error of a machine without Claude Code. */
export function claudeMissing(): TcError {
  return new TcError("Claude Code is not on your PATH", {
    code: "no_claude",
    source: "user",
    exitCode: EXIT.unavailable,
    hint: "Install it first: https://code.claude.com/docs",
  });
}

/**
 * The terminal sends these to the whole group: the child has them already. Not
 * SIGTSTP, which must stop this process as well or the shell never returns.
 */
const LEFT_TO_CHILD: readonly Deno.Signal[] = ["SIGINT", "SIGQUIT"];
const FORWARDED: readonly Deno.Signal[] = [
  "SIGTERM",
  "SIGHUP",
  "SIGUSR1",
  "SIGUSR2",
];
/** Runs `program` in the place of this process as far as that goes; its exit code. */
export async function runInPlace(
  program: string,
  args: readonly string[],
  variables: Variables,
): Promise<number> {
  const child = new Deno.Command(program, {
    args: [...args],
    env: { ...variables },
    clearEnv: true,
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  const handlers = signalHandlers(child);
  for (const [signal, handler] of handlers) {
    Deno.addSignalListener(signal, handler);
  }
  try {
    // Ended by a signal, it is 128 and the signal's number, as shells have it.
    return (await child.status).code;
  } finally {
    for (const [signal, handler] of handlers) {
      Deno.removeSignalListener(signal, handler);
    }
  }
}

function signalHandlers(
  child: Deno.ChildProcess,
): readonly (readonly [Deno.Signal, () => void])[] {
  if (Deno.build.os === "windows") return [["SIGINT", leaveIt]];
  return [
    ...LEFT_TO_CHILD.map((signal) => [signal, leaveIt] as const),
    ...FORWARDED.map((signal) =>
      [signal, () => forward(child, signal)] as const
    ),
  ];
}

function leaveIt(): void {}

function forward(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (cause) {
    // It ended between the signal and here.
    if (
      !(cause instanceof Deno.errors.NotFound) && !(cause instanceof TypeError)
    ) throw cause;
  }
}

/**
 * Launches Claude Code: finds the program, and runs it as a child that gets the
 * terminal, the signals and the exit code of this process.
 *
 * @module
 */

import { delimiter, join } from "node:path";
import { EXIT, reasonOf, TcError } from "../errors.ts";
import type { Variables } from "./launch_variables.ts";
import { isBatch, type ProgramCommand, withoutShim } from "./npm_shim.ts";
import type { System } from "../variables.ts";
import { knownSignals } from "../signals.ts";

/** Where programs are searched. */
export interface ProgramSearch {
  readonly path: string;
  readonly system: string;
  /** PATHEXT of Windows. */
  readonly extensions: string;
}

/** Returns the path of `name` found on PATH, or null. */
export function findProgram(
  name: string,
  search: ProgramSearch,
): string | null {
  for (const found of findPrograms(name, search)) return found;
  return null;
}

/** Yields every path of `name` on PATH, in order. */
export function* findPrograms(
  name: string,
  { path, system, extensions }: ProgramSearch,
): Generator<string> {
  const endings = system === "windows" ? startable(extensions) : [""];
  const separator = system === "windows" ? ";" : delimiter;
  for (const folder of path.split(separator)) {
    if (folder === "") continue;
    for (const ending of endings) {
      const candidate = join(folder, `${name}${ending}`);
      if (isProgram(candidate, system)) yield candidate;
    }
  }
}

/** Endings of what the system starts itself, programs before command files. */
const STARTABLE = [".exe", ".com", ".cmd", ".bat"];

/**
 * Of PATHEXT what can be started. A file without an ending is none of them: npm
 * puts a shell script beside `claude.cmd`.
 */
function startable(extensions: string): readonly string[] {
  const named = extensions.toLowerCase().split(";").map((one) => one.trim());
  const known = STARTABLE.filter((ending) => named.includes(ending));
  return known.length === 0 ? STARTABLE : known;
}

/**
 * Returns how `program` is started so that it gets its arguments as they are:
 * without the command file that npm puts before it on Windows.
 */
export function programCommand(
  program: string,
  { path, system, extensions }: ProgramSearch,
): ProgramCommand {
  return withoutShim(program, system, {
    read(file) {
      try {
        return Deno.readTextFileSync(file);
      } catch {
        return null;
      }
    },
    isFile: (file) => isProgram(file, system),
    findNode: () => findProgram("node", { path, system, extensions }),
  });
}

function isProgram(path: string, system: string): boolean {
  try {
    const { isFile, mode } = Deno.statSync(path);
    return isFile && (system === "windows" || ((mode ?? 0) & 0o111) !== 0);
  } catch {
    // A file that cannot be examined cannot be run.
    return false;
  }
}

/** Returns the error for a machine without Claude Code. */
export function claudeMissing(): TcError {
  return new TcError("Claude Code is not on your PATH", {
    code: "no_claude",
    source: "user",
    exitCode: EXIT.unavailable,
    hint: "Install it first: https://code.claude.com/docs",
  });
}

/**
 * Signals that the terminal sends to the whole group, so that the child already
 * has them. SIGTSTP is not among them: it must stop this process too, or the
 * shell would never return.
 */
const LEFT_TO_CHILD: readonly Deno.Signal[] = ["SIGINT", "SIGQUIT"];
const FORWARDED: readonly Deno.Signal[] = [
  "SIGTERM",
  "SIGHUP",
  "SIGUSR1",
  "SIGUSR2",
];
/**
 * Runs `program` in place of this process and returns its exit code. Throws
 * TcError `not_started` with the system's reason.
 */
export async function runInPlace(
  program: string,
  args: readonly string[],
  variables: Variables,
  system: System,
): Promise<number> {
  const child = started(program, args, variables, system);
  const handlers = signalHandlers(child, system);
  for (const [signal, handler] of handlers) {
    Deno.addSignalListener(signal, handler);
  }
  try {
    // For a signal it is 128 plus the signal's number, as in shells.
    return (await child.status).code;
  } finally {
    for (const [signal, handler] of handlers) {
      Deno.removeSignalListener(signal, handler);
    }
  }
}

function started(
  program: string,
  args: readonly string[],
  variables: Variables,
  system: System,
): Deno.ChildProcess {
  try {
    // The runtime would give a file of another format to the shell, which would
    // read its bytes as commands.
    if (isForeignFormat(program, system)) throw new TypeError("wrong format");
    const [command, ...first] = programCommand(program, {
      path: variables["PATH"] ?? "",
      system,
      extensions: variables["PATHEXT"] ?? "",
    });
    return new Deno.Command(command, {
      args: [...first, ...args],
      env: { ...variables },
      clearEnv: true,
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
  } catch (cause) {
    throw new TcError(`Cannot start ${program}: ${startTrouble(program)}`, {
      code: "not_started",
      source: "user",
      exitCode: EXIT.unavailable,
      hint: `${program} --version   shows whether it is mended`,
      cause,
    });
  }
}

/** Returns why the system does not start the file at `program`. */
function startTrouble(program: string): string {
  let start: string;
  try {
    start = firstBytes(program);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return "it is gone";
    return reasonOf(cause);
  }
  const interpreter = /^#!\s*(\S+)/.exec(start)?.[1];
  if (interpreter !== undefined && !exists(interpreter)) {
    return `its interpreter ${interpreter} is not there`;
  }
  return interpreter === undefined
    ? "it is not a program of this system, or what loads it is not there"
    : "it may not be executed where it is";
}

const ELF = "\x7fELF";
/** Machines by their number in an ELF header. */
const ELF_MACHINES: Readonly<Record<string, number>> = {
  "x86_64": 62,
  "aarch64": 183,
};
const MACH_O =
  /^(\xfe\xed\xfa[\xce\xcf]|[\xce\xcf]\xfa\xed\xfe|\xca\xfe\xba\xbe)/;

/**
 * Returns whether the file at `program` belongs to another system or machine.
 */
function isForeignFormat(program: string, system: System): boolean {
  let start: string;
  try {
    start = firstBytes(program);
  } catch {
    // The system reports why it cannot be started.
    return false;
  }
  if (system === "windows") return start.startsWith(ELF);
  if (start.startsWith("MZ")) return true;
  if (system === "darwin") return start.startsWith(ELF);
  if (!start.startsWith(ELF)) return MACH_O.test(start);
  return start.charCodeAt(18) !== ELF_MACHINES[Deno.build.arch];
}

const START_BYTES = 4_096;

/** Returns the beginning of a file, binary bytes unchanged. */
function firstBytes(path: string): string {
  using file = Deno.openSync(path);
  const bytes = new Uint8Array(START_BYTES);
  const count = file.readSync(bytes) ?? 0;
  return new TextDecoder("latin1").decode(bytes.subarray(0, count));
}

function exists(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    return false;
  }
}

/** Returns whether the file at `path` is a script that starts `tc run`. */
export function startsTcRun(path: string): boolean {
  try {
    const text = firstBytes(path);
    return (text.startsWith("#!") || isBatch(path)) &&
      /(^|[\s\/\\"'`;&|({@])tc(\.exe)?["']?\s+run\b|main\.ts["']?\s+run\b/
        .test(text);
  } catch {
    // A file that we cannot read: the system starts it or says why not.
    return false;
  }
}

function signalHandlers(
  child: Deno.ChildProcess,
  system: System,
): readonly (readonly [Deno.Signal, () => void])[] {
  return [
    ...knownSignals(LEFT_TO_CHILD, system)
      .map((signal) => [signal, leaveIt] as const),
    ...knownSignals(FORWARDED, system).map((signal) =>
      [signal, () => forward(child, signal)] as const
    ),
  ];
}

function leaveIt(): void {}

function forward(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch (cause) {
    // It ended between the signal and this line.
    if (
      !(cause instanceof Deno.errors.NotFound) && !(cause instanceof TypeError)
    ) throw cause;
  }
}

/**
 * Finds Claude Code on this machine. A script named `claude` that runs `tc run`
 * is not Claude Code: it would start itself forever.
 *
 * @module
 */

import {
  claudeMissing,
  findPrograms,
  programCommand,
  type ProgramSearch,
  startsTcRun,
} from "../../claude/launch.ts";
import type { ProgramCommand } from "../../claude/npm_shim.ts";
import type { Variables } from "../../claude/launch_variables.ts";
import { EXIT, TcError } from "../../errors.ts";
import type { Shell } from "../shell.ts";

/**
 * Variable that tells a nested `tc run` which program was started, and how
 * often in a row.
 */
const LAUNCH_MARK = "TC_LAUNCHED";

/**
 * A session may start `tc run` within itself and find the same Claude Code;
 * only more than this in a row is a loop.
 */
const IN_A_ROW_MAX = 5;

interface LaunchMark {
  readonly count: number;
  readonly program: string;
}

/** Returns the path of Claude Code, or null if PATH has none. */
function findClaude(shell: Shell): string | null {
  for (const program of candidates(shell)) {
    if (!leadsBack(shell, program)) return program;
  }
  return null;
}

/**
 * Returns the path of Claude Code. Throws TcError that says how to install it,
 * or which program of that name runs tc.
 */
export function claudeProgram(shell: Shell): string {
  const claude = findClaude(shell);
  if (claude !== null) return claude;
  const [first] = candidates(shell);
  if (first === undefined) throw claudeMissing();
  throw new TcError(
    `Cannot start Claude Code: ${first} leads back to tc run, and there is no other claude on your PATH`,
    {
      code: "launch_ring",
      source: "user",
      exitCode: EXIT.unavailable,
      hint: "Name Claude Code by its own path in that script, or put its " +
        "folder on your PATH",
    },
  );
}

/** Returns `variables` with the mark of a start of `program`. */
export function marked(
  { environment }: Shell,
  program: string,
  variables: Variables,
): Variables {
  const before = markIn(environment[LAUNCH_MARK]);
  const count = before?.program === program ? before.count + 1 : 1;
  return { ...variables, [LAUNCH_MARK]: `${count}:${program}` };
}

/** As {@linkcode claudeProgram}, with what it is started by. */
export function claudeCommand(shell: Shell): ProgramCommand {
  return programCommand(claudeProgram(shell), searchOf(shell));
}

function candidates(shell: Shell): readonly string[] {
  return [...findPrograms("claude", searchOf(shell))];
}

function searchOf({ environment, system }: Shell): ProgramSearch {
  return {
    path: environment["PATH"] ?? "",
    system,
    extensions: environment["PATHEXT"] ?? "",
  };
}

function leadsBack({ environment }: Shell, program: string): boolean {
  const mark = markIn(environment[LAUNCH_MARK]);
  const isRing = mark?.program === program && mark.count >= IN_A_ROW_MAX;
  return isRing || startsTcRun(program) || isThisProgram(program);
}

/** Returns whether `path` is a link to tc itself. */
function isThisProgram(path: string): boolean {
  try {
    return Deno.build.standalone &&
      Deno.realPathSync(path) === Deno.realPathSync(Deno.execPath());
  } catch {
    return false;
  }
}

function markIn(text: string | undefined): LaunchMark | null {
  const [, count, program] = /^(\d{1,3}):(.+)$/s.exec(text ?? "") ?? [];
  if (count === undefined || program === undefined) return null;
  return { count: Number(count), program };
}

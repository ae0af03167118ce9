/**
 * Claude Code as it is found on this machine.
 *
 * @module
 */

import { claudeMissing, findProgram } from "../claude/launch.ts";
import type { Shell } from "./shell.ts";

/** Its path, or null where PATH has none. */
export function findClaude({ environment }: Shell): string | null {
  return findProgram("claude", {
    path: environment["PATH"] ?? "",
    system: Deno.build.os,
    extensions: environment["PATHEXT"] ?? ".exe;.cmd",
  });
}

/** Its path; throws the TcError that says how to install it. */
export function claudeProgram(shell: Shell): string {
  const claude = findClaude(shell);
  if (claude === null) throw claudeMissing();
  return claude;
}

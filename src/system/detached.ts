/**
 * Runs of this program that go on after the one that started them.
 *
 * @module
 */

import { ownCommand } from "./own_command.ts";

/** Starts `tc ARGS…` without a terminal; a failure to start is no error. */
export function startDetached(args: readonly string[]): void {
  const [program = "", ...words] = ownCommand(args);
  try {
    const child = new Deno.Command(program, {
      args: words,
      stdin: "null",
      stdout: "null",
      stderr: "null",
      detached: true,
    }).spawn();
    child.unref();
  } catch {
    // The next hook or helper run tries again.
  }
}

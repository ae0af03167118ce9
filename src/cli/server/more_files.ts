/**
 * A server in the foreground, started once more where it may have too few files
 * open for its clients.
 *
 * @module
 */

import { runInPlace } from "../../claude/launch.ts";
import { openFiles, raisedStart } from "../../system/open_files.ts";
import { ownCommand } from "../../system/own_command.ts";
import type { System } from "../../variables.ts";

/** Runs `serve` here, or this very command line again with more files. */
export async function withMoreFiles(
  serve: () => Promise<number>,
  system: System,
): Promise<number> {
  const variables = Deno.env.toObject();
  const start = raisedStart(ownCommand(Deno.args), {
    system,
    environment: variables,
    files: await openFiles(system),
  });
  if (start === null) return await serve();
  const [program = "", ...args] = start.command;
  return await runInPlace(
    program,
    args,
    { ...variables, ...start.variables },
    system,
  );
}

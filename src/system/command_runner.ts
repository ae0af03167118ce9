/**
 * Runs programs of the system, with a time limit and the secret on stdin.
 *
 * @module
 */

import type { CommandOutcome, CommandRunner } from "../ports.ts";

/** The runner of the main thread; the server worker may run nothing. */
export const systemRunner: CommandRunner = {
  run: (command, args, options) => run([command, ...args], options),
};

async function run(
  [command = "", ...args]: readonly string[],
  { stdin, timeoutMs }: { readonly stdin: string; readonly timeoutMs: number },
): Promise<CommandOutcome> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const child = new Deno.Command(command, {
      args,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      signal: timeout,
    }).spawn();
    const writer = child.stdin.getWriter();
    // A program that reads nothing may have closed its end already.
    writer.write(new TextEncoder().encode(stdin)).then(() => writer.close())
      .catch(() => {});
    const { code, stdout, stderr } = await child.output();
    if (timeout.aborted) return { kind: "timed_out" };
    const decoder = new TextDecoder();
    return {
      kind: "exited",
      code,
      stdout: decoder.decode(stdout),
      stderr: decoder.decode(stderr),
    };
  } catch (cause) {
    if (timeout.aborted) return { kind: "timed_out" };
    if (cause instanceof Deno.errors.NotFound) return { kind: "missing" };
    throw cause;
  }
}

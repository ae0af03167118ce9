/**
 * Runs programs of the system, with a time limit and the secret on stdin.
 *
 * @module
 */

import type { CommandOutcome, CommandRunner } from "../ports.ts";
import type { Environment } from "../variables.ts";
import { programVariables, systemProgram } from "./system_programs.ts";

/** Where the programs run. */
interface RunnerFacts {
  readonly system: string;
  readonly environment: () => Environment;
}

/** The runner of the main thread; the server worker may run nothing. */
export const systemRunner: CommandRunner = commandRunner({
  system: Deno.build.os,
  environment: () => Deno.env.toObject(),
});

/**
 * Returns a runner that finds the programs of `system` whatever the PATH says;
 * the PATH has its turn where a program is not at its usual place.
 */
export function commandRunner(
  { system, environment }: RunnerFacts,
): CommandRunner {
  return {
    async run(name, args, options) {
      const variables = environment();
      const path = systemProgram(name, system, variables);
      for (const program of new Set([path, name])) {
        const outcome = await run([program, ...args], {
          ...options,
          env: programVariables(name, system, variables),
        });
        if (outcome.kind !== "missing") return outcome;
      }
      return { kind: "missing" };
    },
  };
}

interface RunOptions {
  readonly stdin: string;
  readonly timeoutMs: number;
  readonly env: Readonly<Record<string, string>>;
}

async function run(
  [command = "", ...args]: readonly string[],
  { stdin, timeoutMs, env }: RunOptions,
): Promise<CommandOutcome> {
  const timeout = AbortSignal.timeout(timeoutMs);
  try {
    const child = new Deno.Command(command, {
      args,
      env,
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      signal: timeout,
      // A server without a console would show one for each program it asks.
      ...{ windowsHide: true },
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

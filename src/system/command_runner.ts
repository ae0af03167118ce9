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
  let isLate = false;
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const child = new Deno.Command(command, {
      args,
      env,
      clearEnv: true,
      stdin: "piped",
      stdout: "piped",
      stderr: "piped",
      // A server without a console would show one for each program it asks.
      ...{ windowsHide: true },
    }).spawn();
    timer = setTimeout(() => {
      isLate = true;
      end(child, "SIGTERM");
      // One that takes no notice of that is ended all the same.
      timer = setTimeout(() => end(child, "SIGKILL"), GRACE_MS);
    }, timeoutMs);
    const writer = child.stdin.getWriter();
    // A program that reads nothing may have closed its end already.
    writer.write(new TextEncoder().encode(stdin)).then(() => writer.close())
      .catch(() => {});
    const outputs = [new Output(child.stdout), new Output(child.stderr)];
    const { code } = await child.status;
    await Promise.all(outputs.map((output) => output.afterEnd()));
    if (isLate) return { kind: "timed_out" };
    const [stdout = "", stderr = ""] = outputs.map(({ text }) => text);
    return { kind: "exited", code, stdout, stderr };
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return { kind: "missing" };
    throw cause;
  } finally {
    clearTimeout(timer);
  }
}

/** How long a program may take to end after SIGTERM. */
const GRACE_MS = 1_000;

function end(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // It has ended by itself.
  }
}

/** How long the rest of what a program has printed may take after its end. */
const REST_MS = 500;

/**
 * What a program prints. It ends with the program: another one that it started
 * may hold the pipe open for as long as that one lives.
 */
class Output {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #ended: Promise<void>;
  readonly #decoder = new TextDecoder();
  text = "";

  constructor(stream: ReadableStream<Uint8Array>) {
    this.#reader = stream.getReader();
    this.#ended = this.#read().catch(() => {
      // The pipe broke: what has come counts.
    });
  }

  /** Resolves when all is read, or a moment after the program has ended. */
  async afterEnd(): Promise<void> {
    const late = Promise.withResolvers<void>();
    const timer = setTimeout(late.resolve, REST_MS);
    const isWhole = await Promise.race([
      this.#ended.then(() => true),
      late.promise.then(() => false),
    ]);
    clearTimeout(timer);
    if (isWhole) return;
    // Not waited for: it may take as long as the pipe is open.
    this.#reader.cancel().catch(() => {});
  }

  async #read(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) return;
      this.text += this.#decoder.decode(value, { stream: true });
    }
  }
}

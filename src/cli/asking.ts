/**
 * Asks a person: on stderr, so that stdout holds only data, and only if there
 * is a terminal.
 *
 * @module
 */

import type { Interface } from "node:readline";
import { EXIT, TcError, UsageError } from "../errors.ts";
import type { Shell } from "./shell.ts";

const STDIN_BYTES_MAX = 64 * 1024;

/** Returns all of standard input as text, at most 64 KiB. */
export async function readStdin(what: string): Promise<string> {
  const decoder = new TextDecoder("utf-8", { fatal: true });
  let text = "";
  let bytes = 0;
  try {
    for await (const chunk of Deno.stdin.readable) {
      bytes += chunk.length;
      if (bytes > STDIN_BYTES_MAX) throw new RangeError("too long");
      text += decoder.decode(chunk, { stream: true });
    }
    return text + decoder.decode();
  } catch {
    throw new UsageError(
      `Cannot read ${what} from standard input: it is not a short text`,
    );
  }
}

/**
 * Asks for a secret, shown as dots while it is typed. `what` is a heading, such
 * as `API key`. Throws TcError `no_person` where there is no terminal.
 */
export async function askSecret(
  shell: Shell,
  what: string,
  hint = "--api-key-stdin   reads it from standard input",
): Promise<string> {
  if (!shell.mayAsk) throw nobodyThere(what, hint);
  const { isCancel, password } = await import("@clack/prompts");
  const answer = await password({
    message: what,
    output: (await import("node:process")).stderr,
  });
  if (isCancel(answer) || typeof answer !== "string") throw cancelled();
  return answer;
}

/** Asks a yes-or-no question; `command` answers it without a terminal. */
export async function askYes(
  shell: Shell,
  question: string,
  command: string,
): Promise<boolean> {
  if (!shell.mayAsk) {
    throw new UsageError(
      "Needs confirmation, but there is no terminal: add --yes",
      command,
    );
  }
  const { confirm, isCancel } = await import("@clack/prompts");
  const answer = await confirm({
    message: question,
    initialValue: false,
    output: (await import("node:process")).stderr,
  });
  if (isCancel(answer)) throw cancelled();
  return answer === true;
}

/** Standard input line by line; keeps a line that nobody waits for. */
export class LineInput implements Disposable {
  readonly #lines: string[] = [];
  #reader: Interface | null = null;
  #isEnded = false;
  #wake = Promise.withResolvers<void>();

  /**
   * Returns the next line; null at the end of the input or when `signal`
   * aborts.
   */
  async next(signal: AbortSignal): Promise<string | null> {
    this.#reader ??= await this.#open();
    signal.addEventListener("abort", () => this.#wake.resolve(), {
      once: true,
    });
    for (;;) {
      const line = this.#lines.shift();
      if (line !== undefined) return line;
      if (this.#isEnded || signal.aborted) return null;
      await this.#wake.promise;
      this.#wake = Promise.withResolvers<void>();
    }
  }

  [Symbol.dispose](): void {
    this.#reader?.close();
  }

  async #open(): Promise<Interface> {
    const { createInterface } = await import("node:readline");
    const { stdin } = await import("node:process");
    const reader = createInterface({ input: stdin, terminal: false });
    reader.on("line", (line: string) => {
      this.#lines.push(line);
      this.#wake.resolve();
    });
    reader.on("close", () => {
      this.#isEnded = true;
      this.#wake.resolve();
    });
    return reader;
  }
}

export function cancelled(): TcError {
  return new TcError("Cancelled: nothing was changed", {
    code: "cancelled",
    source: "user",
    exitCode: EXIT.interrupted,
  });
}

function nobodyThere(what: string, hint: string): TcError {
  return new TcError(`Cannot ask without a terminal: ${what}`, {
    code: "no_person",
    source: "user",
    exitCode: EXIT.needsLogin,
    hint,
  });
}

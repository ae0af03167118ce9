/**
 * What a command prints: data on stdout, words on stderr, colour only where a
 * person sees it.
 *
 * @module
 */

import { inertJson, inertLines } from "../core/plain_text.ts";
import { TcError } from "../errors.ts";
import type { Environment } from "../system/paths.ts";
import { printTo } from "./print.ts";

export interface OutputOptions {
  readonly environment: Environment;
  /** `--color`, or null where it was not given. */
  readonly color: "always" | "never" | "auto" | null;
  readonly isJson: boolean;
  readonly isTerminal: boolean;
}

/** Word styles; each is a colour of the user's own theme. */
export type Style = "good" | "careful" | "bad" | "dim" | "strong" | "plain";

const SEQUENCES: Readonly<Record<Style, string>> = {
  good: "32",
  careful: "33",
  bad: "31",
  dim: "2",
  strong: "1",
  plain: "",
};

/** What {@linkcode Output.paint} writes. */
// deno-lint-ignore no-control-regex
const COLOR = /(\u001b\[[0-9;]*m)/;

/** Flag beats environment beats terminal (NO_COLOR, FORCE_COLOR, CLICOLOR_FORCE, TERM). */
export function isColored(options: OutputOptions): boolean {
  const { environment, color } = options;
  if (color === "always") return true;
  if (color === "never") return false;
  if (environment["NO_COLOR"]) return false;
  const forced = environment["FORCE_COLOR"] ?? environment["CLICOLOR_FORCE"];
  if (forced !== undefined && forced !== "" && forced !== "0") return true;
  return options.isTerminal && environment["TERM"] !== "dumb";
}

export class Output {
  readonly isJson: boolean;
  readonly isTerminal: boolean;
  readonly #isColored: boolean;

  constructor(options: OutputOptions) {
    this.isJson = options.isJson;
    this.isTerminal = options.isTerminal;
    this.#isColored = !options.isJson && isColored(options);
  }

  /** A line of data; what a terminal obeys is left out, our colours apart. */
  line(text = ""): void {
    printTo(Deno.stdout, `${this.#shown(text)}\n`);
  }

  /** Data as it is, without an end of line. */
  raw(text: string): void {
    printTo(Deno.stdout, text);
  }

  /** One JSON object, the whole answer of a `--json` run. */
  json(value: unknown): void {
    printTo(Deno.stdout, `${inertJson(JSON.stringify(value))}\n`);
  }

  /** A line of words: progress, warnings, what to do next. */
  say(text: string): void {
    printTo(Deno.stderr, `${this.#shown(text)}\n`);
  }

  /** Names and messages of others may be in any text: this is the last gate. */
  #shown(text: string): string {
    if (!this.#isColored) return inertLines(text);
    return text.split(COLOR).map((part, at) =>
      at % 2 === 0 ? inertLines(part) : part
    ).join("");
  }

  paint(style: Style, text: string): string {
    const sequence = SEQUENCES[style];
    if (!this.#isColored || sequence === "") return text;
    return `\u001b[${sequence}m${text}\u001b[0m`;
  }

  /** What went wrong, why, and what to do; the stack only for debugging. */
  error(error: TcError, isDebugging: boolean): void {
    if (this.isJson) {
      const { code, message, hint } = error;
      try {
        this.json({ error: { code, message, hint } });
      } catch {
        // Standard output is what failed: the words follow.
      }
    }
    this.say(error.message);
    for (const line of error.hint?.split("\n") ?? []) this.say(`  ${line}`);
    if (isDebugging && error.stack !== undefined) this.say(error.stack);
  }
}

/**
 * What a command prints: data on stdout, messages on stderr, colour only on a
 * terminal.
 *
 * @module
 */

import { inertJson, inertLines } from "../core/plain_text.ts";
import { widthOf } from "../deck/terminal/grapheme.ts";
import { ASCII, glyphsFor, inAscii } from "../deck/terminal/theme.ts";
import { hintOf, TcError } from "../errors.ts";
import type { PersonShell } from "../shell_words.ts";
import type { Environment } from "../system/paths.ts";
import { printTo } from "./print.ts";

interface OutputOptions {
  readonly environment: Environment;
  /** The shell of who reads it, for hints. */
  readonly person: PersonShell;
  /** `--color`, or null if it was not given. */
  readonly color: "always" | "never" | "auto" | null;
  readonly isJson: boolean;
  readonly isTerminal: boolean;
}

/** Text styles; each is a colour of the terminal's theme. */
export type Style = "good" | "careful" | "bad" | "dim" | "strong" | "plain";

const SEQUENCES: Readonly<Record<Style, string>> = {
  good: "32",
  careful: "33",
  bad: "31",
  dim: "2",
  strong: "1",
  plain: "",
};

/** The colour sequences that {@linkcode Output.paint} writes. */
// deno-lint-ignore no-control-regex
const COLOR = /(\u001b\[[0-9;]*m)/;

// deno-lint-ignore no-control-regex
const NOT_ASCII = /[^\x00-\x7f]/gu;

/** Returns a sign for a terminal of ASCII; letters of names stay. */
function asciiSign(sign: string): string {
  // Between two words it separates; in a bar of the Deck it is the rest.
  return sign === "·" ? ASCII.dot : inAscii(sign);
}

/**
 * Returns `text` in lines of at most `width` cells, broken between words; all
 * but the first begin with `indent` spaces. A word that is wider stays whole.
 */
export function foldedLines(
  text: string,
  width: number,
  indent: number,
): readonly string[] {
  const lines: string[] = [];
  let line = "";
  for (const piece of text.split(/(?<=\S)(?=\s)/)) {
    const whole = line + piece;
    if (line === "" || widthOf(bare(whole)) <= width) line = whole;
    else {
      lines.push(line);
      line = " ".repeat(indent) + piece.trimStart();
    }
  }
  return [...lines, line];
}

function bare(text: string): string {
  return text.split(COLOR).filter((_, at) => at % 2 === 0).join("");
}

/**
 * Returns whether to colour: the flag decides, then the environment (NO_COLOR,
 * FORCE_COLOR, CLICOLOR_FORCE, TERM), then the terminal.
 */
export function isColored(options: Omit<OutputOptions, "person">): boolean {
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
  /** Whether the terminal can show ASCII only, as under LANG=C. */
  readonly #isAscii: boolean;
  readonly #columns: string | undefined;
  readonly #person: PersonShell;

  constructor(options: OutputOptions) {
    this.isJson = options.isJson;
    this.isTerminal = options.isTerminal;
    this.#columns = options.environment["COLUMNS"];
    this.#person = options.person;
    this.#isColored = !options.isJson && isColored(options);
    const { environment } = options;
    this.#isAscii = options.isTerminal && !options.isJson &&
      glyphsFor({ environment, isWindows: false }) === ASCII;
  }

  /** The cells of a line: of COLUMNS, or the terminal; else without a limit. */
  get width(): number {
    const stated = Number(this.#columns);
    if (Number.isInteger(stated) && stated > 0) return stated;
    if (!this.isTerminal) return Infinity;
    try {
      return Deno.consoleSize().columns;
    } catch {
      return Infinity;
    }
  }

  /** Prints a line of data, without control characters except tc's colours. */
  line(text = ""): void {
    printTo(Deno.stdout, `${this.#shown(text)}\n`);
  }

  /**
   * Prints a line of words. Where the terminal is narrower it breaks between two
   * words and goes on below, `indent` cells in; a word is never broken.
   */
  sentence(text: string, indent = 0): void {
    for (const line of foldedLines(text, this.width, indent)) this.line(line);
  }

  /** Prints data as it is, without a line end. */
  raw(text: string): void {
    printTo(Deno.stdout, text);
  }

  /** Prints one JSON object, the whole output of a `--json` run. */
  json(value: unknown): void {
    printTo(Deno.stdout, `${inertJson(JSON.stringify(value))}\n`);
  }

  /** Prints a message: progress, a warning, or what to do next. */
  say(text: string): void {
    printTo(Deno.stderr, `${this.#shown(text)}\n`);
  }

  /**
   * Removes control characters: any text may hold names and messages from
   * outside.
   */
  #shown(text: string): string {
    const signs = this.#isAscii ? text.replace(NOT_ASCII, asciiSign) : text;
    if (!this.#isColored) return inertLines(signs);
    return signs.split(COLOR).map((part, at) =>
      at % 2 === 0 ? inertLines(part) : part
    ).join("");
  }

  paint(style: Style, text: string): string {
    const sequence = SEQUENCES[style];
    if (!this.#isColored || sequence === "") return text;
    return `\u001b[${sequence}m${text}\u001b[0m`;
  }

  /**
   * Prints what went wrong, why, and what to do; the stack only for debugging.
   */
  error(error: TcError, isDebugging: boolean): void {
    const hint = hintOf(error, this.#person);
    if (this.isJson) {
      const { code, message } = error;
      try {
        this.json({ error: { code, message, hint } });
      } catch {
        // Standard output failed; the message follows on stderr.
      }
    }
    this.say(error.message);
    for (const line of hint?.split("\n") ?? []) this.say(`  ${line}`);
    if (isDebugging && error.stack !== undefined) this.say(error.stack);
  }
}

/**
 * How a JSON text is laid out: its line ends, its indentation, its comments at
 * the ends of lines.
 *
 * @module
 */

import { type JsonNode, skipComment } from "./jsonc.ts";

export type Container = Extract<JsonNode, { kind: "object" | "array" }>;

const DEFAULT_INDENT = "  ";

/** The layout of one text. */
export class TextStyle {
  readonly newline: string;
  /** One step of indentation. */
  readonly unit: string;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
    this.newline = text.includes("\r\n") ? "\r\n" : "\n";
    this.unit = /\n([ \t]+)"/.exec(text)?.[1] ?? DEFAULT_INDENT;
  }

  /** The place after a comment that stands on the same line as `at`. */
  afterComment(at: number): number {
    let next = at;
    while (/[ \t]/.test(this.#text.charAt(next))) next += 1;
    const end = skipComment(this.#text, next);
    const isHere = end > next && !this.#text.slice(next, end).includes("\n");
    if (!isHere) return at;
    return this.#text[end - 1] === "\r" ? end - 1 : end;
  }

  /** How far the children of `node` are indented, there or to come. */
  childIndent(node: Container): string {
    const first = node.kind === "object"
      ? node.members[0]?.start
      : node.items[0]?.start;
    const isSpread = first !== undefined &&
      this.#text.slice(node.start, first).includes("\n");
    return isSpread
      ? this.indentAt(first)
      : this.indentAt(node.start) + this.unit;
  }

  /** The blanks that the line of `at` opens with. */
  indentAt(at: number): string {
    const line = this.#text.slice(this.#text.lastIndexOf("\n", at - 1) + 1, at);
    return /^[ \t]*/.exec(line)?.[0] ?? "";
  }

  /** `value` as text whose further lines are indented by `indent`. */
  spell(value: unknown, indent: string): string {
    return JSON.stringify(value, null, this.unit)
      .replaceAll("\n", this.newline + indent);
  }
}

/**
 * Changes a JSON text and leaves everything else as a person wrote it:
 * comments, order, indentation, spelling of numbers.
 *
 * @module
 */

import { isDeepStrictEqual } from "node:util";
import {
  type JsonNode,
  parseJsonc,
  skipComment,
  skipTrivia,
  toValue,
} from "./jsonc.ts";

interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

interface Child {
  readonly start: number;
  readonly end: number;
}

/**
 * Returns `text` with the fewest changes that make its value `after`. Throws
 * {@linkcode JsoncError} if the text is not JSON.
 */
export function changeJsonc(text: string, after: unknown): string {
  const reduced = applyEdits(
    text,
    new Editor(text).removals(parseJsonc(text), after),
  );
  const changed = applyEdits(
    reduced,
    new Editor(reduced).changes(parseJsonc(reduced), after),
  );
  if (isDeepStrictEqual(toValue(parseJsonc(changed)), after)) return changed;
  throw new TypeError("Cannot change the text: the value is not plain JSON");
}

function applyEdits(text: string, edits: readonly TextEdit[]): string {
  const ordered = edits.map((edit, order) => ({ ...edit, order }))
    .sort((a, b) => b.start - a.start || b.order - a.order);
  let result = text;
  for (const { start, end, text: piece } of ordered) {
    result = result.slice(0, start) + piece + result.slice(end);
  }
  return result;
}

class Editor {
  readonly #text: string;
  readonly #style: TextStyle;

  constructor(text: string) {
    this.#text = text;
    this.#style = new TextStyle(text);
  }

  /**
   * Returns the edits that remove what `after` lacks; they touch nothing else.
   */
  removals(node: JsonNode, after: unknown): readonly TextEdit[] {
    if (node.kind === "object" && isObject(after)) {
      const children = node.members.map(({ key, start, value }) => ({
        start,
        end: value.end,
        isGone: !Object.hasOwn(after, key),
      }));
      return [
        ...this.#removed(children),
        ...node.members.filter(({ key }) => Object.hasOwn(after, key))
          .flatMap(({ key, value }) => this.removals(value, after[key])),
      ];
    }
    if (node.kind !== "array" || !Array.isArray(after)) return [];
    const { head, from, to } = middle(node.items, after);
    const goneFrom = head + to.length;
    const goneTo = head + from.length;
    return [
      ...this.#removed(node.items.map(({ start, end }, index) => ({
        start,
        end,
        isGone: index >= goneFrom && index < goneTo,
      }))),
      ...from.slice(0, to.length).flatMap((item, index) =>
        this.removals(item, to[index])
      ),
    ];
  }

  /**
   * Returns the edits that change and add; what `after` lacks is already
   * removed.
   */
  changes(node: JsonNode, after: unknown): readonly TextEdit[] {
    if (node.kind === "object" && isObject(after)) {
      return this.#objectChanges(node, after);
    }
    if (node.kind === "array" && Array.isArray(after)) {
      return this.#arrayChanges(node, after);
    }
    if (isDeepStrictEqual(toValue(node), after)) return [];
    const { start, end } = node;
    return [{
      start,
      end,
      text: this.#style.spell(after, this.#style.indentAt(start)),
    }];
  }

  #objectChanges(
    node: Extract<JsonNode, { kind: "object" }>,
    after: Readonly<Record<string, unknown>>,
  ): readonly TextEdit[] {
    const known = new Set(node.members.map(({ key }) => key));
    const indent = this.#style.childIndent(node);
    const added = Object.entries(after).filter(([key]) => !known.has(key))
      .map(([key, value]) =>
        `${JSON.stringify(key)}: ${this.#style.spell(value, indent)}`
      );
    const children = node.members.map(({ start, value }) => (
      { start, end: value.end }
    ));
    return [
      ...node.members.flatMap(({ key, value }) =>
        this.changes(value, after[key])
      ),
      ...this.#insertion(node, children, added),
    ];
  }

  #arrayChanges(
    node: Extract<JsonNode, { kind: "array" }>,
    after: readonly unknown[],
  ): readonly TextEdit[] {
    const { head, from, to } = middle(node.items, after);
    const indent = this.#style.childIndent(node);
    return [
      ...from.flatMap((item, index) => this.changes(item, to[index])),
      ...this.#insertion(
        node,
        node.items.slice(0, head + from.length),
        to.slice(from.length).map((value) => this.#style.spell(value, indent)),
      ),
    ];
  }

  /**
   * Removes children, each with the comma after it; after the last child that
   * stays, with the comma before it. Comments stay in any case, those within a
   * child as well.
   */
  #removed(children: readonly (Child & { isGone: boolean })[]): TextEdit[] {
    const stays = children.findLastIndex(({ isGone }) => !isGone);
    return children.flatMap((child, index) => {
      if (!child.isGone) return [];
      if (index < stays) return [this.#removal(child)];
      const before = children[index - 1];
      const edits = before === undefined ? [] : this.#comma(before.end);
      const isAllGone = stays < 0 && index === children.length - 1;
      return [
        ...edits,
        this.#bareRemoval(child),
        ...isAllGone ? this.#comma(child.end) : [],
      ];
    });
  }

  #comma(from: number): TextEdit[] {
    const comma = skipTrivia(this.#text, from);
    if (this.#text[comma] !== ",") return [];
    return [{ start: comma, end: comma + 1, text: "" }];
  }

  #removal(child: Child): TextEdit {
    const comma = skipTrivia(this.#text, child.end);
    // A comment between the value and its comma stays.
    const between = this.#text.slice(child.end, comma);
    if (between.trim() === "") {
      return this.#bareRemoval({ ...child, end: comma + 1 });
    }
    const { start } = child;
    return { start, end: comma + 1, text: this.#comments(child) + between };
  }

  /** Removes the text, and its line if nothing else is on it. */
  #bareRemoval(child: Child): TextEdit {
    const { start, end } = child;
    const text = this.#text;
    const kept = this.#comments(child);
    if (kept !== "") {
      const isLineEnd = /^[ \t]*\r?(\n|$)/.test(text.slice(end));
      return { start, end, text: isLineEnd ? kept.trimEnd() : kept };
    }
    const lineStart = text.lastIndexOf("\n", start - 1) + 1;
    const lineEnd = text.indexOf("\n", end);
    const isAlone = lineEnd >= 0 &&
      text.slice(lineStart, start).trim() === "" &&
      text.slice(end, lineEnd).trim() === "";
    return isAlone
      ? { start: lineStart, end: lineEnd + 1, text: "" }
      : { start, end, text: "" };
  }

  /** Returns the comments within a child, as text that anything may follow. */
  #comments({ start, end }: Child): string {
    const comments: string[] = [];
    let at = start;
    while (at < end) {
      const next = skipComment(this.#text, at);
      if (next > at) comments.push(this.#text.slice(at, next).trimEnd());
      at = next > at ? next : this.#afterSign(at);
    }
    const line = this.#style.newline + this.#style.indentAt(start);
    return comments.map((one) => one + (one.startsWith("//") ? line : ""))
      .join("");
  }

  /** Returns the place after the string or the character at `at`. */
  #afterSign(at: number): number {
    if (this.#text[at] !== '"') return at + 1;
    let next = at + 1;
    while (this.#text[next] !== '"') next += this.#text[next] === "\\" ? 2 : 1;
    return next + 1;
  }

  /** Inserts `pieces` after `children`, the first ones of `node`. */
  #insertion(
    node: Container,
    children: readonly Child[],
    pieces: readonly string[],
  ): readonly TextEdit[] {
    if (pieces.length === 0) return [];
    const last = children.at(-1);
    if (last === undefined) {
      const isEmpty = node.kind === "array" ? node.items.length === 0 : true;
      return [
        isEmpty ? this.#filling(node, pieces) : this.#front(node, pieces),
      ];
    }
    const comma = skipTrivia(this.#text, last.end);
    const hasComma = this.#text[comma] === ",";
    const anchor = this.#style.afterComment(hasComma ? comma + 1 : last.end);
    const isSpread = this.#text.slice(node.start, last.start).includes("\n") ||
      this.#text.slice(last.end, anchor).includes("//");
    const gap = isSpread
      ? this.#style.newline + this.#style.childIndent(node)
      : " ";
    const added = pieces.map((piece) => gap + piece).join(",");
    const insertion = {
      start: anchor,
      end: anchor,
      text: hasComma ? `${added},` : added,
    };
    if (hasComma) return [insertion];
    return [{ start: last.end, end: last.end, text: "," }, insertion];
  }

  #front(node: Container, pieces: readonly string[]): TextEdit {
    const at = node.start + 1;
    const isSpread = /^[ \t]*\r?\n/.test(this.#text.slice(at));
    const indent = this.#style.newline + this.#style.childIndent(node);
    const text = isSpread
      ? pieces.map((piece) => `${indent}${piece},`).join("")
      : pieces.map((piece) => `${piece}, `).join("");
    return { start: at, end: at, text };
  }

  #filling(node: Container, pieces: readonly string[]): TextEdit {
    const at = node.end - 1;
    const indent = this.#style.indentAt(node.start);
    const gap = this.#style.newline + indent + this.#style.unit;
    const text = pieces.map((piece) => gap + piece).join(",") +
      this.#style.newline + indent;
    const start = at -
      (/[ \t\r\n]*$/.exec(this.#text.slice(0, at))?.[0].length ?? 0);
    const isAfterComment = start > node.start + 1;
    return { start: isAfterComment ? start : node.start + 1, end: at, text };
  }
}

/** Returns what lies between the items that are equal at both ends. */
function middle(
  items: readonly JsonNode[],
  after: readonly unknown[],
): {
  readonly head: number;
  readonly from: readonly JsonNode[];
  readonly to: readonly unknown[];
} {
  const shorter = Math.min(items.length, after.length);
  let head = 0;
  while (head < shorter && isSame(items[head], after[head])) head += 1;
  let tail = 0;
  while (
    tail < shorter - head && isSame(items.at(-1 - tail), after.at(-1 - tail))
  ) tail += 1;
  return {
    head,
    from: items.slice(head, items.length - tail),
    to: after.slice(head, after.length - tail),
  };
}

function isSame(node: JsonNode | undefined, value: unknown): boolean {
  return node !== undefined && isDeepStrictEqual(toValue(node), value);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

type Container = Extract<JsonNode, { kind: "object" | "array" }>;

const DEFAULT_INDENT = "  ";

/**
 * The layout of one text: its line ends, its indentation, comments at line
 * ends.
 */
class TextStyle {
  readonly newline: string;
  /** One step of indentation. */
  readonly unit: string;
  readonly #text: string;

  constructor(text: string) {
    this.#text = text;
    this.newline = text.includes("\r\n") ? "\r\n" : "\n";
    this.unit = /\n([ \t]+)"/.exec(text)?.[1] ?? DEFAULT_INDENT;
  }

  /** Returns the place after a comment on the same line as `at`. */
  afterComment(at: number): number {
    let next = at;
    while (/[ \t]/.test(this.#text.charAt(next))) next += 1;
    const end = skipComment(this.#text, next);
    const isHere = end > next && !this.#text.slice(next, end).includes("\n");
    if (!isHere) return at;
    return this.#text[end - 1] === "\r" ? end - 1 : end;
  }

  /** Returns the indentation of the children of `node`, existing or new. */
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

  /** Returns the blanks at the beginning of the line of `at`. */
  indentAt(at: number): string {
    const line = this.#text.slice(this.#text.lastIndexOf("\n", at - 1) + 1, at);
    return /^[ \t]*/.exec(line)?.[0] ?? "";
  }

  /** Returns `value` as text whose further lines are indented by `indent`. */
  spell(value: unknown, indent: string): string {
    return JSON.stringify(value, null, this.unit)
      .replaceAll("\n", this.newline + indent);
  }
}

/**
 * Parses JSON with comments and trailing commas and keeps the place of every
 * value, so that a file can be changed without touching what a person wrote
 * around it.
 *
 * @module
 */

export type JsonNode =
  | {
    readonly kind: "object";
    readonly start: number;
    readonly end: number;
    readonly members: readonly JsonMember[];
  }
  | {
    readonly kind: "array";
    readonly start: number;
    readonly end: number;
    readonly items: readonly JsonNode[];
  }
  | {
    readonly kind: "scalar";
    readonly start: number;
    readonly end: number;
    readonly value: string | number | boolean | null;
  };

interface JsonMember {
  readonly key: string;
  readonly start: number;
  readonly value: JsonNode;
}

const DEPTH_MAX = 64;

/**
 * Text that is not JSON, with the line and column of the fault (both from 1).
 */
export class JsoncError extends SyntaxError {
  readonly line: number;
  readonly column: number;

  constructor(reason: string, text: string, at: number) {
    const before = text.slice(0, at).split("\n");
    const line = before.length;
    const column = (before.at(-1)?.length ?? 0) + 1;
    super(`${reason} at line ${line}, column ${column}`);
    this.name = "JsoncError";
    this.line = line;
    this.column = column;
  }
}

/** Returns the tree of `text`. Throws {@linkcode JsoncError}. */
export function parseJsonc(text: string): JsonNode {
  const parser = new Parser(text);
  return parser.whole();
}

/** Returns the plain value of a tree, keys in their order. */
export function toValue(node: JsonNode): unknown {
  switch (node.kind) {
    case "object":
      return Object.fromEntries(
        node.members.map(({ key, value }) => [key, toValue(value)]),
      );
    case "array":
      return node.items.map(toValue);
    case "scalar":
      return node.value;
  }
}

/**
 * Returns the place after blanks and comments from `at` on, which may be the
 * text's end.
 */
export function skipTrivia(text: string, at: number): number {
  for (let next = at;;) {
    const start = next;
    while (/[\s\uFEFF]/.test(text.charAt(next))) next += 1;
    next = skipComment(text, next);
    if (next === start) return next;
  }
}

/** Returns the place after the comment at `at`, or `at` if there is none. */
export function skipComment(text: string, at: number): number {
  if (text.startsWith("//", at)) {
    const end = text.indexOf("\n", at);
    return end < 0 ? text.length : end;
  }
  if (!text.startsWith("/*", at)) return at;
  const end = text.indexOf("*/", at + 2);
  if (end < 0) throw new JsoncError("Unterminated comment", text, at);
  return end + 2;
}

const SCALAR =
  /"(?:[^"\\\n]|\\.)*"|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|true\b|false\b|null\b/y;

class Parser {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  whole(): JsonNode {
    const node = this.#value(0);
    this.#skip();
    if (this.#at < this.#text.length) throw this.#unexpected();
    return node;
  }

  #value(depth: number): JsonNode {
    this.#skip();
    if (depth > DEPTH_MAX) throw this.#fault("Nested too deep");
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
    }
    return this.#scalar();
  }

  #object(depth: number): JsonNode {
    const start = this.#at++;
    const members: JsonMember[] = [];
    const keys = new Set<string>();
    while (!this.#closes("}")) {
      const keyStart = this.#at;
      const { value: key } = this.#scalar();
      if (typeof key !== "string") {
        throw new JsoncError("Unquoted key", this.#text, keyStart);
      }
      if (keys.has(key)) {
        throw new JsoncError(`Duplicate key "${key}"`, this.#text, keyStart);
      }
      keys.add(key);
      this.#expect(":");
      members.push({ key, start: keyStart, value: this.#value(depth + 1) });
      this.#separates("}");
    }
    return { kind: "object", start, end: this.#at, members };
  }

  #array(depth: number): JsonNode {
    const start = this.#at++;
    const items: JsonNode[] = [];
    while (!this.#closes("]")) {
      items.push(this.#value(depth + 1));
      this.#separates("]");
    }
    return { kind: "array", start, end: this.#at, items };
  }

  #scalar(): Extract<JsonNode, { kind: "scalar" }> {
    const start = this.#at;
    SCALAR.lastIndex = start;
    const word = SCALAR.exec(this.#text)?.[0];
    if (word === undefined) throw this.#unexpected();
    const end = start + word.length;
    try {
      const value = JSON.parse(word);
      this.#at = end;
      return { kind: "scalar", start, end, value };
    } catch {
      throw this.#fault("Invalid character or escape in string");
    }
  }

  #closes(bracket: string): boolean {
    this.#skip();
    if (this.#text[this.#at] !== bracket) return false;
    this.#at += 1;
    return true;
  }

  #separates(bracket: string): void {
    this.#skip();
    if (this.#text[this.#at] === ",") this.#at += 1;
    else if (this.#text[this.#at] !== bracket) throw this.#unexpected();
  }

  #expect(sign: string): void {
    this.#skip();
    if (this.#text[this.#at] !== sign) throw this.#unexpected();
    this.#at += 1;
  }

  #skip(): void {
    this.#at = skipTrivia(this.#text, this.#at);
  }

  #unexpected(): JsoncError {
    const sign = this.#text[this.#at];
    return this.#fault(
      sign === undefined
        ? "The text ends"
        : `Unexpected ${JSON.stringify(sign)}`,
    );
  }

  #fault(reason: string): JsoncError {
    return new JsoncError(reason, this.#text, this.#at);
  }
}

/**
 * JSON as people write it by hand: comments and trailing commas are read over,
 * and a fault is told by line, column and what was expected there.
 *
 * @module
 */

/** Where a text stops being JSON. Line and column count from 1. */
export interface JsonFault {
  readonly line: number;
  readonly column: number;
  /** For example `expected a comma or "}"`. */
  readonly reason: string;
}

export type JsonReading =
  | { readonly kind: "value"; readonly value: unknown }
  | { readonly kind: "fault"; readonly fault: JsonFault };

/** Deeper nesting is refused rather than overflowing the stack. */
const DEPTH_MAX = 200;

const LITERALS: Readonly<Record<string, boolean | null>> = {
  true: true,
  false: false,
  null: null,
};

/** Reads `text` as one JSON value; never throws. */
export function readJson(text: string): JsonReading {
  const reader = new Reader(text.startsWith("\uFEFF") ? text.slice(1) : text);
  try {
    return { kind: "value", value: reader.document() };
  } catch (cause) {
    if (cause instanceof Fault) return { kind: "fault", fault: cause.fault };
    throw cause;
  }
}

class Fault extends Error {
  readonly fault: JsonFault;

  constructor(fault: JsonFault) {
    super(fault.reason);
    this.fault = fault;
  }
}

class Reader {
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  document(): unknown {
    const value = this.#value(0);
    this.#skip();
    if (this.#at < this.#text.length) {
      this.#fail("expected the end of the file");
    }
    return value;
  }

  #value(depth: number): unknown {
    if (depth > DEPTH_MAX) this.#fail(`more than ${DEPTH_MAX} levels deep`);
    this.#skip();
    const first = this.#text[this.#at];
    if (first === "{") return this.#object(depth);
    if (first === "[") return this.#array(depth);
    if (first === '"') return this.#string();
    return this.#bare();
  }

  #object(depth: number): Record<string, unknown> {
    this.#at++;
    const entries: [string, unknown][] = [];
    while (true) {
      this.#skip();
      if (this.#take("}")) return Object.fromEntries(entries);
      if (this.#text[this.#at] !== '"') this.#fail('expected a "name" or "}"');
      const name = this.#string();
      this.#skip();
      if (!this.#take(":")) this.#fail(`expected ":" after "${name}"`);
      const value = this.#value(depth + 1);
      entries.push([name, value]);
      this.#skip();
      if (this.#take(",") || this.#text[this.#at] === "}") continue;
      this.#fail(`expected a comma or "}" after "${name}"`);
    }
  }

  #array(depth: number): unknown[] {
    this.#at++;
    const values: unknown[] = [];
    while (true) {
      this.#skip();
      if (this.#take("]")) return values;
      values.push(this.#value(depth + 1));
      this.#skip();
      if (this.#take(",") || this.#text[this.#at] === "]") continue;
      this.#fail('expected a comma or "]"');
    }
  }

  #string(): string {
    const start = this.#at;
    let end = start + 1;
    while (end < this.#text.length && this.#text[end] !== '"') {
      if (this.#text[end] === "\n") break;
      end += this.#text[end] === "\\" ? 2 : 1;
    }
    if (this.#text[end] !== '"') this.#fail("this text has no closing quote");
    this.#at = end + 1;
    try {
      return JSON.parse(this.#text.slice(start, this.#at)) as string;
    } catch {
      this.#at = start;
      return this.#fail(
        "this text holds a wrong escape or a control character",
      );
    }
  }

  #bare(): unknown {
    const match = /^[^\s,:[\]{}"/]+/.exec(
      this.#text.slice(this.#at, this.#at + 400),
    );
    const word = match?.[0] ?? "";
    if (word in LITERALS) {
      this.#at += word.length;
      return LITERALS[word];
    }
    if (/^-?(0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?$/.test(word)) {
      this.#at += word.length;
      return Number(word);
    }
    return this.#fail("expected a value");
  }

  /** Goes over white space and comments. */
  #skip(): void {
    const pattern = /(?:\s+|\/\/[^\n]*|\/\*[\s\S]*?\*\/)*/y;
    pattern.lastIndex = this.#at;
    this.#at += pattern.exec(this.#text)?.[0].length ?? 0;
  }

  #take(char: string): boolean {
    if (this.#text[this.#at] !== char) return false;
    this.#at++;
    return true;
  }

  #fail(reason: string): never {
    const before = this.#text.slice(0, this.#at);
    const line = before.split("\n").length;
    const column = before.length - before.lastIndexOf("\n");
    const ended = this.#at >= this.#text.length ? ", but the file ends" : "";
    throw new Fault({ line, column, reason: `${reason}${ended}` });
  }
}

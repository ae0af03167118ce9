/**
 * Wire room: walking JSON that stays bytes. Nothing is copied, no tree is
 * built and nothing is validated beyond what the walk needs: strings are
 * jumped over, nesting is counted. What cannot be walked ends in `BROKEN`.
 *
 * @module
 */

/** In place of an index: the bytes are no JSON or end too soon. */
export const BROKEN = -1;

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Strings shorter than this are walked, the rest searched: that is fastest. */
const SEARCH_FROM_BYTES = 64;

/** Longer strings are never names, ids or types. */
export const SHORT_TEXT_BYTES_MAX = 4_096;

const DECODER = new TextDecoder();

/**
 * Called for each member of an object: where the key's text begins and ends
 * (without quotes) and where the value begins. Answers where the value ends.
 */
export type MemberVisitor = (
  keyStart: number,
  keyEnd: number,
  valueAt: number,
) => number;

/** Sees every string that {@linkcode valueEnd} passes at any depth, keys too. */
export interface StringWatch {
  /** From the opening quote to after the closing one. */
  string(bytes: Uint8Array, start: number, end: number): void;
}

/** The index of the first byte from `at` that is no whitespace. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  let index = at;
  for (; index < bytes.length; index++) {
    const byte = bytes[index];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
  }
  return index;
}

/** The index after the string whose opening quote is at `at`. */
export function stringEnd(bytes: Uint8Array, at: number): number {
  let index = at + 1;
  while (index < bytes.length) {
    const nearEnd = Math.min(bytes.length, index + SEARCH_FROM_BYTES);
    for (; index < nearEnd; index++) {
      const byte = bytes[index];
      if (byte === QUOTE) return index + 1;
      if (byte === BACKSLASH) index++;
    }
    const quote = bytes.indexOf(QUOTE, index);
    if (quote === -1) return BROKEN;
    if (!isEscaped(bytes, quote)) return quote + 1;
    // Escapes come in crowds, as in source code: those are walked again.
    index = quote + 1;
  }
  return BROKEN;
}

/** Whether an odd run of backslashes ends at `quote`; an even one escapes itself. */
function isEscaped(bytes: Uint8Array, quote: number): boolean {
  let escapes = quote;
  while (bytes[escapes - 1] === BACKSLASH) escapes--;
  return (quote - escapes) % 2 === 1;
}

/** The index after the value at `at`, however deep it nests. */
export function valueEnd(
  bytes: Uint8Array,
  at: number,
  watch: StringWatch | null = null,
): number {
  const byte = bytes[at];
  if (byte === QUOTE) return stringEnd(bytes, at);
  if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
    return nestEnd(bytes, at, watch);
  }
  return scalarEnd(bytes, at);
}

function nestEnd(
  bytes: Uint8Array,
  at: number,
  watch: StringWatch | null,
): number {
  let depth = 0;
  let index = at;
  while (index < bytes.length) {
    const byte = bytes[index];
    if (byte === QUOTE) {
      const end = stringEnd(bytes, index);
      if (end === BROKEN) return BROKEN;
      watch?.string(bytes, index, end);
      index = end;
      continue;
    }
    index++;
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
    if (depth === 0) return index;
  }
  return BROKEN;
}

/** Numbers and words: at least one byte that no structure is made of. */
function scalarEnd(bytes: Uint8Array, at: number): number {
  let index = at;
  for (; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0;
    if (byte <= 0x20 || byte === COMMA || byte === COLON) break;
    if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) break;
  }
  return index === at ? BROKEN : index;
}

/**
 * Walks the object at `at` and answers the index after it. The visitor gets
 * every member as it comes, a repeated key again.
 */
export function walkObject(
  bytes: Uint8Array,
  at: number,
  visit: MemberVisitor,
): number {
  if (bytes[at] !== OPEN_BRACE) return BROKEN;
  let index = skipSpace(bytes, at + 1);
  if (bytes[index] === CLOSE_BRACE) return index + 1;
  while (bytes[index] === QUOTE) {
    const keyStart = index + 1;
    const keyEnd = stringEnd(bytes, index);
    if (keyEnd === BROKEN) return BROKEN;
    const valueAt = memberValueAt(bytes, keyEnd);
    if (valueAt === BROKEN) return BROKEN;
    const end = visit(keyStart, keyEnd - 1, valueAt);
    if (end === BROKEN) return BROKEN;
    index = skipSpace(bytes, end);
    if (bytes[index] === CLOSE_BRACE) return index + 1;
    if (bytes[index] !== COMMA) return BROKEN;
    index = skipSpace(bytes, index + 1);
  }
  return BROKEN;
}

/** Walks the array at `at`; the visitor gets each item and answers its end. */
export function walkArray(
  bytes: Uint8Array,
  at: number,
  visit: (itemAt: number) => number,
): number {
  if (bytes[at] !== OPEN_BRACKET) return BROKEN;
  let index = skipSpace(bytes, at + 1);
  if (bytes[index] === CLOSE_BRACKET) return index + 1;
  while (index < bytes.length) {
    const end = visit(index);
    if (end === BROKEN) return BROKEN;
    index = skipSpace(bytes, end);
    if (bytes[index] === CLOSE_BRACKET) return index + 1;
    if (bytes[index] !== COMMA) return BROKEN;
    index = skipSpace(bytes, index + 1);
  }
  return BROKEN;
}

/** Where the value begins if the string before `keyEnd` is a key, else BROKEN. */
export function memberValueAt(bytes: Uint8Array, keyEnd: number): number {
  const colon = skipSpace(bytes, keyEnd);
  return bytes[colon] === COLON ? skipSpace(bytes, colon + 1) : BROKEN;
}

/** Where the value of the member `name` of the object at `at` begins, or BROKEN. */
export function memberAt(
  bytes: Uint8Array,
  at: number,
  name: string,
): number {
  let found = BROKEN;
  walkObject(bytes, at, (keyStart, keyEnd, valueAt) => {
    if (isKey(bytes, [keyStart, keyEnd], name)) found = valueAt;
    return valueEnd(bytes, valueAt);
  });
  return found;
}

export function isObjectAt(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === OPEN_BRACE;
}

export function isArrayAt(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === OPEN_BRACKET;
}

export function isStringAt(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === QUOTE;
}

/** Whether the ASCII `text` stands at `at`. */
export function startsWithAt(
  bytes: Uint8Array,
  at: number,
  text: string,
): boolean {
  if (at < 0 || at + text.length > bytes.length) return false;
  for (let index = 0; index < text.length; index++) {
    if (bytes[at + index] !== text.charCodeAt(index)) return false;
  }
  return true;
}

/** Whether the key is `name`, also where it is written with escapes. */
export function isKey(
  bytes: Uint8Array,
  [start, end]: readonly [start: number, end: number],
  name: string,
): boolean {
  const length = end - start;
  if (length === name.length) return startsWithAt(bytes, start, name);
  const isLonger = length > name.length && length <= name.length * 6;
  if (!isLonger || !bytes.subarray(start, end).includes(BACKSLASH)) {
    return false;
  }
  return shortTextAt(bytes, start - 1) === name;
}

/** The string at `at` decoded, if one is there and is not long, else null. */
export function shortTextAt(bytes: Uint8Array, at: number): string | null {
  if (at < 0 || !isStringAt(bytes, at)) return null;
  const end = stringEnd(bytes, at);
  if (end === BROKEN || end - at > SHORT_TEXT_BYTES_MAX) return null;
  try {
    const parsed: unknown = JSON.parse(
      DECODER.decode(bytes.subarray(at, end)),
    );
    return typeof parsed === "string" ? parsed : null;
  } catch {
    // A raw control character or a broken escape: no string, then.
    return null;
  }
}

/** The number or word at `at` as written (`true`, `128000`), else null. */
export function scalarAt(bytes: Uint8Array, at: number): string | null {
  const end = at < 0 ? BROKEN : scalarEnd(bytes, at);
  if (end === BROKEN || end - at > 32) return null;
  return DECODER.decode(bytes.subarray(at, end));
}

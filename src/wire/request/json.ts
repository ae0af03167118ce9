/**
 * Reads JSON of others without trusting it: walks over its bytes, or parses it.
 *
 * A walk builds no tree and validates no more than it needs: strings are skipped
 * and nesting is counted. Where it cannot go on it returns `BROKEN`.
 *
 * @module
 */

import { BROKEN } from "./byte_walk.ts";
import type { JsonSource, StringWatch } from "./json_source.ts";

const QUOTE = 0x22;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Names, ids and types are never longer. */
export const SHORT_TEXT_BYTES_MAX = 4_096;

const DECODER = new TextDecoder();

/**
 * Called for each member of an object with where the key's text begins and ends
 * (without quotes) and where the value begins. Returns where the value ends.
 */
type MemberVisitor = (
  keyStart: number,
  keyEnd: number,
  valueAt: number,
) => number;

/** Returns the index of the first byte from `at` on that is not whitespace. */
export function skipSpace(bytes: Uint8Array, at: number): number {
  let index = at;
  for (; index < bytes.length; index++) {
    const byte = bytes[index];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) break;
  }
  return index;
}

/** Returns the index after the string whose opening quote is at `at`. */
export function stringEnd(source: JsonSource, at: number): number {
  return source.stringEnd(at);
}

/** Returns the index after the value at `at`, however deeply it is nested. */
export function valueEnd(
  source: JsonSource,
  at: number,
  watch: StringWatch | null = null,
): number {
  const { bytes } = source;
  const byte = bytes[at];
  if (byte === QUOTE) return stringEnd(source, at);
  if (byte === OPEN_BRACE || byte === OPEN_BRACKET) {
    return source.nestEnd(at, watch);
  }
  return scalarEnd(source, at);
}

/** Returns the index after a number or word of at least one byte. */
function scalarEnd(source: JsonSource, at: number): number {
  const { bytes } = source;
  let index = at;
  for (; index < bytes.length; index++) {
    const byte = bytes[index] ?? 0;
    if (byte <= 0x20 || byte === COMMA || byte === COLON) break;
    if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) break;
  }
  return index === at ? BROKEN : index;
}

/**
 * Walks the object at `at` and returns the index after it. The visitor gets
 * every member in order, a repeated key each time.
 */
export function walkObject(
  source: JsonSource,
  at: number,
  visit: MemberVisitor,
): number {
  const { bytes } = source;
  if (bytes[at] !== OPEN_BRACE) return BROKEN;
  let index = skipSpace(bytes, at + 1);
  if (bytes[index] === CLOSE_BRACE) return index + 1;
  while (bytes[index] === QUOTE) {
    const keyStart = index + 1;
    const keyEnd = stringEnd(source, index);
    if (keyEnd === BROKEN) return BROKEN;
    const valueAt = memberValueAt(source, keyEnd);
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

/** Walks the array at `at`; the visitor gets each item and returns its end. */
export function walkArray(
  source: JsonSource,
  at: number,
  visit: (itemAt: number) => number,
): number {
  const { bytes } = source;
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

/** Returns where the value begins if a key ends at `keyEnd`, else BROKEN. */
export function memberValueAt(source: JsonSource, keyEnd: number): number {
  const { bytes } = source;
  const colon = skipSpace(bytes, keyEnd);
  return bytes[colon] === COLON ? skipSpace(bytes, colon + 1) : BROKEN;
}

/** Returns where the value of `name` in the object at `at` begins, or BROKEN. */
export function memberAt(
  source: JsonSource,
  at: number,
  name: string,
): number {
  let found = BROKEN;
  walkObject(source, at, (keyStart, keyEnd, valueAt) => {
    if (isKey(source, [keyStart, keyEnd], name)) found = valueAt;
    return valueEnd(source, valueAt);
  });
  return found;
}

export function isObjectAt({ bytes }: JsonSource, at: number): boolean {
  return bytes[at] === OPEN_BRACE;
}

export function isArrayAt({ bytes }: JsonSource, at: number): boolean {
  return bytes[at] === OPEN_BRACKET;
}

export function isStringAt({ bytes }: JsonSource, at: number): boolean {
  return bytes[at] === QUOTE;
}

/** Whether the ASCII `text` begins at `at`. */
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

/** Whether the key is `name`, also if it is written with escapes. */
export function isKey(
  source: JsonSource,
  [start, end]: readonly [start: number, end: number],
  name: string,
): boolean {
  const { bytes } = source;
  const length = end - start;
  if (length === name.length) return startsWithAt(bytes, start, name);
  const isLonger = length > name.length && length <= name.length * 6;
  if (!isLonger || !hasEscape(bytes, start, end)) return false;
  return shortTextAt(source, start - 1) === name;
}

function hasEscape(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    if (bytes[at] === BACKSLASH) return true;
  }
  return false;
}

/** Returns the decoded string at `at` if there is one and it is short, else null. */
export function shortTextAt(source: JsonSource, at: number): string | null {
  if (at < 0 || !isStringAt(source, at)) return null;
  const end = stringEnd(source, at);
  if (end === BROKEN || end - at > SHORT_TEXT_BYTES_MAX) return null;
  const { bytes } = source;
  if (isPlain(bytes, at + 1, end - 1)) {
    return bytes.toString("utf8", at + 1, end - 1);
  }
  try {
    const parsed: unknown = JSON.parse(
      DECODER.decode(bytes.subarray(at, end)),
    );
    return typeof parsed === "string" ? parsed : null;
  } catch {
    // A raw control character or a broken escape: it is not a string.
    return null;
  }
}

/** Whether the characters are as written: ASCII, no escape, no control. */
function isPlain(bytes: Uint8Array, start: number, end: number): boolean {
  for (let at = start; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x20 || byte > 0x7e || byte === BACKSLASH) return false;
  }
  return true;
}

/** Returns the number or word at `at` as written (`true`, `128000`), else null. */
export function scalarAt(source: JsonSource, at: number): string | null {
  const { bytes } = source;
  const end = at < 0 ? BROKEN : scalarEnd(source, at);
  if (end === BROKEN || end - at > 32) return null;
  return bytes.toString("utf8", at, end);
}

export type JsonObject = Readonly<Record<string, unknown>>;

/** Returns the value in `bytes`, or null if they are not JSON. Never throws. */
export function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(DECODER.decode(bytes));
  } catch {
    // Incomplete or not JSON: nothing can be known from it.
    return null;
  }
}

export function asObject(value: unknown): JsonObject | null {
  return isObject(value) ? value : null;
}

export function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function asText(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

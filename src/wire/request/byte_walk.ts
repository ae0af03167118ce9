/**
 * The inner loops of a walk over JSON, byte by byte: for short texts, and for
 * processors that cannot take sixteen bytes at a time (`simd_walk.wat`).
 *
 * @module
 */

/** Instead of an index: the bytes are not JSON or end too early. */
export const BROKEN = -1;

const QUOTE = 0x22;
const OPEN_BRACKET = 0x5b;
const BACKSLASH = 0x5c;
const CLOSE_BRACKET = 0x5d;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;

/** Where a string begins and ends, with its quotes. */
type FoundString = (start: number, end: number) => void;

/** Returns the index of the first quote from `at` on that is not escaped, or -1. */
export function quoteFrom(bytes: Uint8Array, at: number): number {
  for (let index = at; index < bytes.length; index++) {
    if (bytes[index] === QUOTE && !isEscaped(bytes, index)) return index;
  }
  return BROKEN;
}

/** Whether an odd number of backslashes stands before `quote`. */
function isEscaped(bytes: Uint8Array, quote: number): boolean {
  let at = quote;
  while (bytes[at - 1] === BACKSLASH) at--;
  return (quote - at) % 2 === 1;
}

/**
 * Returns the index after the object or array that begins at `at`, or BROKEN.
 * `found` is told of each string in it, names too, that may be `"data"` or
 * `"cache_control"`.
 */
export function nestEnd(
  bytes: Uint8Array,
  at: number,
  found: FoundString | null,
): number {
  let depth = 0;
  let index = at;
  while (index < bytes.length) {
    const byte = bytes[index];
    if (byte === QUOTE) {
      const quote = quoteFrom(bytes, index + 1);
      if (quote === BROKEN) return BROKEN;
      if (found !== null && mayBeNoted(bytes, index, quote + 1)) {
        found(index, quote + 1);
      }
      index = quote + 1;
      continue;
    }
    index++;
    if (byte === OPEN_BRACE || byte === OPEN_BRACKET) depth++;
    else if (byte === CLOSE_BRACE || byte === CLOSE_BRACKET) depth--;
    else continue;
    if (depth === 0) return index;
  }
  return BROKEN;
}

/** Whether a string has the length and the first letter of one of the two. */
function mayBeNoted(bytes: Uint8Array, start: number, end: number): boolean {
  const letter = bytes[start + 1];
  return (end - start === 6 && letter === 0x64) ||
    (end - start === 15 && letter === 0x63);
}

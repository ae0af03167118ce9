/**
 * Byte strings put together, for the demo.
 *
 * @module
 */

/** All of `pieces` in one. */
export function joined(
  pieces: readonly Uint8Array[],
): Uint8Array<ArrayBuffer> {
  const size = pieces.reduce((sum, piece) => sum + piece.length, 0);
  const whole = new Uint8Array(size);
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}

/** `value` as bytes; a text in UTF-8. */
export function bytesOf(value: string | Uint8Array): Uint8Array {
  return typeof value === "string" ? new TextEncoder().encode(value) : value;
}

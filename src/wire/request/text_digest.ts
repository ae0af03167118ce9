/**
 * Wire room: a cheap 64-bit digest, to tell conversations apart. It is no
 * protection: whoever wants two equal digests can make them.
 *
 * @module
 */

/** Of a longer span both ends and the length count, and not its middle. */
const SPAN_BYTES_MAX = 16 * 1024;

/** Two lanes of 32 bits over all spans that were added, in their order. */
export class TextDigest {
  #low = 0x811c9dc5;
  #high = 0x9747b28c;

  /** Adds the bytes from `start` to before `end`, and their number. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length <= SPAN_BYTES_MAX) {
      this.#mixSpan(bytes, start, end);
    } else {
      const half = SPAN_BYTES_MAX / 2;
      this.#mixSpan(bytes, start, start + half);
      this.#mixSpan(bytes, end - half, end);
    }
    this.#mix(length);
  }

  /** Sixteen hexadecimal digits. */
  hex(): string {
    return hex32(finish(this.#high)) + hex32(finish(this.#low));
  }

  #mixSpan(bytes: Uint8Array, start: number, end: number): void {
    let low = this.#low;
    let high = this.#high;
    for (let index = start; index < end; index += 4) {
      // Past the end of the span stands nothing, which mixes as 0.
      const word = (bytes[index] ?? 0) |
        (index + 1 < end ? (bytes[index + 1] ?? 0) << 8 : 0) |
        (index + 2 < end ? (bytes[index + 2] ?? 0) << 16 : 0) |
        (index + 3 < end ? (bytes[index + 3] ?? 0) << 24 : 0);
      low = Math.imul(low ^ word, 0x01000193);
      low ^= low >>> 15;
      high = Math.imul(high ^ word, 0x5bd1e995);
      high ^= high >>> 13;
    }
    this.#low = low;
    this.#high = high;
  }

  #mix(word: number): void {
    const low = Math.imul(this.#low ^ word, 0x01000193);
    this.#low = low ^ (low >>> 15);
    const high = Math.imul(this.#high ^ word, 0x5bd1e995);
    this.#high = high ^ (high >>> 13);
  }
}

function finish(word: number): number {
  const once = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return (twice ^ (twice >>> 16)) >>> 0;
}

function hex32(word: number): string {
  return word.toString(16).padStart(8, "0");
}

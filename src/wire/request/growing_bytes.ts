/**
 * Wire room: a buffer for pieces that make a whole only together.
 *
 * @module
 */

/** Bytes that are appended piece by piece, in amortised constant time each. */
export class GrowingBytes {
  #bytes = new Uint8Array(0);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  append(from: Uint8Array, start: number, end: number): void {
    const length = this.#length + end - start;
    if (length > this.#bytes.length) {
      const grown = new Uint8Array(Math.max(length, this.#bytes.length * 2));
      grown.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = grown;
    }
    this.#bytes.set(from.subarray(start, end), this.#length);
    this.#length = length;
  }

  /** All of them, until the next `append` or `take`. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** All of them; afterwards there are none. */
  take(): Uint8Array {
    const taken = this.view();
    this.#bytes = new Uint8Array(0);
    this.#length = 0;
    return taken;
  }
}

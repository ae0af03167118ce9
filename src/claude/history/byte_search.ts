/**
 * Searches bytes for ASCII text without decoding them, in steps as long as the
 * text, as Boyer, Moore and Horspool do.
 *
 * @module
 */

export class Needle {
  readonly #bytes: Uint8Array;
  /** For each byte: how far to move on where it is the last, or the first, one. */
  readonly #forward: Uint8Array;
  readonly #back: Uint8Array;

  /** `text` is ASCII, of 255 characters at most. */
  constructor(text: string) {
    const bytes = new TextEncoder().encode(text);
    const last = bytes.length - 1;
    this.#bytes = bytes;
    this.#forward = new Uint8Array(256).fill(bytes.length);
    this.#back = new Uint8Array(256).fill(bytes.length);
    for (let at = 0; at < last; at++) this.#forward[bytes[at] ?? 0] = last - at;
    for (let at = last; at > 0; at--) this.#back[bytes[at] ?? 0] = at;
  }

  get length(): number {
    return this.#bytes.length;
  }

  /** Returns where the text begins first, as a whole within the span, or -1. */
  first(bytes: Uint8Array, from = 0, to = bytes.length): number {
    const last = this.#bytes.length - 1;
    const closing = this.#bytes[last];
    const shifts = this.#forward;
    for (let at = from + last; at < to;) {
      const byte = bytes[at] ?? 0;
      if (byte === closing && this.#isAt(bytes, at - last)) return at - last;
      at += shifts[byte] ?? 1;
    }
    return -1;
  }

  /** Returns where the text begins last, at `from` or after it, or -1. */
  last(bytes: Uint8Array, from = 0): number {
    const opening = this.#bytes[0];
    const shifts = this.#back;
    for (let at = bytes.length - this.#bytes.length; at >= from;) {
      const byte = bytes[at] ?? 0;
      if (byte === opening && this.#isAt(bytes, at)) return at;
      at -= shifts[byte] ?? 1;
    }
    return -1;
  }

  #isAt(bytes: Uint8Array, at: number): boolean {
    const wanted = this.#bytes;
    for (let index = 0; index < wanted.length; index++) {
      if (bytes[at + index] !== wanted[index]) return false;
    }
    return true;
  }
}

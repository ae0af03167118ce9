/**
 * The bytes of a JSON text, and where its strings and its objects end.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { BROKEN, nestEnd, quoteFrom } from "./byte_walk.ts";
import { SimdWalk } from "./simd_walk.ts";

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Names, types and ids mostly end within this many bytes. */
const NEAR_BYTES = 24;

/** For a shorter text it is not worth while to copy it. */
const SIMD_BYTES_MIN = 512;

/**
 * Gets every string that a walk passes at any depth, and every name, that may be
 * `"data"` or `"cache_control"`.
 */
export interface StringWatch {
  /** `start` is the opening quote, `end` the index after the closing one. */
  string(source: JsonSource, start: number, end: number): void;
}

/** The bytes of a JSON text, as a walk needs them. They must not change. */
export class JsonSource {
  readonly bytes: Buffer;
  readonly #simd: SimdWalk | null;

  constructor(bytes: Uint8Array) {
    this.bytes = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    this.#simd = bytes.length < SIMD_BYTES_MIN
      ? null
      : SimdWalk.of(bytes.length);
  }

  /** Returns the index after the string whose opening quote is at `at`. */
  stringEnd(at: number): number {
    const { bytes } = this;
    const nearEnd = Math.min(at + NEAR_BYTES, bytes.length);
    let index = at + 1;
    for (; index < nearEnd; index++) {
      if (bytes[index] === QUOTE) return index + 1;
      if (bytes[index] === BACKSLASH) break;
    }
    const quote = this.#simd === null
      ? quoteFrom(bytes, index)
      : this.#simd.quoteFrom(bytes, index);
    return quote === BROKEN ? BROKEN : quote + 1;
  }

  /** Returns the index after the object or array that begins at `at`. */
  nestEnd(at: number, watch: StringWatch | null): number {
    const found = watch === null
      ? null
      : (start: number, end: number) => watch.string(this, start, end);
    return this.#simd === null
      ? nestEnd(this.bytes, at, found)
      : this.#simd.nestEnd(this.bytes, at, found);
  }
}

/**
 * The inner loops of a walk over JSON in WebAssembly, sixteen bytes at a time
 * (`simd_walk.wat`). A conversation of 0.7 MB has 11,700 strings; byte by byte
 * or string by string its walk took longer than anything else that is done with
 * a request.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { SIMD_WALK } from "./simd_walk_built.ts";

/** The address of the first byte: before it is one that is 0. */
const BEGIN = 16;

/** The loops read whole blocks of this many bytes, also at the end. */
const BLOCK = 16;

const PAGE_BYTES = 64 * 1024;

/** Its memory stays as large as it once was, so a larger body gets its own. */
const SHARED_BYTES_MAX = 4 * 1024 * 1024;

type FoundString = (start: number, end: number) => void;

interface Loops {
  readonly memory: WebAssembly.Memory;
  readonly quoteFrom: (at: number, end: number) => number;
  readonly nestEnd: (at: number, end: number) => number;
}

/** Returns the compiled loops; null where the processor lacks what they need. */
function loops(): WebAssembly.Module | null {
  const code = Buffer.from(SIMD_WALK, "base64");
  return WebAssembly.validate(code) ? new WebAssembly.Module(code) : null;
}

/** Runs the loops over bytes, which it copies into their memory first. */
export class SimdWalk {
  static #code: WebAssembly.Module | null | undefined;
  static #shared: SimdWalk | null = null;

  /** Returns what walks over `bytes` bytes, or null if nothing here can. */
  static of(bytes: number): SimdWalk | null {
    const code = SimdWalk.#code === undefined
      ? SimdWalk.#code = loops()
      : SimdWalk.#code;
    if (code === null) return null;
    if (bytes > SHARED_BYTES_MAX) return new SimdWalk(code);
    return SimdWalk.#shared ??= new SimdWalk(code);
  }

  readonly #loops: Loops;
  readonly #found: (readonly [start: number, end: number])[] = [];
  #held: Uint8Array | null = null;

  private constructor(code: WebAssembly.Module) {
    const found: FoundString = (start, end) =>
      void this.#found.push([start - BEGIN, end - BEGIN]);
    const { exports } = new WebAssembly.Instance(code, { host: { found } });
    this.#loops = exports as unknown as Loops;
  }

  /** Returns what `quoteFrom` of `byte_walk.ts` returns. */
  quoteFrom(bytes: Uint8Array, at: number): number {
    this.#hold(bytes);
    const end = BEGIN + bytes.length;
    return indexOf(this.#loops.quoteFrom(BEGIN + at, end));
  }

  /** Returns what `nestEnd` of `byte_walk.ts` returns. */
  nestEnd(bytes: Uint8Array, at: number, found: FoundString | null): number {
    this.#hold(bytes);
    const end = this.#loops.nestEnd(BEGIN + at, BEGIN + bytes.length);
    if (this.#found.length === 0) return indexOf(end);
    // It is told afterwards: it may walk over other bytes, in the same memory.
    for (const each of this.#found.splice(0)) found?.(...each);
    return indexOf(end);
  }

  /** Takes `bytes` into the memory of the loops, unless they are there. */
  #hold(bytes: Uint8Array): void {
    if (this.#held === bytes) return;
    const { memory } = this.#loops;
    const lacking = BEGIN + bytes.length + BLOCK - memory.buffer.byteLength;
    if (lacking > 0) memory.grow(Math.ceil(lacking / PAGE_BYTES));
    new Uint8Array(memory.buffer).set(bytes, BEGIN);
    this.#held = bytes;
  }
}

/** Returns the index for an address; -1 is none for both. */
function indexOf(address: number): number {
  return address === -1 ? -1 : address - BEGIN;
}

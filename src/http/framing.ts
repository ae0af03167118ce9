/**
 * Finds the end of a body in the bytes of a connection and removes its transfer
 * coding (RFC 9112 6, 7.1). Trailers are dropped.
 *
 * @module
 */

import {
  type BodyEnd,
  COLON,
  CR,
  IS_TOKEN,
  IS_VALUE,
  LF,
  ProtocolError,
  SEMICOLON,
} from "./head.ts";

/** 13 hex digits are 52 bits, so every such size is exact as a number. */
const SIZE_DIGITS_MAX = 13;
/** For the extensions of one chunk, and for all trailers of a body together. */
const EXTRA_BYTES_MAX = 16 * 1024;

const NO_BYTES = new Uint8Array(0);

/** Follows one body through the reads of its connection. */
export interface BodyFraming {
  /** Whether the last byte of the body was taken. */
  readonly isDone: boolean;
  /** How many bytes the last `take` used up. */
  readonly consumedBytes: number;
  /** Whether the connection's end is a clean end of this body. */
  readonly endsByClose: boolean;
  /**
   * How many bytes are still to come, one after the other, and all of the body;
   * null where the framing is within them or nobody knows.
   */
  readonly leftBytes: number | null;
  /**
   * Returns the body bytes in `bytes`, in order: a view into `bytes`, whose
   * first `consumedBytes` may be rearranged for it. Throws ProtocolError.
   */
  take(bytes: Uint8Array): Uint8Array;
}

/** Returns the framing for a body that ends as `bodyEnd` says. */
export function framingFor(bodyEnd: BodyEnd): BodyFraming {
  switch (bodyEnd.kind) {
    case "none":
      return new LengthFraming(0);
    case "length":
      return new LengthFraming(bodyEnd.bytes);
    case "chunked":
      return new ChunkedFraming();
    case "close":
      return new CloseFraming();
  }
}

class LengthFraming implements BodyFraming {
  readonly endsByClose = false;
  consumedBytes = 0;
  leftBytes: number;

  constructor(bytes: number) {
    this.leftBytes = bytes;
  }

  get isDone(): boolean {
    return this.leftBytes === 0;
  }

  take(bytes: Uint8Array): Uint8Array {
    const count = Math.min(this.leftBytes, bytes.length);
    this.leftBytes -= count;
    this.consumedBytes = count;
    return count === bytes.length ? bytes : bytes.subarray(0, count);
  }
}

class CloseFraming implements BodyFraming {
  readonly endsByClose = true;
  readonly leftBytes = null;
  readonly isDone = false;
  consumedBytes = 0;

  take(bytes: Uint8Array): Uint8Array {
    this.consumedBytes = bytes.length;
    return bytes;
  }
}

type ChunkState =
  | "size_start"
  | "size"
  | "extension"
  | "size_lf"
  | "data"
  | "data_cr"
  | "data_lf"
  | "trailer_start"
  | "trailer_name"
  | "trailer"
  | "trailer_lf"
  | "end_lf"
  | "done";

class ChunkedFraming implements BodyFraming {
  readonly endsByClose = false;
  readonly leftBytes = null;
  consumedBytes = 0;
  #state: ChunkState = "size_start";
  /** While a size is read, the size so far; in data, the bytes to come. */
  #leftBytes = 0;
  #sizeDigits = 0;
  #extraBytes = 0;

  get isDone(): boolean {
    return this.#state === "done";
  }

  take(bytes: Uint8Array): Uint8Array {
    let at = 0;
    let dataAt = 0;
    let dataEnd = 0;
    while (at < bytes.length && this.#state !== "done") {
      if (this.#state !== "data") {
        this.#step(bytes[at++] ?? 0);
        continue;
      }
      const count = Math.min(this.#leftBytes, bytes.length - at);
      if (dataAt === dataEnd) dataAt = dataEnd = at;
      else bytes.copyWithin(dataEnd, at, at + count);
      dataEnd += count;
      at += count;
      this.#leftBytes -= count;
      if (this.#leftBytes === 0) this.#state = "data_cr";
    }
    this.consumedBytes = at;
    return dataAt === dataEnd ? NO_BYTES : bytes.subarray(dataAt, dataEnd);
  }

  /** Takes one byte that is not data. */
  #step(byte: number): void {
    switch (this.#state) {
      case "size_start":
        this.#leftBytes = 0;
        this.#sizeDigits = 0;
        this.#takeDigit(byte);
        this.#state = "size";
        return;
      case "size":
        if (byte === CR) this.#state = "size_lf";
        else if (byte === SEMICOLON) this.#state = "extension";
        else this.#takeDigit(byte);
        return;
      case "extension":
        if (byte === CR) this.#state = "size_lf";
        else this.#takeExtra(byte);
        return;
      case "size_lf":
        expect(byte, LF);
        // Each chunk has its own limit; all trailers share one.
        this.#extraBytes = 0;
        this.#state = this.#leftBytes === 0 ? "trailer_start" : "data";
        return;
      case "data_cr":
        expect(byte, CR);
        this.#state = "data_lf";
        return;
      case "data_lf":
        expect(byte, LF);
        this.#state = "size_start";
        return;
      case "trailer_start":
        if (byte === CR) this.#state = "end_lf";
        else this.#takeTrailerName(byte);
        return;
      case "trailer_name":
        if (byte === COLON) this.#state = "trailer";
        else this.#takeTrailerName(byte);
        return;
      case "trailer":
        if (byte === CR) this.#state = "trailer_lf";
        else this.#takeExtra(byte);
        return;
      case "trailer_lf":
        expect(byte, LF);
        this.#state = "trailer_start";
        return;
      case "end_lf":
        expect(byte, LF);
        this.#state = "done";
        return;
      case "data":
      case "done":
        return;
    }
  }

  #takeDigit(byte: number): void {
    const digit = hexDigit(byte);
    if (digit === null || this.#sizeDigits === SIZE_DIGITS_MAX) {
      throw new ProtocolError("a chunk has a malformed size");
    }
    this.#sizeDigits++;
    this.#leftBytes = this.#leftBytes * 16 + digit;
  }

  #takeTrailerName(byte: number): void {
    if (IS_TOKEN[byte] !== 1) {
      throw new ProtocolError("a trailer has an invalid name");
    }
    this.#takeExtra(byte);
    this.#state = "trailer_name";
  }

  #takeExtra(byte: number): void {
    if (IS_VALUE[byte] !== 1) {
      throw new ProtocolError("a control character between chunks");
    }
    if (++this.#extraBytes > EXTRA_BYTES_MAX) {
      throw new ProtocolError(`over ${EXTRA_BYTES_MAX} bytes beside the body`);
    }
  }
}

function expect(byte: number, wanted: number): void {
  if (byte === wanted) return;
  throw new ProtocolError("a chunk does not end where its size says");
}

function hexDigit(byte: number): number | null {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30;
  const lower = byte | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x57 : null;
}

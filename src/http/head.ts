/**
 * What the heads of requests and responses have in common (RFC 9112): which
 * bytes they may hold, where they end, their header lines, and how the body
 * after them ends. Strict: a message that two programs could read in two ways
 * is refused.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { HeaderList } from "../ports.ts";

const TAB = 0x09;
export const LF = 0x0a;
export const CR = 0x0d;
const SPACE = 0x20;
export const COLON = 0x3a;
export const SEMICOLON = 0x3b;
const DELETE = 0x7f;

/** 1 for each byte that a token, such as a header name or a method, may hold. */
export const IS_TOKEN: Uint8Array = tableOf((byte) =>
  /[!#$%&'*+.^_`|~0-9A-Za-z-]/.test(String.fromCharCode(byte))
);

/** 1 for each byte that a header value may hold: of the controls only the tab. */
export const IS_VALUE: Uint8Array = tableOf((byte) =>
  byte === TAB || (byte >= SPACE && byte !== DELETE)
);

function tableOf(holds: (byte: number) => boolean): Uint8Array {
  return Uint8Array.from({ length: 256 }, (_, byte) => holds(byte) ? 1 : 0);
}

/** The largest head of an answer, first line and blank line included. */
const HEAD_BYTES_MAX = 256 * 1024;
/** The most header lines of one head. */
const HEADER_LINES_MAX = 1_000;

const DIGITS = /^\d{1,15}$/;

/** The bytes are not an HTTP/1.1 message, or can be read in two ways. */
export class ProtocolError extends Error {}

/** How the end of a body is known. */
export type BodyEnd =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "close" };

/** A part of the bytes that a connection has read. */
export interface Window {
  readonly from: number;
  readonly to: number;
}

/**
 * Returns the index after the blank line that ends a head, or -1 if it has not
 * come yet. `scanFrom` skips the part of the window that an earlier call has
 * seen. Throws ProtocolError, also if the head is longer than `bytesMax`.
 */
export function findBlankLine(
  bytes: Uint8Array,
  { from, to }: Window,
  scanFrom: number,
  bytesMax: number = HEAD_BYTES_MAX,
): number {
  for (let at = scanFrom; at < to; at++) {
    if (bytes[at] !== LF) continue;
    if (at === from || bytes[at - 1] !== CR) {
      throw new ProtocolError("a line of the head ends without CR");
    }
    if (at - from >= 3 && bytes[at - 2] === LF) {
      if (at + 1 - from > bytesMax) break;
      return at + 1;
    }
  }
  if (to - from >= bytesMax) {
    throw new ProtocolError(`the head is over ${bytesMax} bytes`);
  }
  return -1;
}

/**
 * Returns the header lines between `from` and the blank line before `to`, as
 * they came, and notes in `facts` what they say about the body. `text` is the
 * same bytes as Latin-1, where index 0 is the byte at `textFrom`.
 */
export function readHeaderLines(
  bytes: Buffer,
  { from, to }: Window,
  { text, textFrom, facts }: {
    readonly text: string;
    readonly textFrom: number;
    readonly facts: FramingFacts;
  },
): HeaderList {
  const headers: [string, string][] = [];
  let at = from;
  while (at < to - 2) {
    const nameAt = at;
    while (IS_TOKEN[bytes[at] ?? 0] === 1) at++;
    if (at === nameAt || bytes[at] !== COLON) {
      throw new ProtocolError("a header line has an invalid name");
    }
    const nameEnd = at++;
    while (bytes[at] === SPACE || bytes[at] === TAB) at++;
    const valueAt = at;
    while (IS_VALUE[bytes[at] ?? 0] === 1) at++;
    let valueEnd = at;
    while (
      valueEnd > valueAt &&
      (bytes[valueEnd - 1] === SPACE || bytes[valueEnd - 1] === TAB)
    ) valueEnd--;
    if (bytes[at] !== CR || bytes[at + 1] !== LF) {
      throw new ProtocolError("a header value holds a control character");
    }
    at += 2;

    const name = text.slice(nameAt - textFrom, nameEnd - textFrom);
    const value = text.slice(valueAt - textFrom, valueEnd - textFrom);
    if (!facts.note(name, value)) continue;
    if (headers.length === HEADER_LINES_MAX) {
      throw new ProtocolError(`the head has over ${HEADER_LINES_MAX} lines`);
    }
    headers.push([name, value]);
  }
  return headers;
}

const DECODER = new TextDecoder();

/**
 * Returns the bytes as text with one character a byte. The decoder of UTF-8 is
 * tried first, because nearly every head is ASCII and that decoder is fast in
 * every runtime. The decoder of Latin-1 took ten microseconds for a head in
 * Deno 2.7, on which some executables are built.
 */
export function headText(bytes: Buffer, { from, to }: Window): string {
  const text = DECODER.decode(bytes.subarray(from, to));
  const isAscii = text.length === to - from && !text.includes("\ufffd");
  return isAscii ? text : bytes.toString("latin1", from, to);
}

interface MessageKind {
  readonly status: number;
  readonly method: string;
  readonly isVersion10: boolean;
}

/** What the header lines say about the body's end and the connection. */
export class FramingFacts {
  #length: number | null = null;
  #isChunked = false;
  #closes = false;
  #keepsAlive = false;

  /** Notes a header line; returns false if it only repeats an earlier one. */
  note(name: string, value: string): boolean {
    switch (name.length) {
      case "connection".length:
        if (name.toLowerCase() === "connection") this.#noteConnection(value);
        return true;
      case "content-length".length:
        if (name.toLowerCase() !== "content-length") return true;
        return this.#noteLength(value);
      case "transfer-encoding".length:
        if (name.toLowerCase() === "transfer-encoding") this.#noteCoding(value);
        return true;
      default:
        return true;
    }
  }

  /** Returns how the body of a response ends. */
  bodyEnd({ status, method, isVersion10 }: MessageKind): BodyEnd {
    this.#check(isVersion10);
    if (method === "HEAD" || isWithoutBody(status)) return { kind: "none" };
    if (this.#isChunked) return { kind: "chunked" };
    if (this.#length === null) return { kind: "close" };
    return { kind: "length", bytes: this.#length };
  }

  /** Returns how the body of a request ends; unless it is announced there is none. */
  requestBodyEnd(isVersion10: boolean): BodyEnd {
    this.#check(isVersion10);
    if (this.#isChunked) return { kind: "chunked" };
    return this.#length === null
      ? { kind: "none" }
      : { kind: "length", bytes: this.#length };
  }

  #check(isVersion10: boolean): void {
    if (this.#isChunked && this.#length !== null) {
      throw new ProtocolError("content-length beside transfer-encoding");
    }
    if (this.#isChunked && isVersion10) {
      throw new ProtocolError("transfer-encoding in HTTP/1.0");
    }
  }

  /** Whether the sender of a request keeps its connection open. */
  keepsConnection(isVersion10: boolean): boolean {
    return !this.#closes && (!isVersion10 || this.#keepsAlive);
  }

  /** Whether the sender of a response keeps its connection open. */
  isPersistent({ status, isVersion10 }: MessageKind): boolean {
    // A 204 that announces a body may send it, and that would be read as the
    // next response.
    const announcesBody = this.#isChunked || (this.#length ?? 0) > 0;
    if (status === 204 && announcesBody) return false;
    return this.keepsConnection(isVersion10);
  }

  #noteConnection(value: string): void {
    for (const option of value.toLowerCase().split(",")) {
      if (option.trim() === "close") this.#closes = true;
      if (option.trim() === "keep-alive") this.#keepsAlive = true;
    }
  }

  #noteLength(value: string): boolean {
    if (!DIGITS.test(value)) {
      throw new ProtocolError("content-length is not a whole number");
    }
    const length = Number(value);
    if (this.#length === null) {
      this.#length = length;
      return true;
    }
    if (this.#length === length) return false;
    throw new ProtocolError("two different content-length lines");
  }

  #noteCoding(value: string): void {
    if (this.#isChunked || value.toLowerCase() !== "chunked") {
      throw new ProtocolError("a transfer-encoding other than chunked");
    }
    this.#isChunked = true;
  }
}

/** 1xx, 204 and 304 end with their head (RFC 9110 6.4.1). */
function isWithoutBody(status: number): boolean {
  return status < 200 || status === 204 || status === 304;
}

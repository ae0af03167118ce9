/**
 * The data plane: reads the head of an HTTP/1.1 response and says how its body
 * ends (RFC 9112). Strict: what two programs could read in two ways is refused.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { HeaderList } from "../ports.ts";
import { COLON, CR, IS_TOKEN, IS_VALUE, LF, SPACE, TAB } from "./octets.ts";

/** The largest head, status line and blank line included. */
export const HEAD_BYTES_MAX = 256 * 1024;
/** The most header lines of one head. */
export const HEADER_LINES_MAX = 1_000;

const PREFIX = [..."HTTP/1."].map((letter) => letter.charCodeAt(0));
const PREFIX_TEXT = "HTTP/1.";
/** `HTTP/1.1 200` */
const STATUS_LINE_BYTES_MIN = 12;
const STATUS_MIN = 100;
/** A `Response` of the web platform takes no status above it. */
const STATUS_MAX = 599;
const DIGITS = /^\d{1,15}$/;

/** Bytes that are no HTTP/1.1 message, or one with two readings. */
export class ProtocolError extends Error {}

/** How the end of a body is known. */
export type BodyEnd =
  | { readonly kind: "none" }
  | { readonly kind: "length"; readonly bytes: number }
  | { readonly kind: "chunked" }
  | { readonly kind: "close" };

export interface ResponseHead {
  readonly status: number;
  /** As they came: order, case and bytes (one character is one byte). */
  readonly headers: HeaderList;
  readonly bodyEnd: BodyEnd;
  /** The sender keeps the connection open after this message. */
  readonly isPersistent: boolean;
}

/**
 * The index after the blank line that ends the head, or -1 when it has not
 * come yet. Looks at `bytes` from `from` to `to`; `scanFrom` lies between them
 * and skips what an earlier call has seen. Throws ProtocolError at the first
 * byte that shows that no HTTP/1.1 head is coming, so nobody waits for its end.
 */
export function findHeadEnd(
  bytes: Uint8Array,
  window: { readonly from: number; readonly to: number },
  scanFrom: number,
): number {
  const { from, to } = window;
  const prefixEnd = Math.min(to, from + PREFIX.length);
  for (let at = scanFrom; at < prefixEnd; at++) {
    if (bytes[at] === PREFIX[at - from]) continue;
    throw new ProtocolError("the answer does not start with HTTP/1.");
  }
  for (let at = scanFrom; at < to; at++) {
    if (bytes[at] !== LF) continue;
    if (at === from || bytes[at - 1] !== CR) {
      throw new ProtocolError("a line of the head ends without CR");
    }
    if (at - from >= 3 && bytes[at - 2] === LF) return at + 1;
  }
  if (to - from >= HEAD_BYTES_MAX) {
    throw new ProtocolError(`the head is over ${HEAD_BYTES_MAX} bytes`);
  }
  return -1;
}

/**
 * Reads the head that lies in `bytes` from `from` to `to`, blank line included.
 * `method` is that of the request: an answer to HEAD has no body.
 */
export function parseResponseHead(
  bytes: Buffer,
  window: { readonly from: number; readonly to: number },
  method: string,
): ResponseHead {
  const { from, to } = window;
  const text = bytes.toString("latin1", from, to);
  const { status, isVersion10, lineEnd } = parseStatusLine(text);
  const headers: [string, string][] = [];
  const facts = new FramingFacts();

  let at = from + lineEnd;
  while (at < to - 2) {
    const nameAt = at;
    while (IS_TOKEN[bytes[at] ?? 0] === 1) at++;
    if (at === nameAt || bytes[at] !== COLON) {
      throw new ProtocolError("a header line has no proper name");
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

    const name = text.slice(nameAt - from, nameEnd - from);
    const value = text.slice(valueAt - from, valueEnd - from);
    if (!facts.note(name, value)) continue;
    if (headers.length === HEADER_LINES_MAX) {
      throw new ProtocolError(`the head has over ${HEADER_LINES_MAX} lines`);
    }
    headers.push([name, value]);
  }

  return {
    status,
    headers,
    bodyEnd: facts.bodyEnd({ status, method, isVersion10 }),
    isPersistent: facts.isPersistent({ status, method, isVersion10 }),
  };
}

interface StatusLine {
  readonly status: number;
  readonly isVersion10: boolean;
  /** The index after the line's LF. */
  readonly lineEnd: number;
}

function parseStatusLine(text: string): StatusLine {
  const end = text.indexOf("\r\n");
  const version = text[PREFIX_TEXT.length];
  const afterCode = text[STATUS_LINE_BYTES_MIN];
  const code = text.slice(PREFIX_TEXT.length + 2, STATUS_LINE_BYTES_MIN);
  const status = Number(code);
  const isGood = end >= STATUS_LINE_BYTES_MIN &&
    text.startsWith(PREFIX_TEXT) && (version === "0" || version === "1") &&
    text[PREFIX_TEXT.length + 1] === " " && /^\d{3}$/.test(code) &&
    status >= STATUS_MIN && status <= STATUS_MAX &&
    (afterCode === " " || afterCode === "\r");
  if (!isGood) throw new ProtocolError("the status line is malformed");
  for (let at = STATUS_LINE_BYTES_MIN; at < end; at++) {
    if (IS_VALUE[text.charCodeAt(at)] === 1) continue;
    throw new ProtocolError("the status line holds a control character");
  }
  return { status, isVersion10: version === "0", lineEnd: end + 2 };
}

interface MessageKind {
  readonly status: number;
  readonly method: string;
  readonly isVersion10: boolean;
}

/** What the header lines say about the body's end and the connection. */
class FramingFacts {
  #length: number | null = null;
  #isChunked = false;
  #closes = false;
  #keepsAlive = false;

  /** Takes a header line in; false when the line is a mere repetition. */
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

  bodyEnd({ status, method, isVersion10 }: MessageKind): BodyEnd {
    if (this.#isChunked && this.#length !== null) {
      throw new ProtocolError("content-length beside transfer-encoding");
    }
    if (this.#isChunked && isVersion10) {
      throw new ProtocolError("transfer-encoding in HTTP/1.0");
    }
    if (method === "HEAD" || isWithoutBody(status)) return { kind: "none" };
    if (this.#isChunked) return { kind: "chunked" };
    if (this.#length === null) return { kind: "close" };
    return { kind: "length", bytes: this.#length };
  }

  isPersistent({ status, isVersion10 }: MessageKind): boolean {
    // A 204 that announces a body may well send it: it would be taken for the
    // next answer.
    const announcesBody = this.#isChunked || (this.#length ?? 0) > 0;
    if (status === 204 && announcesBody) return false;
    return !this.#closes && (!isVersion10 || this.#keepsAlive);
  }

  #noteConnection(value: string): void {
    for (const option of value.toLowerCase().split(",")) {
      if (option.trim() === "close") this.#closes = true;
      if (option.trim() === "keep-alive") this.#keepsAlive = true;
    }
  }

  #noteLength(value: string): boolean {
    if (!DIGITS.test(value)) {
      throw new ProtocolError("content-length is no whole number");
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

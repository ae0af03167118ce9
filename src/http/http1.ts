/**
 * The data plane: reads the head of an HTTP/1.1 response and says how its body
 * ends (RFC 9112). Strict: what two programs could read in two ways is refused.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import type { HeaderList } from "../ports.ts";
import {
  type BodyEnd,
  findBlankLine,
  FramingFacts,
  ProtocolError,
  readHeaderLines,
  type Window,
} from "./head.ts";
import { IS_VALUE } from "./octets.ts";

const PREFIX = [..."HTTP/1."].map((letter) => letter.charCodeAt(0));
const PREFIX_TEXT = "HTTP/1.";
/** `HTTP/1.1 200` */
const STATUS_LINE_BYTES_MIN = 12;
const STATUS_MIN = 100;
/** No status is above it (RFC 9110 15). */
const STATUS_MAX = 599;

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
  window: Window,
  scanFrom: number,
): number {
  const { from, to } = window;
  const prefixEnd = Math.min(to, from + PREFIX.length);
  for (let at = scanFrom; at < prefixEnd; at++) {
    if (bytes[at] === PREFIX[at - from]) continue;
    throw new ProtocolError("the answer does not start with HTTP/1.");
  }
  return findBlankLine(bytes, window, scanFrom);
}

/**
 * Reads the head that lies in `bytes` from `from` to `to`, blank line included.
 * `method` is that of the request: an answer to HEAD has no body.
 */
export function parseResponseHead(
  bytes: Buffer,
  window: Window,
  method: string,
): ResponseHead {
  const { from, to } = window;
  const text = bytes.toString("latin1", from, to);
  const { status, isVersion10, lineEnd } = parseStatusLine(text);
  const facts = new FramingFacts();
  const headers = readHeaderLines(bytes, { from: from + lineEnd, to }, {
    text,
    textFrom: from,
    facts,
  });
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

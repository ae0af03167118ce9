/**
 * The data plane: reads the head of a client's HTTP/1.1 request (RFC 9112).
 * Strict: what could be read in two ways is refused before anybody acts on it.
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
import { CR, IS_TOKEN, LF } from "./octets.ts";

/** Method, target, version; the target has no space and no control character. */
const REQUEST_LINE =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])$/;

/** A path, or a URL as proxies get them; the door looks at its host. */
const TARGET = /^(?:\/|https?:\/\/)/i;
const TARGET_BYTES_MAX = 16 * 1024;
/**
 * The largest head of a request. Anybody who can connect can make the server
 * keep one, so it is smaller than what an upstream may answer with. Node takes
 * 16 KiB at most.
 */
export const REQUEST_HEAD_BYTES_MAX = 32 * 1024;

export interface RequestHead {
  readonly method: string;
  /** As the request line had it. */
  readonly target: string;
  /** As they came: order, case and bytes (one character is one byte). */
  readonly headers: HeaderList;
  readonly bodyEnd: BodyEnd;
  readonly isVersion10: boolean;
  /** The client keeps the connection open after this message. */
  readonly isPersistent: boolean;
}

/** Past the line ends that some clients send after a body (RFC 9112 2.2). */
export function skipEmptyLines(
  bytes: Uint8Array,
  { from, to }: Window,
): number {
  let at = from;
  while (at + 1 < to && bytes[at] === CR && bytes[at + 1] === LF) at += 2;
  return at;
}

/**
 * The index after the blank line that ends the head, or -1 when it has not
 * come yet. Throws ProtocolError at the first byte that shows that no HTTP/1.1
 * request is coming, such as that of a TLS handshake.
 */
export function findRequestEnd(
  bytes: Uint8Array,
  window: Window,
  scanFrom: number,
): number {
  const { from, to } = window;
  const first = bytes[from] ?? 0;
  if (to > from && IS_TOKEN[first] !== 1 && first !== CR) {
    throw new ProtocolError("what came is no HTTP/1.1 request");
  }
  return findBlankLine(bytes, window, scanFrom, REQUEST_HEAD_BYTES_MAX);
}

/** Reads the head that lies in `bytes` in `window`, blank line included. */
export function parseRequestHead(bytes: Buffer, window: Window): RequestHead {
  const { from, to } = window;
  const text = bytes.toString("latin1", from, to);
  const lineEnd = text.indexOf("\r\n");
  const match = REQUEST_LINE.exec(text.slice(0, lineEnd));
  const [, method, target, minor] = match ?? [];
  if (method === undefined || target === undefined) {
    throw new ProtocolError("the request line is malformed");
  }
  if (!TARGET.test(target)) throw new ProtocolError("the target is no path");
  if (target.length > TARGET_BYTES_MAX) {
    throw new ProtocolError("the target is too long");
  }
  const isVersion10 = minor === "0";
  const facts = new FramingFacts();
  const headers = readHeaderLines(bytes, { from: from + lineEnd + 2, to }, {
    text,
    textFrom: from,
    facts,
  });
  const hosts = headers.filter(([name]) =>
    name.length === "host".length && name.toLowerCase() === "host"
  );
  if (hosts.length > 1) throw new ProtocolError("more than one host line");
  return {
    method,
    target,
    headers,
    bodyEnd: facts.requestBodyEnd(isVersion10),
    isVersion10,
    isPersistent: facts.keepsConnection(isVersion10),
  };
}

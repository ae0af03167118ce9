/**
 * Reads the head of an upstream's response (RFC 9112), passes its body on, and
 * writes the answer to a client so that it can tell the end from a broken
 * transfer.
 *
 * @module
 */

import type { HeaderList, UpstreamBody } from "../ports.ts";
import { Buffer } from "node:buffer";
import {
  type BodyEnd,
  CR,
  findBlankLine,
  FramingFacts,
  headText,
  IS_VALUE,
  LF,
  ProtocolError,
  readHeaderLines,
  type Window,
} from "./head.ts";
import { STATUS_CODES } from "node:http";
import { headerValue } from "../wire/header_list.ts";
import type { RequestHead } from "./request.ts";
import type { ClientConnection } from "./client_connection.ts";
import { type SpareBuffers, writeHead } from "./buffers.ts";
import type { Deadline } from "./deadline.ts";

/** A body that comes in pieces. */
export interface AnswerBody {
  /** Returns the next bytes, null at the end; rejects if the body broke off. */
  read(): Promise<Uint8Array | null>;
  /** Says that the client takes no more; harmless after the end. */
  cancel(): void;
}

/** What a client gets in answer to its request. */
export interface ClientAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  /** Whole, or in pieces, or null if answers of this kind have none. */
  readonly body: Uint8Array | AnswerBody | null;
  /** Why tc refused a request that never came to an account; it is logged. */
  readonly refusal?: string;
  /**
   * Called when a whole body was written, or when the client left without it.
   * Metering and booking are done here, so that the client does not wait for
   * them. It may be called again; only the first call counts.
   */
  readonly onEnd?: (end: "written" | "lost") => void;
}

/** Returns `body` as a stream, which reads only what its reader asks for. */
export function streamOf(body: AnswerBody): ReadableStream<Uint8Array> {
  let isOver = false;
  return new ReadableStream<Uint8Array>({
    async pull(controller): Promise<void> {
      try {
        const chunk = await body.read();
        // A cancel settles the read that is under way; the stream is closed then.
        if (isOver) return;
        if (chunk !== null) return controller.enqueue(chunk);
        controller.close();
      } catch (cause) {
        if (!isOver) controller.error(cause);
      }
      isOver = true;
    },
    cancel(): void {
      isOver = true;
      body.cancel();
    },
  }, { highWaterMark: 0 });
}

/** Returns a stream as the body of an answer. */
export function bodyOf(stream: ReadableStream<Uint8Array>): AnswerBody {
  const reader = stream.getReader();
  return {
    async read(): Promise<Uint8Array | null> {
      const { done, value } = await reader.read();
      return done ? null : value;
    },
    cancel(): void {
      reader.cancel().catch(() => {
        // The stream broke before, and its reader has seen that.
      });
    },
  };
}

/** How passing on one body ended. */
export type RelayEnd =
  | { readonly kind: "complete" }
  | { readonly kind: "upstream_failed"; readonly cause: unknown }
  | { readonly kind: "client_gone" };

/** Observers of a body that is passed on. */
export interface RelayWatch {
  /**
   * Called with each chunk after the client has taken it, so that it delays
   * nothing. A watch that throws is not called again.
   */
  readonly tap: ((chunk: Uint8Array) => void) | null;
  /** Called exactly once, after the tap has seen every chunk; must not throw. */
  readonly onEnd: (end: RelayEnd) => void;
}

/**
 * Passes `body` on byte for byte. It reads only when the client takes, so a
 * slow client slows the upstream and memory stays bounded. If the body breaks
 * off the read rejects, so that the client never sees a clean end.
 */
export function relay(
  body: UpstreamBody,
  { tap, onEnd }: RelayWatch,
): AnswerBody {
  let watching = tap;
  let untapped: Uint8Array | null = null;
  let isEnded = false;

  function showToTap(): void {
    const chunk = untapped;
    untapped = null;
    if (chunk === null || watching === null) return;
    try {
      watching(chunk);
    } catch {
      // The tap cannot count from here on; the bytes are passed on.
      watching = null;
    }
  }

  function end(how: RelayEnd): void {
    if (isEnded) return;
    isEnded = true;
    showToTap();
    onEnd(how);
  }

  return {
    async read(): Promise<Uint8Array | null> {
      try {
        const reading = body.read();
        showToTap();
        const chunk = await reading;
        // A cancel settles the read that is under way; nobody takes its chunk.
        if (isEnded) return null;
        untapped = chunk;
        if (chunk === null) end({ kind: "complete" });
        return chunk;
      } catch (cause) {
        end({ kind: "upstream_failed", cause });
        throw cause;
      }
    },
    cancel(): void {
      body.cancel();
      end({ kind: "client_gone" });
    },
  };
}

const PREFIX = [..."HTTP/1."].map((letter) => letter.charCodeAt(0));
const PREFIX_TEXT = "HTTP/1.";
/** `HTTP/1.1 200` */
const STATUS_LINE_BYTES_MIN = 12;
const STATUS_MIN = 100;
/** No status is above it (RFC 9110 15). */
const STATUS_MAX = 599;

/** The head of an upstream's response. */
export interface ResponseHead {
  readonly status: number;
  /** As they came: order, case and bytes (one character is one byte). */
  readonly headers: HeaderList;
  readonly bodyEnd: BodyEnd;
  /** Whether the sender keeps the connection open after this message. */
  readonly isPersistent: boolean;
}

/**
 * Returns the index after the blank line that ends the head, or -1 if it has
 * not come yet; `scanFrom` skips what an earlier call has seen. Throws
 * ProtocolError at the first byte that cannot begin an HTTP/1.1 response, so
 * that nobody waits for its end.
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
 * Reads the head that fills the window, blank line included. `method` is the
 * method of the request: a response to HEAD has no body.
 */
export function parseResponseHead(
  bytes: Buffer,
  window: Window,
  method: string,
): ResponseHead {
  const { from, to } = window;
  const text = headText(bytes, window);
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

/** How the client learns where the body ends. */
type Framing = "none" | "length" | "chunked" | "close";

/** Header lines that belong to one connection and are written anew. */
const FRAMING_LINES: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
]);

const LAST_CHUNK = new TextEncoder().encode("0\r\n\r\n");

interface WriteOptions {
  readonly head: Pick<RequestHead, "method" | "isVersion10">;
  /** Whether another request may follow on the connection. */
  readonly isPersistent: boolean;
  /** How long the client may take nothing before it is cut off. */
  readonly stall: Deadline;
  readonly buffers: SpareBuffers;
}

/** The buffer in which heads, short answers and events are written. */
const WRITE_BYTES = 8 * 1024;

/**
 * Sends `answer`; returns whether the connection may serve another request.
 * Rejects if the client is gone or the body broke off: then the connection must
 * be closed.
 */
export async function writeAnswer(
  client: ClientConnection,
  answer: ClientAnswer,
  options: WriteOptions,
): Promise<boolean> {
  const { body } = answer;
  const framing = framingOf(answer, options.head);
  const isPersistent = options.isPersistent && framing !== "close";
  const head = headOf(answer, framing, { ...options, isPersistent });
  const { stall, buffers } = options;
  const { patience } = client;
  const newBuffer = (): Buffer => buffers.take(WRITE_BYTES);
  async function put(bytes: Uint8Array, buffer: Buffer | null): Promise<void> {
    stall.watch(patience);
    await client.write(bytes);
    patience.end();
    if (buffer !== null) buffers.give(buffer);
  }
  try {
    const buffer = newBuffer();
    if (body === null || body instanceof Uint8Array) {
      await put(whole(head, framing === "none" ? null : body, buffer), buffer);
    } else if (framing === "none") {
      body.cancel();
      await put(whole(head, null, buffer), buffer);
    } else {
      await put(whole(head, null, buffer), buffer);
      const stated = statedBytes(answer.headers);
      await putAll(body, { framing, put, stated, newBuffer });
    }
    return isPersistent;
  } finally {
    patience.end();
  }
}

function framingOf(
  { status, headers, body }: ClientAnswer,
  { method, isVersion10 }: WriteOptions["head"],
): Framing {
  const isBodiless = method === "HEAD" || status < 200 || status === 204 ||
    status === 304;
  if (isBodiless) return "none";
  if (body === null || body instanceof Uint8Array) return "length";
  if (statedBytes(headers) !== null) return "length";
  return isVersion10 ? "close" : "chunked";
}

function statedBytes(headers: HeaderList): number | null {
  const value = headerValue(headers, "content-length");
  return value === null ? null : Number(value);
}

function headOf(
  { status, headers, body }: ClientAnswer,
  framing: Framing,
  { head, isPersistent }: WriteOptions,
): string {
  let text = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}\r\n`;
  // The length of what is written counts, not the one that was announced.
  const isCounted = framing === "length" &&
    (body === null || body instanceof Uint8Array);
  for (const [name, value] of headers) {
    const lower = name.toLowerCase();
    if (FRAMING_LINES.has(lower)) continue;
    if (isCounted && lower === "content-length") continue;
    text += `${name}: ${value}\r\n`;
  }
  if (isCounted) text += `content-length: ${body?.length ?? 0}\r\n`;
  if (framing === "chunked") text += "transfer-encoding: chunked\r\n";
  if (!isPersistent) text += "connection: close\r\n";
  else if (head.isVersion10) text += "connection: keep-alive\r\n";
  return text + "\r\n";
}

/**
 * Joins head and body, so that a short answer is one write; in `buffer` if
 * there is room.
 */
function whole(
  head: string,
  body: Uint8Array | null,
  buffer: Buffer,
): Uint8Array {
  const length = head.length + (body?.length ?? 0);
  const isShort = length <= buffer.length;
  const bytes = isShort ? buffer : Buffer.allocUnsafeSlow(length);
  writeHead(head, bytes);
  if (body !== null) bytes.set(body, head.length);
  return isShort ? bytes.subarray(0, length) : bytes;
}

interface Sink {
  readonly framing: Framing;
  /** Writes `bytes`; then `buffer`, in which they are, may be used again. */
  readonly put: (bytes: Uint8Array, buffer: Buffer | null) => Promise<void>;
  readonly stated: number | null;
  /**
   * Lends a buffer for one write: hundreds of streams that each keep one between
   * two events would hold megabytes.
   */
  readonly newBuffer: () => Buffer;
}

/** Sends a body. One of another length than its head says breaks the transfer. */
async function putAll(
  body: AnswerBody,
  { framing, put, stated, newBuffer }: Sink,
): Promise<void> {
  let sentBytes = 0;
  try {
    for (;;) {
      const chunk = await body.read();
      if (chunk === null) break;
      if (chunk.length === 0) continue;
      sentBytes += chunk.length;
      if (framing === "length" && sentBytes > (stated ?? 0)) break;
      if (framing === "chunked") {
        const buffer = newBuffer();
        await put(chunked(chunk, buffer), buffer);
      } else await put(chunk, null);
    }
    if (framing === "chunked") return await put(LAST_CHUNK, null);
  } catch (cause) {
    body.cancel();
    throw cause;
  }
  if (framing === "length" && sentBytes !== stated) {
    body.cancel();
    throw new RangeError("the answer is not as long as its head says");
  }
}

/** Returns the chunk with its framing; in `buffer` if there is room. */
function chunked(chunk: Uint8Array, buffer: Buffer): Uint8Array {
  const size = `${chunk.length.toString(16)}\r\n`;
  const end = size.length + chunk.length;
  const isShort = end + 2 <= buffer.length;
  const bytes = isShort ? buffer : Buffer.allocUnsafeSlow(end + 2);
  for (let at = 0; at < size.length; at++) bytes[at] = size.charCodeAt(at);
  bytes.set(chunk, size.length);
  bytes[end] = CR;
  bytes[end + 1] = LF;
  return isShort ? bytes.subarray(0, end + 2) : bytes;
}

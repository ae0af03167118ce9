/**
 * Reads a client's request (RFC 9112), and writes one to an upstream. Strict:
 * what could be read in two ways is refused before anybody acts on it, and what
 * could end a line early is refused before anything is sent.
 *
 * @module
 */

import type { BodyStream, HeaderList } from "../ports.ts";
import type { Buffer } from "node:buffer";
import { SpareBuffers, writeHead } from "./buffers.ts";
import {
  type BodyEnd,
  CR,
  findBlankLine,
  FramingFacts,
  headText,
  IS_TOKEN,
  LF,
  ProtocolError,
  readHeaderLines,
  type Window,
} from "./head.ts";
import { type BodyFraming, framingFor } from "./framing.ts";
import type { ClientConnection } from "./client_connection.ts";

/** Header values by lower-case name; a `Headers` object has the same methods. */
export interface HeaderLookup {
  get(name: string): string | null;
  has(name: string): boolean;
}

/** The body of a request while it comes, without its transfer coding. */
export interface RequestBody {
  /** The length that the head states; 0 without a body, null if unknown. */
  readonly statedBytes: number | null;
  /**
   * Returns the next bytes, valid until the next read; null at the end. Bytes
   * that need not go through the connection's buffer are read into `room`, and
   * what is returned is its beginning: a long body is copied once less. Rejects
   * if the client left, or with a ProtocolError if the framing is broken.
   */
  read(room?: Uint8Array | null): Promise<Uint8Array | null>;
}

/** A client's request: its head has come, its body is still to be read. */
export interface IncomingRequest {
  readonly method: string;
  /** The URL, by the authority of the request line or else of `host`. */
  readonly url: string;
  readonly headers: HeaderLookup & { readonly list: HeaderList };
  readonly body: RequestBody;
  /** Aborted if the client leaves before its answer has ended. */
  readonly signal: AbortSignal;
  /** Resolves when its answer has ended, in whatever way. */
  readonly ended: Promise<void>;
  /** Whether the client is on this machine. */
  readonly isLocal: boolean;
  /** Tells the server that the client has shown that it may connect. */
  readonly prove: () => void;
}

/** The header lines of a request, by lower-case name and as they came. */
export class RequestHeaders implements HeaderLookup {
  /** In the client's own order and spelling. */
  readonly list: HeaderList;

  /** Takes the lines as the client sent them. */
  constructor(lines: HeaderList) {
    this.list = lines;
  }

  /** Returns the value; those of repeated lines are joined. */
  get(name: string): string | null {
    let found: string | null = null;
    for (const [lineName, value] of this.list) {
      if (!isNamed(lineName, name)) continue;
      found = found === null ? value : found + separatorOf(name) + value;
    }
    return found;
  }

  has(name: string): boolean {
    for (const [lineName] of this.list) {
      if (isNamed(lineName, name)) return true;
    }
    return false;
  }
}

/** Whether a line is called `name`, which is in lower case. */
function isNamed(lineName: string, name: string): boolean {
  return lineName.length === name.length &&
    (lineName === name || lineName.toLowerCase() === name);
}

/** Returns what joins repeated lines: RFC 9110 5.2, for cookies RFC 6265 5.4. */
function separatorOf(name: string): string {
  return name === "cookie" ? "; " : ", ";
}

/** Method, target and version; the target holds no space or control character. */
const REQUEST_LINE =
  /^([!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}) ([\x21-\x7e\x80-\xff]+) HTTP\/1\.([01])$/;

/** A path, or a whole URL as a proxy gets it; the door checks its host. */
const TARGET = /^(?:\/|https?:\/\/)/i;
const TARGET_BYTES_MAX = 16 * 1024;
/**
 * The largest head of a request. Anybody who can connect can make the server
 * keep one, so the limit is lower than for an upstream's response. Node's own
 * limit is 16 KiB.
 */
const REQUEST_HEAD_BYTES_MAX = 32 * 1024;

/** The head of a client's request. */
export interface RequestHead {
  readonly method: string;
  /** As in the request line. */
  readonly target: string;
  /** As they came: order, case and bytes (one character is one byte). */
  readonly headers: HeaderList;
  readonly bodyEnd: BodyEnd;
  readonly isVersion10: boolean;
  /** Whether the client keeps the connection open after this message. */
  readonly isPersistent: boolean;
}

/** Skips the line ends that some clients send after a body (RFC 9112 2.2). */
function skipEmptyLines(
  bytes: Uint8Array,
  { from, to }: Window,
): number {
  let at = from;
  while (at + 1 < to && bytes[at] === CR && bytes[at + 1] === LF) at += 2;
  return at;
}

/**
 * Returns the index after the blank line that ends the head, or -1 if it has
 * not come yet. Throws ProtocolError at the first byte that cannot begin an
 * HTTP/1.1 request, such as the first of a TLS handshake.
 */
function findRequestEnd(
  bytes: Uint8Array,
  window: Window,
  scanFrom: number,
): number {
  const { from, to } = window;
  const first = bytes[from] ?? 0;
  if (to > from && IS_TOKEN[first] !== 1 && first !== CR) {
    throw new ProtocolError("this is not an HTTP/1.1 request");
  }
  return findBlankLine(bytes, window, scanFrom, REQUEST_HEAD_BYTES_MAX);
}

/** Reads the head that fills the window, blank line included. */
function parseRequestHead(bytes: Buffer, window: Window): RequestHead {
  const { from, to } = window;
  const text = headText(bytes, window);
  const lineEnd = text.indexOf("\r\n");
  const match = REQUEST_LINE.exec(text.slice(0, lineEnd));
  const [, method, target, minor] = match ?? [];
  if (method === undefined || target === undefined) {
    throw new ProtocolError("the request line is malformed");
  }
  if (!TARGET.test(target)) throw new ProtocolError("the target is not a path");
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

const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

/**
 * Once this much of a body has come it is read in large pieces. The length that
 * the head states does not count: it costs a client nothing to state one.
 */
const LONG_BYTES = 64 * 1024;

/** The last bytes of a body come with the next request of a client that is early. */
const DIRECT_BYTES_MIN = 4 * 1024;

/**
 * Returns the next request's head, or null if the client ended the connection
 * between two requests. Calls `begun` when the first byte is here. Rejects with
 * a ProtocolError, or if the connection is lost.
 */
export async function nextHead(
  client: ClientConnection,
  begun: () => void,
): Promise<RequestHead | null> {
  let scannedBytes = 0;
  let isBegun = false;
  for (;;) {
    if (scannedBytes === 0) {
      const window = { from: client.start, to: client.end };
      client.consume(skipEmptyLines(client.buffer, window) - client.start);
    }
    const { buffer, start, end } = client;
    const window = { from: start, to: end };
    if (end > start) {
      if (!isBegun) begun();
      isBegun = true;
      const headEnd = findRequestEnd(buffer, window, start + scannedBytes);
      if (headEnd !== -1) {
        const head = parseRequestHead(buffer, { from: start, to: headEnd });
        client.consume(headEnd - start);
        return head;
      }
      scannedBytes = end - start;
    }
    if (await client.read() > 0) continue;
    if (isBegun) throw new ProtocolError("the head ended early");
    return null;
  }
}

interface BodyOptions {
  /** Whether the client waits for `100 Continue` before it sends the body. */
  readonly isAwaited: boolean;
  /** Called when the body was read to its end; at once if there is none. */
  readonly onEnd: () => void;
}

/** The body that follows a head on its connection. */
export class ConnectionBody implements RequestBody {
  readonly statedBytes: number | null;
  readonly #client: ClientConnection;
  readonly #framing: BodyFraming;
  readonly #onEnd: () => void;
  #isAwaited: boolean;
  #isOver: boolean;
  #bytes = 0;

  constructor(
    client: ClientConnection,
    bodyEnd: BodyEnd,
    { isAwaited, onEnd }: BodyOptions,
  ) {
    this.#client = client;
    this.#framing = framingFor(bodyEnd);
    this.#isAwaited = isAwaited;
    this.#onEnd = onEnd;
    this.statedBytes = bodyEnd.kind === "chunked"
      ? null
      : bodyEnd.kind === "length"
      ? bodyEnd.bytes
      : 0;
    this.#isOver = this.#framing.isDone;
    if (this.#isOver) onEnd();
  }

  /** Whether the body was read to its end, so that a request may follow. */
  get isDone(): boolean {
    return this.#isOver;
  }

  async read(room: Uint8Array | null = null): Promise<Uint8Array | null> {
    const client = this.#client;
    const framing = this.#framing;
    if (this.#isAwaited && !framing.isDone && client.end === client.start) {
      await client.write(CONTINUE);
    }
    this.#isAwaited = false;
    while (!framing.isDone) {
      if (room !== null && room.length > 0 && client.canReadInto) {
        const { leftBytes } = framing;
        if (leftBytes !== null && leftBytes >= DIRECT_BYTES_MIN) {
          return await this.#readInto(room.subarray(0, leftBytes));
        }
      }
      const size = this.#bytes < LONG_BYTES ? "some" : "bulk";
      if (client.end === client.start && await client.read(size) === 0) {
        throw new ProtocolError("the body ended early");
      }
      const bytes = framing.take(client.unconsumed());
      client.consume(framing.consumedBytes);
      this.#bytes += framing.consumedBytes;
      if (bytes.length > 0) return bytes;
    }
    // Not before: the next read goes where the last bytes still were in use.
    if (!this.#isOver) this.#onEnd();
    this.#isOver = true;
    return null;
  }

  async #readInto(room: Uint8Array): Promise<Uint8Array> {
    const count = await this.#client.readInto(room);
    if (count === 0) throw new ProtocolError("the body ended early");
    this.#bytes += count;
    return this.#framing.take(room.subarray(0, count));
  }
}

const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/;
/** No control character but the tab; one character is one byte. */
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
const OUTGOING_TARGET = /^\/[\x21-\x7e\x80-\xff]*$/;
/** Methods whose requests state a length of 0 (RFC 9110 8.6). */
const METHODS_WITH_BODY = ["POST", "PUT", "PATCH"];

/** The request cannot be written as one HTTP/1.1 message. */
export class RequestError extends Error {}

/** A request to an upstream, before its connection adds lines. */
interface RequestParts {
  readonly method: string;
  /** Path and query, with the leading slash. */
  readonly target: string;
  readonly headers: HeaderList;
  readonly body: Uint8Array | null;
  readonly upload?: BodyStream | null;
}

/**
 * Returns the head as text in which each character stands for one byte, blank
 * line included: `host` first, the headers as given, `content-length` last.
 * Throws RequestError, which names the header and never its value.
 */
function requestHead(parts: RequestParts, host: string): string {
  const { method, target, headers, body, upload = null } = parts;
  if (!TOKEN.test(method)) throw new RequestError("the method is not a token");
  if (!OUTGOING_TARGET.test(target)) {
    throw new RequestError(
      "the target is not a path, or holds a space or control character",
    );
  }
  let head = `${method} ${target} HTTP/1.1\r\nHost: ${host}\r\n`;
  for (const [name, value] of headers) {
    if (!TOKEN.test(name)) {
      throw new RequestError("a header has an invalid name");
    }
    if (!VALUE.test(value)) {
      throw new RequestError(`the value of ${name} holds a control character`);
    }
    if (isFraming(name)) {
      throw new RequestError(`only the connection may write ${name}`);
    }
    head += `${name}: ${value}\r\n`;
  }
  if (upload !== null && upload.statedBytes === null) {
    return `${head}Transfer-Encoding: chunked\r\n\r\n`;
  }
  const bodyBytes = upload?.statedBytes ?? body?.length ?? 0;
  if (bodyBytes > 0 || METHODS_WITH_BODY.includes(method)) {
    head += `Content-Length: ${bodyBytes}\r\n`;
  }
  return head + "\r\n";
}

/** Whether a header of this name would change where the message ends or goes. */
function isFraming(name: string): boolean {
  switch (name.length) {
    case "host".length:
      return name.toLowerCase() === "host";
    case "upgrade".length:
      return name.toLowerCase() === "upgrade";
    case "connection".length:
      return name.toLowerCase() === "connection";
    case "content-length".length:
      return name.toLowerCase() === "content-length";
    case "transfer-encoding".length:
      return name.toLowerCase() === "transfer-encoding";
    default:
      return false;
  }
}

/** The head, and the body up to this size, are sent in one write. */
const FIRST_WRITE_BYTES = 64 * 1024;
/** The buffer of a short request. */
const SHORT_BYTES = 8 * 1024;

const NO_BYTES = new Uint8Array(0);

/** A request as bytes: the first write, and what is sent after it. */
export interface OutgoingMessage {
  /** What `first` is a view of. */
  readonly buffer: Buffer;
  /** The head, and the body or its beginning. */
  readonly first: Uint8Array;
  /** The rest of the body, not copied. */
  readonly rest: Uint8Array;
  /** What follows, sent as it comes in; null if the body is here whole. */
  readonly upload: BodyStream | null;
}

/** Writes requests into buffers that it lends and takes back. */
export class MessageWriter {
  readonly #buffers = new SpareBuffers();

  /** Returns the request as bytes. Throws RequestError. */
  message(parts: RequestParts, host: string): OutgoingMessage {
    const head = requestHead(parts, host);
    const body = parts.body ?? NO_BYTES;
    const buffer = this.#buffers.take(sizeFor(head, body));
    const headBytes = writeHead(head, buffer);
    const copied = Math.min(body.length, buffer.length - headBytes);
    buffer.set(
      copied === body.length ? body : body.subarray(0, copied),
      headBytes,
    );
    return {
      buffer,
      first: buffer.subarray(0, headBytes + copied),
      rest: copied === body.length ? NO_BYTES : body.subarray(copied),
      upload: parts.upload ?? null,
    };
  }

  /** Takes the message's buffer back; call it only after the last write has settled. */
  giveBack({ buffer }: OutgoingMessage): void {
    const { length } = buffer;
    if (length === SHORT_BYTES || length === FIRST_WRITE_BYTES) {
      this.#buffers.give(buffer);
    }
  }
}

function sizeFor(head: string, body: Uint8Array): number {
  if (head.length + body.length <= SHORT_BYTES) return SHORT_BYTES;
  const isLong = head.length > FIRST_WRITE_BYTES / 2;
  return isLong ? head.length + FIRST_WRITE_BYTES : FIRST_WRITE_BYTES;
}

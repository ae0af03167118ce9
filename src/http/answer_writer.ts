/**
 * The data plane: writes an answer to a client, framed so that its end can be
 * told from a broken transfer.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { STATUS_CODES } from "node:http";
import type { HeaderList } from "../ports.ts";
import { headerValue } from "../wire/header_list.ts";
import type { RequestHead } from "./arrival_head.ts";
import type { AnswerBody, ClientAnswer } from "./response.ts";
import type { ClientConnection } from "./client_connection.ts";
import { CR, LF } from "./octets.ts";
import type { Patience } from "./patience.ts";

/** How the client learns where the body ends. */
type Framing = "none" | "length" | "chunked" | "close";

/** Lines that are this connection's own. */
const FRAMING_LINES: ReadonlySet<string> = new Set([
  "connection",
  "keep-alive",
  "transfer-encoding",
]);

const encoder = new TextEncoder();
const LAST_CHUNK = encoder.encode("0\r\n\r\n");

export interface WriteOptions {
  readonly head: Pick<RequestHead, "method" | "isVersion10">;
  /** Whether another request may follow on the connection. */
  readonly isPersistent: boolean;
  /** A client that takes nothing for too long is cut. */
  readonly patience: Patience;
}

/**
 * Sends `answer`; true when the connection may serve on. Rejects when the
 * client is gone or the body broke: the connection is of no use then.
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
  const { patience } = options;
  const late = () => client.close();
  async function put(bytes: Uint8Array): Promise<void> {
    patience.watch(late);
    await client.write(bytes);
    patience.forget(late);
  }
  try {
    if (body === null || body instanceof Uint8Array) {
      await put(whole(head, framing === "none" ? null : body));
    } else if (framing === "none") {
      body.cancel();
      await put(whole(head, null));
    } else {
      await put(whole(head, null));
      await putAll(body, { framing, put, stated: statedBytes(answer.headers) });
    }
    return isPersistent;
  } finally {
    patience.forget(late);
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
  // What is written counts, not what was said of it.
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

/** Head and body in one piece: a short answer is one write. */
function whole(head: string, body: Uint8Array | null): Uint8Array {
  const bytes = new Uint8Array(head.length + (body?.length ?? 0));
  const { read, written } = encoder.encodeInto(head, bytes);
  // One character is one byte: UTF-8 does for ASCII, and is the faster way.
  const isAscii = read === head.length && written === head.length;
  if (!isAscii) Buffer.from(bytes.buffer).write(head, 0, "latin1");
  if (body !== null) bytes.set(body, head.length);
  return bytes;
}

interface Sink {
  readonly framing: Framing;
  readonly put: (bytes: Uint8Array) => Promise<void>;
  readonly stated: number | null;
}

/** A body that ends before or after what its head said breaks the transfer. */
async function putAll(
  body: AnswerBody,
  { framing, put, stated }: Sink,
): Promise<void> {
  let sentBytes = 0;
  try {
    for (;;) {
      const chunk = await body.read();
      if (chunk === null) break;
      if (chunk.length === 0) continue;
      sentBytes += chunk.length;
      if (framing === "length" && sentBytes > (stated ?? 0)) break;
      await put(framing === "chunked" ? chunked(chunk) : chunk);
    }
    if (framing === "chunked") return await put(LAST_CHUNK);
  } catch (cause) {
    body.cancel();
    throw cause;
  }
  if (framing === "length" && sentBytes !== stated) {
    body.cancel();
    throw new RangeError("the answer is not as long as its head says");
  }
}

function chunked(chunk: Uint8Array): Uint8Array {
  const size = `${chunk.length.toString(16)}\r\n`;
  const end = size.length + chunk.length;
  const bytes = new Uint8Array(end + 2);
  encoder.encodeInto(size, bytes);
  bytes.set(chunk, size.length);
  bytes[end] = CR;
  bytes[end + 1] = LF;
  return bytes;
}

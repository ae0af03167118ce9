/**
 * The data plane: reads one request after the other from a client's
 * connection.
 *
 * @module
 */

import type { ArrivalBody } from "./request.ts";
import {
  findRequestEnd,
  parseRequestHead,
  type RequestHead,
  skipEmptyLines,
} from "./arrival_head.ts";
import { type BodyFraming, framingFor } from "./framing.ts";
import type { ClientConnection } from "./client_connection.ts";
import { type BodyEnd, ProtocolError } from "./head.ts";

const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");

/**
 * A body is read in large pieces once this much of it has come. What the head
 * states costs a client nothing, so it decides nothing.
 */
const LONG_BYTES = 64 * 1024;

/**
 * The next request's head, or null where the client has ended the connection
 * between two requests. `begun` is called when its first byte is here. Rejects
 * with a ProtocolError, or when the connection is lost.
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
    if (isBegun) throw new ProtocolError("the head broke off");
    return null;
  }
}

export interface BodyOptions {
  /** Whether the client sends it only once it is told to. */
  readonly isAwaited: boolean;
  /** Called when it was read to its end, at once where there is none. */
  readonly onEnd: () => void;
}

/** The body that follows a head on its connection. */
export class ConnectionBody implements ArrivalBody {
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

  /** Whether the next request may follow: the body was read to its end. */
  get isDone(): boolean {
    return this.#isOver;
  }

  async read(): Promise<Uint8Array | null> {
    const client = this.#client;
    const framing = this.#framing;
    if (this.#isAwaited && !framing.isDone && client.end === client.start) {
      await client.write(CONTINUE);
    }
    this.#isAwaited = false;
    while (!framing.isDone) {
      const size = this.#bytes < LONG_BYTES ? "some" : "bulk";
      if (client.end === client.start && await client.read(size) === 0) {
        throw new ProtocolError("the body broke off");
      }
      const bytes = framing.take(client.unconsumed());
      client.consume(framing.consumedBytes);
      this.#bytes += framing.consumedBytes;
      if (bytes.length > 0) return bytes;
    }
    // Not before: the last bytes were a view of what is read into from here on.
    if (!this.#isOver) this.#onEnd();
    this.#isOver = true;
    return null;
  }
}

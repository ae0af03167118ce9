/**
 * The data plane: a request as bytes, in as few writes as sensible.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { BodyStream } from "../ports.ts";
import { requestHead, type RequestParts } from "./request_head.ts";

/** Head and body up to here go out in one write. */
const FIRST_WRITE_BYTES = 64 * 1024;
/** Buffers kept for the next requests. */
const SPARE_BUFFERS_MAX = 16;

const NO_BYTES = new Uint8Array(0);

/** A request as bytes: the first write, and what goes out after it. */
export interface OutgoingMessage {
  /** The head, and the body or its beginning. */
  readonly first: Uint8Array;
  /** The rest of the body, not copied. */
  readonly rest: Uint8Array;
  /** What goes out after that, as it comes in; null where all is here. */
  readonly upload: BodyStream | null;
}

/** Makes messages in buffers that it lends and gets back. */
export class MessageWriter {
  readonly #encoder = new TextEncoder();
  readonly #spare: Uint8Array[] = [];

  /** Throws RequestError when the request cannot be one HTTP/1.1 message. */
  message(parts: RequestParts, host: string): OutgoingMessage {
    const head = requestHead(parts, host);
    const body = parts.body ?? NO_BYTES;
    const buffer = this.#bufferFor(head);
    const headBytes = this.#writeHead(head, buffer);
    const copied = Math.min(body.length, buffer.length - headBytes);
    buffer.set(body.subarray(0, copied), headBytes);
    return {
      first: buffer.subarray(0, headBytes + copied),
      rest: copied === body.length ? NO_BYTES : body.subarray(copied),
      upload: parts.upload ?? null,
    };
  }

  /** Takes the message's buffer back: only after its last write has settled. */
  giveBack(message: OutgoingMessage): void {
    const { buffer } = message.first;
    const isOurs = buffer.byteLength === FIRST_WRITE_BYTES;
    if (!isOurs || this.#spare.length === SPARE_BUFFERS_MAX) return;
    this.#spare.push(new Uint8Array(buffer));
  }

  #bufferFor(head: string): Uint8Array {
    const isLong = head.length > FIRST_WRITE_BYTES / 2;
    if (isLong) return new Uint8Array(head.length + FIRST_WRITE_BYTES);
    return this.#spare.pop() ?? new Uint8Array(FIRST_WRITE_BYTES);
  }

  /** One character is one byte: UTF-8 does for ASCII, and is the faster way. */
  #writeHead(head: string, buffer: Uint8Array): number {
    const { written } = this.#encoder.encodeInto(head, buffer);
    if (written === head.length) return written;
    return Buffer.from(buffer.buffer).write(head, 0, "latin1");
  }
}

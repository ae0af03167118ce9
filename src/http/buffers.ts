/**
 * Buffers that are used again. A new one of a few kilobytes costs more than a
 * microsecond, since the system clears it, and leaves garbage by the megabyte.
 *
 * @module
 */

import { Buffer } from "node:buffer";

/** The most buffers of one size that are kept. */
const KEPT_MAX = 64;

/** Lends buffers and takes them back. It does not clear what is in them. */
export class SpareBuffers {
  readonly #free = new Map<number, Buffer[]>();

  take(bytes: number): Buffer {
    return this.#free.get(bytes)?.pop() ?? Buffer.allocUnsafeSlow(bytes);
  }

  /** Takes a buffer back that nobody reads, writes or has a view of any more. */
  give(buffer: Buffer): void {
    const free = this.#free.get(buffer.length) ?? [];
    this.#free.set(buffer.length, free);
    if (free.length < KEPT_MAX) free.push(buffer);
  }
}

const encoder = new TextEncoder();

/**
 * Writes a head, in which each character stands for one byte, at the start of
 * `buffer`, which must have room for it; returns its length.
 */
export function writeHead(head: string, buffer: Buffer): number {
  const { read, written } = encoder.encodeInto(head, buffer);
  // For ASCII, which nearly every head is, the UTF-8 encoder is faster.
  if (read === head.length && written === head.length) return written;
  return buffer.write(head, 0, "latin1");
}

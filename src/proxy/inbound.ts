/**
 * Reads a client's request into memory up to a limit, so that it can be routed
 * and, where that is safe, sent again.
 *
 * @module
 */

import type { HeaderList } from "../ports.ts";

/** Limits on what clients may make the server keep. */
export interface InboundLimits {
  readonly bodyBytesMax: number;
  /** Time for the whole body to arrive; `Deno.serve` itself has no limit. */
  readonly bodyMs: number;
}

export type BodyReading =
  | { readonly kind: "body"; readonly bytes: Uint8Array }
  | { readonly kind: "too_large" }
  | { readonly kind: "too_slow" }
  /** The memory for bodies is used up for now. */
  | { readonly kind: "no_room" }
  /** The client left or sent broken framing. */
  | { readonly kind: "broken" };

/** Counts the bytes of all bodies in hand against one limit. */
export class BodyBudget {
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  take(bytes: number): boolean {
    if (this.#bytes + bytes > this.#bytesMax) return false;
    this.#bytes += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }

  get bytes(): number {
    return this.#bytes;
  }
}

/** The header lines of a request, as the listener gives them. */
export function headerList(headers: Headers): HeaderList {
  return [...headers];
}

/** The body of `request` as it was sent; on any other end nothing is kept. */
export async function readBody(
  request: Request,
  limits: InboundLimits,
): Promise<BodyReading> {
  if (request.body === null) return { kind: "body", bytes: new Uint8Array(0) };
  const stated = Number(request.headers.get("content-length") ?? "NaN");
  if (stated > limits.bodyBytesMax) return { kind: "too_large" };
  const reader = request.body.getReader();
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel().catch(ignoreClosed);
  }, limits.bodyMs);
  try {
    const bytes = await collect(reader, limits.bodyBytesMax, stated);
    if (isLate) return { kind: "too_slow" };
    return bytes === null ? { kind: "too_large" } : { kind: "body", bytes };
  } catch {
    // The listener tells a departed client and bad framing alike by throwing.
    return { kind: isLate ? "too_slow" : "broken" };
  } finally {
    clearTimeout(timer);
  }
}

/** All chunks as one array, or null when they pass `bytesMax`. */
async function collect(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  bytesMax: number,
  stated: number,
): Promise<Uint8Array | null> {
  const first = await reader.read();
  if (first.done) return new Uint8Array(0);
  // A whole body in one chunk is the common case and needs no copy.
  if (first.value.length === stated) return first.value;
  const chunks = [first.value];
  let length = first.value.length;
  while (length <= bytesMax) {
    const { done, value } = await reader.read();
    if (done) return joined(chunks, length);
    chunks.push(value);
    length += value.length;
  }
  reader.cancel().catch(ignoreClosed);
  return null;
}

/** Joins `chunks` of `length` bytes in all. */
function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** Cancelling a stream that has already ended rejects; there is nothing to do. */
function ignoreClosed(): void {}

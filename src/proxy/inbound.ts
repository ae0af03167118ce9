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

/**
 * The body of `request` as it was sent. Its bytes are taken from `budget` as
 * they arrive; on any other end nothing is kept and all of them are given back.
 */
export async function readBody(
  request: Request,
  limits: InboundLimits,
  budget: BodyBudget,
): Promise<BodyReading> {
  if (request.body === null) return { kind: "body", bytes: new Uint8Array(0) };
  const stated = Number(request.headers.get("content-length") ?? "NaN");
  if (stated > limits.bodyBytesMax) {
    request.body.cancel().catch(ignoreClosed);
    return { kind: "too_large" };
  }
  const reader = request.body.getReader();
  const intake = new Intake(budget, limits.bodyBytesMax);
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    reader.cancel().catch(ignoreClosed);
  }, limits.bodyMs);
  let reading: BodyReading;
  try {
    reading = await collect(reader, intake);
  } catch {
    // The listener tells a departed client and bad framing alike by throwing.
    reading = { kind: "broken" };
  } finally {
    clearTimeout(timer);
  }
  if (isLate) reading = { kind: "too_slow" };
  if (reading.kind !== "body") {
    intake.giveBack();
    reader.cancel().catch(ignoreClosed);
  }
  return reading;
}

/** The bytes of one body, held to its own limit and to that of all. */
class Intake {
  readonly #budget: BodyBudget;
  readonly #bytesMax: number;
  length = 0;

  constructor(budget: BodyBudget, bytesMax: number) {
    this.#budget = budget;
    this.#bytesMax = bytesMax;
  }

  /** Null when `bytes` more are allowed, and then they are taken. */
  faultOf(bytes: number): "too_large" | "no_room" | null {
    if (this.length + bytes > this.#bytesMax) return "too_large";
    if (!this.#budget.take(bytes)) return "no_room";
    this.length += bytes;
    return null;
  }

  giveBack(): void {
    this.#budget.give(this.length);
    this.length = 0;
  }
}

/** Reads to the end: a body left before it is never freed by the listener. */
async function collect(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  intake: Intake,
): Promise<BodyReading> {
  const chunks: Uint8Array[] = [];
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { kind: "body", bytes: joined(chunks, intake.length) };
    const fault = intake.faultOf(value.length);
    if (fault !== null) return { kind: fault };
    chunks.push(value);
  }
}

/** Joins `chunks` of `length` bytes in all; a single one needs no copy. */
function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const [first] = chunks;
  if (first !== undefined && first.length === length) return first;
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

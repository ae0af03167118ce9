/**
 * Reads a client's request into memory up to a limit, so that it can be routed
 * and, where that is safe, sent again.
 *
 * @module
 */

import type { HeaderList } from "../ports.ts";
import { Lateness } from "./lateness.ts";

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
  readonly lateness = new Lateness();
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
  const list: (readonly [string, string])[] = [];
  // A tenth of what the iterator costs.
  headers.forEach((value, name) => list.push([name, value]));
  return list;
}

/** A body of a stated length up to this is taken in one go. */
const WHOLE_BYTES_MAX = 1024 * 1024;

/**
 * The body of `request` as it was sent. Its bytes are taken from `budget`; on
 * any other end nothing is kept and all of them are given back.
 */
export async function readBody(
  request: Request,
  limits: InboundLimits,
  budget: BodyBudget,
): Promise<BodyReading> {
  const stated = Number(request.headers.get("content-length") ?? "NaN");
  if (stated > limits.bodyBytesMax) {
    request.body?.cancel().catch(ignoreClosed);
    return { kind: "too_large" };
  }
  const { body } = request;
  if (body === null) return { kind: "body", bytes: new Uint8Array(0) };
  const intake = new Intake(budget, limits.bodyBytesMax);
  const late = Promise.withResolvers<BodyReading>();
  const tooSlow = (): void => late.resolve({ kind: "too_slow" });
  budget.lateness.watch(tooSlow, limits.bodyMs);
  const reading = stated <= WHOLE_BYTES_MAX
    ? await Promise.race([takeWhole(request, intake, stated), late.promise])
    : await collect(body.getReader(), intake, late.promise);
  budget.lateness.forget(tooSlow);
  if (reading.kind !== "body") intake.giveBack();
  return reading;
}

/** All at once: the listener does that faster than chunk by chunk. */
async function takeWhole(
  request: Request,
  intake: Intake,
  stated: number,
): Promise<BodyReading> {
  const fault = intake.faultOf(stated);
  if (fault !== null) {
    request.body?.cancel().catch(ignoreClosed);
    return { kind: fault };
  }
  try {
    return { kind: "body", bytes: await request.bytes() };
  } catch {
    // The listener tells a departed client and bad framing alike by throwing.
    return { kind: "broken" };
  }
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

/**
 * Chunk by chunk, so that the budget is taken as they come. Reads to the end: a
 * body left before it is never freed by the listener.
 */
async function collect(
  reader: ReadableStreamDefaultReader<Uint8Array>,
  intake: Intake,
  late: Promise<BodyReading>,
): Promise<BodyReading> {
  const chunks: Uint8Array[] = [];
  let reading: BodyReading | null = null;
  late.then((isLate) => {
    reading ??= isLate;
    reader.cancel().catch(ignoreClosed);
  });
  try {
    while (reading === null) {
      const { done, value } = await reader.read();
      // A cancel settles the read under way as done.
      if (reading !== null) break;
      if (done) return { kind: "body", bytes: joined(chunks, intake.length) };
      const fault = intake.faultOf(value.length);
      if (fault !== null) reading = { kind: fault };
      else chunks.push(value);
    }
  } catch {
    // The listener tells a departed client and bad framing alike by throwing.
    reading ??= { kind: "broken" };
  }
  reader.cancel().catch(ignoreClosed);
  return reading;
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

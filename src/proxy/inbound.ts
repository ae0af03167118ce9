/**
 * Reads a client's request into memory up to a limit, so that it can be routed
 * and, where that is safe, sent again.
 *
 * @module
 */

import type { RequestBody } from "../http/request.ts";
import { Deadline } from "../http/deadline.ts";

/** Limits on what clients may make the server keep. */
export interface InboundLimits {
  readonly bodyBytesMax: number;
  /** Time for the head to arrive, and again for the whole body. */
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
  /** How long a body may take to arrive. */
  readonly deadline: Deadline;
  readonly #bytesMax: number;
  #bytes = 0;

  constructor(bytesMax: number, bodyMs: number) {
    this.deadline = new Deadline(bodyMs);
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

/** The memory that a body gets before it has come. */
const FIRST_BYTES = 64 * 1024;

/**
 * The body as it was sent. Its bytes are taken from `budget`; on any other end
 * nothing is kept and all of them are given back.
 */
export async function readBody(
  body: RequestBody,
  limits: InboundLimits,
  budget: BodyBudget,
): Promise<BodyReading> {
  const stated = body.statedBytes;
  if (stated !== null && stated > limits.bodyBytesMax) {
    return { kind: "too_large" };
  }
  const intake = new Intake(budget, limits.bodyBytesMax);
  const late = Promise.withResolvers<BodyReading>();
  const tooSlow = (): void => late.resolve({ kind: "too_slow" });
  budget.deadline.watch(tooSlow);
  const reading = await Promise.race([collect(body, intake), late.promise]);
  budget.deadline.forget(tooSlow);
  if (reading.kind !== "body") intake.close();
  return reading;
}

/** The bytes of one body, held to its own limit and to that of all. */
class Intake {
  readonly #budget: BodyBudget;
  readonly #bytesMax: number;
  #length = 0;
  #isClosed = false;

  constructor(budget: BodyBudget, bytesMax: number) {
    this.#budget = budget;
    this.#bytesMax = bytesMax;
  }

  /** Null when `bytes` more are allowed, and then they are taken. */
  faultOf(bytes: number): "too_large" | "no_room" | null {
    if (this.#length + bytes > this.#bytesMax) return "too_large";
    if (this.#isClosed || !this.#budget.take(bytes)) return "no_room";
    this.#length += bytes;
    return null;
  }

  /** Gives all back; what still comes is refused. */
  close(): void {
    this.#budget.give(this.#length);
    this.#length = 0;
    this.#isClosed = true;
  }
}

/** Chunk by chunk, so that the budget is taken as they come. */
async function collect(
  body: RequestBody,
  intake: Intake,
): Promise<BodyReading> {
  const room = new Room(body.statedBytes);
  try {
    for (;;) {
      const chunk = await body.read();
      if (chunk === null) return { kind: "body", bytes: room.bytes };
      const fault = intake.faultOf(chunk.length);
      if (fault !== null) return { kind: fault };
      room.add(chunk);
    }
  } catch {
    // A client that left and broken framing end it alike.
    return { kind: "broken" };
  }
}

/** Memory that grows with what has come: a length is said more easily. */
class Room {
  #bytes: Uint8Array;
  #length = 0;
  readonly #stated: number | null;

  constructor(stated: number | null) {
    this.#stated = stated;
    this.#bytes = new Uint8Array(Math.min(stated ?? FIRST_BYTES, FIRST_BYTES));
  }

  add(chunk: Uint8Array): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#bytes.length) {
      const next = new Uint8Array(
        Math.max(needed, Math.min(2 * needed, this.#stated ?? Infinity)),
      );
      next.set(this.bytes);
      this.#bytes = next;
    }
    this.#bytes.set(chunk, this.#length);
    this.#length = needed;
  }

  get bytes(): Uint8Array {
    return this.#length === this.#bytes.length
      ? this.#bytes
      : this.#bytes.subarray(0, this.#length);
  }
}

/**
 * The bodies of requests. A body is read into memory, within a budget for all
 * of them, so that it can be routed and sent again where that is safe. Files
 * and batches, which the provider takes up to 500 and 256 MB, are too large for
 * that: they are sent on as they come in, to one account and only once.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { Deadline, Wait } from "../http/deadline.ts";
import type { IncomingRequest, RequestBody } from "../http/request.ts";
import type { BodyStream } from "../ports.ts";
import { type Refusal, refusal } from "../wire/answer/api_error.ts";
import { uploadBytesMax } from "../wire/request/target.ts";

/** Limits on the bodies that clients can make the server keep. */
interface BodyLimits {
  /** The most bytes of one body. */
  readonly bodyBytesMax: number;
  /** The most bytes of all bodies together. */
  readonly totalBytesMax: number;
  /** Time for a body to arrive whole; the longest silence within an upload. */
  readonly bodyMs: number;
}

/**
 * The memory that one body has taken. Disposing it gives the memory back, and
 * then nobody may read the body any more.
 */
export interface BodyShare extends Disposable {
  /** Takes `bytes` more; returns why not, or null. */
  take(bytes: number): "too_large" | "no_room" | null;
  /** Notes the memory that the body is in now. */
  isIn(memory: Uint8Array): void;
}

/** The collector frees shorter bodies, which may share their memory. */
const FREED_BYTES_MIN = 16 * 1024;

/**
 * Frees memory at once. The collector counts objects and not what they hold:
 * until it runs, a hundred megabytes of bodies that nobody needs come together.
 */
function free({ buffer, byteLength }: Uint8Array): void {
  const isOwn = byteLength === buffer.byteLength;
  if (byteLength < FREED_BYTES_MIN || !isOwn) return;
  if (buffer instanceof ArrayBuffer) buffer.transfer(0);
}

/** Counts the bytes of all bodies that are in memory. */
export class BodyBudget {
  readonly limits: BodyLimits;
  /** The limit for {@linkcode BodyLimits.bodyMs}. */
  readonly deadline: Deadline;
  #bytes = 0;

  constructor(limits: BodyLimits) {
    this.limits = limits;
    this.deadline = new Deadline(limits.bodyMs);
  }

  /** Bytes that are taken now. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * Returns an empty share for one body. Only its disposal gives bytes back,
   * and after that it takes no more.
   */
  share(): BodyShare {
    const { bodyBytesMax, totalBytesMax } = this.limits;
    let bytes = 0;
    let isOpen = true;
    let memory: Uint8Array | null = null;
    return {
      take: (more) => {
        if (bytes + more > bodyBytesMax) return "too_large";
        if (!isOpen || this.#bytes + more > totalBytesMax) return "no_room";
        bytes += more;
        this.#bytes += more;
        return null;
      },
      isIn: (now) => {
        if (memory !== null && memory !== now) free(memory);
        memory = now;
      },
      [Symbol.dispose]: () => {
        this.#bytes -= bytes;
        bytes = 0;
        isOpen = false;
        if (memory !== null) free(memory);
        memory = null;
      },
    };
  }
}

/** What reading a body came to. */
type BodyReading =
  | { readonly kind: "body"; readonly bytes: Uint8Array }
  | { readonly kind: "too_large" }
  | { readonly kind: "too_slow" }
  /** The memory for bodies is used up for now. */
  | { readonly kind: "no_room" }
  /** The client left, or the framing is broken. */
  | { readonly kind: "broken" };

/** Reads a body into memory that it takes from `share`, a part of `budget`. */
export async function readBody(
  body: RequestBody,
  share: BodyShare,
  { limits, deadline }: BodyBudget,
): Promise<BodyReading> {
  const stated = body.statedBytes;
  if (stated !== null && stated > limits.bodyBytesMax) {
    return { kind: "too_large" };
  }
  return await new Promise((resolve) => {
    const wait = new Wait(() => resolve({ kind: "too_slow" }));
    deadline.watch(wait);
    collect(body, share).then((reading) => {
      wait.end();
      resolve(reading);
    });
  });
}

/** Returns the answer to a request whose body was not taken. */
export function bodyRefusal(
  { kind }: Exclude<BodyReading, { readonly kind: "body" }>,
): Refusal {
  switch (kind) {
    case "too_large":
      return refusal({
        status: 413,
        type: "request_too_large",
        message: "The request is larger than proxy.bodyBytesMax allows",
      });
    case "too_slow":
      return refusal({
        status: 408,
        type: "timeout_error",
        message: "The request body did not arrive in time",
      });
    case "no_room":
      return refusal({
        status: 503,
        type: "overloaded_error",
        message: "tc is out of memory budget for request bodies; retry shortly",
        retryAfterSec: 5,
      });
    case "broken":
      return refusal({
        status: 400,
        type: "invalid_request_error",
        message: "The request body ended early",
      });
  }
}

async function collect(
  body: RequestBody,
  share: BodyShare,
): Promise<BodyReading> {
  const room = new Room(body.statedBytes, share);
  try {
    for (;;) {
      const chunk = await body.read(room.free());
      if (chunk === null) return { kind: "body", bytes: room.bytes };
      const fault = share.take(chunk.length);
      if (fault !== null) return { kind: fault };
      room.add(chunk);
    }
  } catch {
    // A client that left and broken framing have the same result.
    return { kind: "broken" };
  }
}

/** The most memory that a body gets before its bytes have come. */
const FIRST_BYTES = 64 * 1024;
/**
 * Memory for a body of a stated length, as a multiple of what has come: each
 * step copies all of it, and a long conversation has a few megabytes.
 */
const GROWTH = 64;

/** Grows as bytes arrive: stating a long body must not cost the server memory. */
class Room {
  #bytes: Uint8Array;
  #length = 0;
  readonly #stated: number | null;
  readonly #share: BodyShare;

  constructor(stated: number | null, share: BodyShare) {
    this.#stated = stated;
    this.#share = share;
    // Short bodies share memory that need not be cleared: only what has come in
    // is ever read.
    this.#bytes = Buffer.allocUnsafe(
      Math.min(stated ?? FIRST_BYTES, FIRST_BYTES),
    );
    share.isIn(this.#bytes);
  }

  /** Returns where the next bytes may be read to; null if nobody knows how many. */
  free(): Uint8Array | null {
    if (this.#stated === null) return null;
    const isFull = this.#length === this.#bytes.length;
    if (isFull && this.#length < this.#stated) this.#grow(this.#length + 1);
    return this.#bytes.subarray(this.#length);
  }

  /** Adds what was read, which may be in its place already. */
  add(chunk: Uint8Array): void {
    const needed = this.#length + chunk.length;
    if (needed > this.#bytes.length) this.#grow(needed);
    if (!this.#isNext(chunk)) this.#bytes.set(chunk, this.#length);
    this.#length = needed;
  }

  #isNext({ buffer, byteOffset }: Uint8Array): boolean {
    return buffer === this.#bytes.buffer &&
      byteOffset === this.#bytes.byteOffset + this.#length;
  }

  #grow(needed: number): void {
    const next = new Uint8Array(
      this.#stated === null
        ? 2 * needed
        : Math.max(needed, Math.min(GROWTH * this.#length, this.#stated)),
    );
    next.set(this.bytes);
    this.#bytes = next;
    this.#share.isIn(next);
  }

  get bytes(): Uint8Array {
    return this.#length === this.#bytes.length
      ? this.#bytes
      : this.#bytes.subarray(0, this.#length);
  }
}

/** A body that is too large for memory: sent on once, as it comes in. */
export class Upload implements BodyStream {
  readonly #body: RequestBody;
  readonly #bytesMax: number;
  readonly #silence: Deadline;
  #bytes = 0;

  /** `silence` limits how long the client may send nothing. */
  constructor(body: RequestBody, bytesMax: number, silence: Deadline) {
    this.#body = body;
    this.#bytesMax = bytesMax;
    this.#silence = silence;
  }

  get statedBytes(): number | null {
    return this.#body.statedBytes;
  }

  /** Whether bytes of it were sent on. */
  get isBegun(): boolean {
    return this.#bytes > 0;
  }

  async read(): Promise<Uint8Array | null> {
    const late = Promise.withResolvers<never>();
    const wait = new Wait(() =>
      late.reject(new Error("the client stopped sending its body"))
    );
    this.#silence.watch(wait);
    try {
      const chunk = await Promise.race([this.#body.read(), late.promise]);
      this.#bytes += chunk?.length ?? 0;
      if (this.#bytes > this.#bytesMax) {
        throw new Error(`the body is larger than ${this.#bytesMax} bytes`);
      }
      return chunk;
    } finally {
      wait.end();
    }
  }
}

/** Returns the request's body as an upload, or null if memory can hold it. */
export function uploadOf(
  { method, body }: IncomingRequest,
  target: string,
  { limits, deadline }: BodyBudget,
): Upload | null {
  const bytesMax = uploadBytesMax(method, target);
  const stated = body.statedBytes;
  if (bytesMax === null || stated !== null && stated <= limits.bodyBytesMax) {
    return null;
  }
  // A body that is too large for an upload as well is refused by `readBody`.
  if (stated !== null && stated > bytesMax) return null;
  return new Upload(body, bytesMax, deadline);
}

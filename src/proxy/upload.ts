/**
 * Bodies that are larger than memory should hold: files and batches, which the
 * provider takes up to 500 and 256 MB. They go out as they come in, to one
 * account, and cannot be sent again.
 *
 * @module
 */

import type { BodyStream } from "../ports.ts";
import { uploadBytesMax } from "../wire/request/target.ts";
import type { Arrival, ArrivalBody } from "../http/request.ts";
import type { Lateness } from "../http/deadline.ts";
import type { BodyBudget, InboundLimits } from "./inbound.ts";

/** The body of one arrival on its way to the upstream. */
export class Upload implements BodyStream {
  readonly #body: ArrivalBody;
  readonly #bytesMax: number;
  readonly #lateness: Lateness;
  readonly #silenceMs: number;
  #bytes = 0;

  constructor(
    body: ArrivalBody,
    bytesMax: number,
    { lateness, silenceMs }: {
      readonly lateness: Lateness;
      /** How long the client may send nothing. */
      readonly silenceMs: number;
    },
  ) {
    this.#body = body;
    this.#bytesMax = bytesMax;
    this.#lateness = lateness;
    this.#silenceMs = silenceMs;
  }

  get statedBytes(): number | null {
    return this.#body.statedBytes;
  }

  /** Whether bytes of it have gone out. */
  get isBegun(): boolean {
    return this.#bytes > 0;
  }

  async read(): Promise<Uint8Array | null> {
    const late = Promise.withResolvers<never>();
    const tooSlow = (): void =>
      late.reject(new Error("the client stopped sending its body"));
    this.#lateness.watch(tooSlow, this.#silenceMs);
    try {
      const chunk = await Promise.race([this.#body.read(), late.promise]);
      this.#bytes += chunk?.length ?? 0;
      if (this.#bytes > this.#bytesMax) {
        throw new Error(`the body is larger than ${this.#bytesMax} bytes`);
      }
      return chunk;
    } finally {
      this.#lateness.forget(tooSlow);
    }
  }
}

/**
 * Returns the upload that a request is, or null where its body fits into memory
 * or its path takes no large ones.
 */
export function uploadFor(
  { method, body }: Arrival,
  target: string,
  { limits, budget }: {
    readonly limits: InboundLimits;
    readonly budget: BodyBudget;
  },
): Upload | null {
  const bytesMax = uploadBytesMax(method, target);
  const stated = body.statedBytes;
  if (bytesMax === null || stated !== null && stated <= limits.bodyBytesMax) {
    return null;
  }
  // A body that is too large in any case is refused where bodies are read.
  if (stated !== null && stated > bytesMax) return null;
  return new Upload(body, bytesMax, {
    lateness: budget.lateness,
    silenceMs: limits.bodyMs,
  });
}

/**
 * Bodies that are larger than memory should hold: files and batches, which the
 * provider takes up to 500 and 256 MB. They go out as they come in, to one
 * account, and cannot be sent again.
 *
 * @module
 */

import type { BodyStream } from "../ports.ts";
import { uploadBytesMax } from "../wire/request/target.ts";
import type { IncomingRequest, RequestBody } from "../http/request.ts";
import type { Deadline } from "../http/deadline.ts";
import type { BodyBudget, InboundLimits } from "./inbound.ts";

/** The body of one incoming on its way to the upstream. */
export class Upload implements BodyStream {
  readonly #body: RequestBody;
  readonly #bytesMax: number;
  readonly #silence: Deadline;
  #bytes = 0;

  constructor(
    body: RequestBody,
    bytesMax: number,
    silence: Deadline,
  ) {
    this.#body = body;
    this.#bytesMax = bytesMax;
    this.#silence = silence;
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
    this.#silence.watch(tooSlow);
    try {
      const chunk = await Promise.race([this.#body.read(), late.promise]);
      this.#bytes += chunk?.length ?? 0;
      if (this.#bytes > this.#bytesMax) {
        throw new Error(`the body is larger than ${this.#bytesMax} bytes`);
      }
      return chunk;
    } finally {
      this.#silence.forget(tooSlow);
    }
  }
}

/**
 * Returns the upload that a request is, or null where its body fits into memory
 * or its path takes no large ones.
 */
export function uploadFor(
  { method, body }: IncomingRequest,
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
  return new Upload(body, bytesMax, budget.deadline);
}

/**
 * The per-minute limits of a demo API key: requests, input and output tokens.
 *
 * @module
 */

import type { Instant } from "../../core/time.ts";
import type { TokenUsage } from "../../core/usage.ts";
import { Bucket } from "./rate_gate.ts";

export interface KeyLimits {
  readonly requestsPerMinute: number;
  readonly inputTokensPerMinute: number;
  readonly outputTokensPerMinute: number;
}

export class KeyQuota {
  #limits: KeyLimits;
  #requests: Bucket;
  #input: Bucket;
  #output: Bucket;

  constructor(limits: KeyLimits, now: Instant) {
    this.#limits = limits;
    this.#requests = new Bucket(limits.requestsPerMinute, now);
    this.#input = new Bucket(limits.inputTokensPerMinute, now);
    this.#output = new Bucket(limits.outputTokensPerMinute, now);
  }

  get requests(): Bucket {
    return this.#requests;
  }

  get input(): Bucket {
    return this.#input;
  }

  get output(): Bucket {
    return this.#output;
  }

  /** Sets new limits; every bucket starts full. */
  change(limits: Partial<KeyLimits>, now: Instant): void {
    this.#limits = { ...this.#limits, ...limits };
    this.#requests = new Bucket(this.#limits.requestsPerMinute, now);
    this.#input = new Bucket(this.#limits.inputTokensPerMinute, now);
    this.#output = new Bucket(this.#limits.outputTokensPerMinute, now);
  }

  /**
   * Returns null if a request may start, else when the empty bucket allows one
   * again.
   */
  retryAt(now: Instant): Instant | null {
    const freeAt = [this.#requests, this.#input, this.#output]
      .map((bucket) => bucket.freeAt(now))
      .reduce((latest, at) => at > latest ? at : latest);
    return freeAt > now ? freeAt : null;
  }

  /**
   * Charges an answer. Cache reads do not count against the input limit, as
   * published.
   */
  charge(usage: TokenUsage, now: Instant): void {
    this.#input.take(
      usage.input + usage.cacheWrite5m + usage.cacheWrite1h,
      now,
    );
    this.#output.take(usage.output, now);
  }
}

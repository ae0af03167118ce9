/**
 * The demo's speed limits: requests in flight, starts per minute, and the
 * per-minute buckets of API keys.
 *
 * @module
 */

import {
  after,
  type Instant,
  instantFromMs,
  MINUTE_MS,
  SECOND_MS,
} from "../../core/time.ts";

export interface RateLimits {
  readonly concurrency: number;
  readonly requestsPerMinute: number;
}

interface Admission {
  /** Null if the request may start, else how long it should wait. */
  readonly retryAfterMs: number | null;
}

/** For a throttle the provider states waits from 5 to 60 s. */
const THROTTLE_MS_MIN = 5 * SECOND_MS;

/** Counts running requests, and starts within the last minute. */
export class RateGate {
  limits: RateLimits;
  #running = 0;
  #starts: Instant[] = [];

  constructor(limits: RateLimits) {
    this.limits = limits;
  }

  get running(): number {
    return this.#running;
  }

  /**
   * Returns whether one more may start at `now`; a refused try is not a start.
   */
  check(now: Instant): Admission {
    this.#starts = this.#starts.filter((at) => at > now - MINUTE_MS);
    if (this.#running >= this.limits.concurrency) {
      return { retryAfterMs: THROTTLE_MS_MIN };
    }
    const oldest = this.#starts[0];
    if (
      oldest === undefined ||
      this.#starts.length < this.limits.requestsPerMinute
    ) return { retryAfterMs: null };
    return {
      retryAfterMs: Math.max(THROTTLE_MS_MIN, oldest + MINUTE_MS - now),
    };
  }

  enter(now: Instant): void {
    this.#running += 1;
    this.#starts.push(now);
  }

  leave(): void {
    this.#running -= 1;
  }
}

/** One limit of an API key. It refills evenly within a minute. */
export class Bucket {
  readonly limit: number;
  #level: number;
  #levelAt: Instant;

  constructor(limit: number, now: Instant) {
    this.limit = limit;
    this.#level = limit;
    this.#levelAt = now;
  }

  /** Returns what is left at `now` in whole units, at least 0. */
  remaining(now: Instant): number {
    return Math.max(0, Math.floor(this.#levelAtNow(now)));
  }

  /** Returns when it is full again. */
  fullAt(now: Instant): Instant {
    const missing = this.limit - this.#levelAtNow(now);
    return after(now, Math.ceil(missing * MINUTE_MS / this.limit));
  }

  /** Returns when one unit is available; `now` if one is. */
  freeAt(now: Instant): Instant {
    const missing = 1 - this.#levelAtNow(now);
    if (missing <= 0) return now;
    return instantFromMs(now + Math.ceil(missing * MINUTE_MS / this.limit));
  }

  /**
   * Takes units, even below zero, because the cost of an answer is known only
   * after it.
   */
  take(units: number, now: Instant): void {
    this.#level = this.#levelAtNow(now) - units;
    this.#levelAt = now;
  }

  #levelAtNow(now: Instant): number {
    const refill = (now - this.#levelAt) / MINUTE_MS * this.limit;
    return Math.min(this.limit, this.#level + Math.max(0, refill));
  }
}

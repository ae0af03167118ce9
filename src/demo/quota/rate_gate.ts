/**
 * The demo's limits on speed: requests in flight and starts per minute, and the
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

export interface Admission {
  /** Null when the request may start, else how long it should wait. */
  readonly retryAfterMs: number | null;
}

/** The provider names waits from 5 to 60 s for a throttle. */
const THROTTLE_MS_MIN = 5 * SECOND_MS;

/** Counts what runs and what started within the last minute. */
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

  /** Whether one more may start at `now`; a refused try counts as no start. */
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

/** One limit of an API key: refills evenly, whole in a minute. */
export class Bucket {
  readonly limit: number;
  #level: number;
  #levelAt: Instant;

  constructor(limit: number, now: Instant) {
    this.limit = limit;
    this.#level = limit;
    this.#levelAt = now;
  }

  /** What is left at `now`, in whole units, at least 0. */
  remaining(now: Instant): number {
    return Math.max(0, Math.floor(this.#levelAtNow(now)));
  }

  /** When it is whole again. */
  fullAt(now: Instant): Instant {
    const missing = this.limit - this.#levelAtNow(now);
    return after(now, Math.ceil(missing * MINUTE_MS / this.limit));
  }

  /** When one unit is there, `now` if one is. */
  freeAt(now: Instant): Instant {
    const missing = 1 - this.#levelAtNow(now);
    if (missing <= 0) return now;
    return instantFromMs(now + Math.ceil(missing * MINUTE_MS / this.limit));
  }

  /** May go below zero: what an answer costs is known only after it. */
  take(units: number, now: Instant): void {
    this.#level = this.#levelAtNow(now) - units;
    this.#levelAt = now;
  }

  #levelAtNow(now: Instant): number {
    const refill = (now - this.#levelAt) / MINUTE_MS * this.limit;
    return Math.min(this.limit, this.#level + Math.max(0, refill));
  }
}

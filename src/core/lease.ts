/**
 * Limits on requests in flight, learned by additive increase and
 * multiplicative decrease.
 *
 * @module
 */

import type { Instant } from "./time.ts";

export interface ConcurrencyGate {
  /** Learned limit on requests in flight, from 1 to 64; a fraction while it grows. */
  readonly cap: number;
  /** Learned limit on starts per minute; null while nothing was learned. */
  readonly perMinuteCap: number | null;
  /** Starts within the last minute, oldest first. */
  readonly starts: readonly Instant[];
  readonly lastThrottledAt: Instant | null;
  /** Served at least once since its last bench. */
  readonly isProven: boolean;
  /** Throttles in a row without a served answer between. */
  readonly streak: number;
}

/**
 * Bench states: an account (or one model family on it) gets no new work until
 * an instant, for a stated reason; then one trial request decides.
 *
 * @module
 */

import type { WindowKey } from "./quota.ts";
import type { Instant } from "./time.ts";

export type BenchReason =
  | { readonly kind: "exhausted"; readonly window: WindowKey }
  | { readonly kind: "throttled"; readonly streak: number }
  | { readonly kind: "overloaded" }
  | { readonly kind: "unreachable" };

export type Bench =
  | { readonly kind: "available" }
  | {
    readonly kind: "benched";
    readonly since: Instant;
    readonly until: Instant;
    readonly reason: BenchReason;
  }
  /** The bench is over; one trial request at a time until one is served. */
  | { readonly kind: "probation"; readonly since: Instant };

export const AVAILABLE: Bench = { kind: "available" };

/**
 * Bench states: an account, or one model family on it, gets no new work until
 * an instant, for a stated reason. Then one trial request decides.
 *
 * @module
 */

import type { WindowKey } from "./quota.ts";
import type { Instant } from "../time.ts";

type BenchReason =
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
  /** The bench has ended; one trial request at a time until one is served. */
  | {
    readonly kind: "probation";
    readonly since: Instant;
    /**
     * Whether a throttle caused the bench: then every policy sends a single
     * trial first.
     */
    readonly isThrottle: boolean;
  };

export const AVAILABLE: Bench = { kind: "available" };

/**
 * Returns the bench as it is at `at`. Its end leads to probation: one trial
 * finds out whether the account serves again before other requests follow.
 */
export function benchAt(bench: Bench, at: Instant): Bench {
  if (bench.kind !== "benched" || at < bench.until) return bench;
  const isThrottle = bench.reason.kind === "throttled";
  return { kind: "probation", since: bench.until, isThrottle };
}

/**
 * Returns a bench until `until`. A further refusal never shortens a quota
 * bench, and no lesser reason replaces it: the latest end counts.
 */
export function benched(
  bench: Bench,
  until: Instant,
  { at, reason }: { readonly at: Instant; readonly reason: BenchReason },
): Bench {
  const standing = benchAt(bench, at);
  if (standing.kind === "benched") {
    const isQuota = standing.reason.kind === "exhausted";
    if (isQuota && reason.kind !== "exhausted") return bench;
    const isLater = standing.until >= until;
    if (isLater && (isQuota || reason.kind !== "exhausted")) return bench;
  }
  return { kind: "benched", since: at, until, reason };
}

/**
 * Returns the bench after an answer was served to a request that started at
 * `startedAt`. Only a request sent after the refusal disproves it: an earlier
 * one may have been served before the refusal.
 */
export function disproved(
  bench: Bench,
  at: Instant,
  startedAt: Instant,
): Bench {
  const standing = benchAt(bench, at);
  switch (standing.kind) {
    case "available":
      return AVAILABLE;
    case "probation":
      return startedAt >= standing.since || isPast(bench, startedAt)
        ? AVAILABLE
        : bench;
    case "benched":
      return isPast(bench, startedAt) ? AVAILABLE : bench;
  }
}

function isPast(bench: Bench, startedAt: Instant): boolean {
  return bench.kind === "benched" && startedAt > bench.since;
}

/**
 * Limits on requests in flight, learned by additive increase and
 * multiplicative decrease.
 *
 * @module
 */

import type { RouteSettings } from "./settings.ts";
import { type Instant, MINUTE_MS } from "./time.ts";

/** Steps of admission on an account that takes work over. */
export interface Ramp {
  readonly since: Instant;
  /** Requests in flight when it began. */
  readonly base: number;
}

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
  readonly ramp: Ramp | null;
}

/** Growth of the two limits per answer, once the last throttle is this old. */
const CALM_MS = MINUTE_MS;
const CAP_GROWTH = 0.03;
const PER_MINUTE_GROWTH = 0.02;

/** While nothing throttled for this long, each full answer adds a whole place. */
const UNPROVOKED_MS = 60 * MINUTE_MS;

const CUT = { cap: 0.5, inFlight: 0.375, perMinute: 0.95 } as const;
const PER_MINUTE_MIN = 8;
/** Fewer starts than this in a minute say nothing of a limit per minute. */
const PER_MINUTE_EVIDENCE = 10;
/** Starts that all lie closer together were a burst: too many at once, perhaps. */
const PER_MINUTE_SPAN_MS = MINUTE_MS / 2;

export function newGate(settings: RouteSettings): ConcurrencyGate {
  return {
    cap: settings.concurrencyStart,
    perMinuteCap: null,
    starts: [],
    lastThrottledAt: null,
    isProven: false,
    streak: 0,
    ramp: null,
  };
}

/** Starts within the minute before `at`. */
export function startsWithin(gate: ConcurrencyGate, at: Instant): number {
  const { starts } = gate;
  let count = 0;
  for (let index = starts.length - 1; index >= 0; index--) {
    if ((starts[index] ?? 0) <= at - MINUTE_MS) break;
    count++;
  }
  return count;
}

/** As many as are remembered: each start copies them. */
const STARTS_MAX = 600;

export function started(gate: ConcurrencyGate, at: Instant): ConcurrencyGate {
  const from = gate.starts.findIndex((start) => start > at - MINUTE_MS);
  const oldest = Math.max(from, gate.starts.length - STARTS_MAX + 1);
  const recent = from < 0 ? [] : gate.starts.slice(oldest);
  recent.push(at);
  return { ...gate, starts: recent };
}

/** Growth after an answer; `inFlight` counts it. */
export function answered(
  gate: ConcurrencyGate,
  at: Instant,
  { inFlight, max }: { readonly inFlight: number; readonly max: number },
): ConcurrencyGate {
  const sinceThrottle = gate.lastThrottledAt === null
    ? Infinity
    : at - gate.lastThrottledAt;
  const proven = { ...gate, isProven: true, streak: 0 };
  if (sinceThrottle <= CALM_MS) return proven;
  const growth = sinceThrottle > UNPROVOKED_MS ? 1 : CAP_GROWTH;
  const isFull = inFlight + 1 >= gate.cap;
  return {
    ...proven,
    cap: isFull
      ? Math.max(gate.cap, Math.min(max, gate.cap + growth))
      : gate.cap,
    perMinuteCap: gate.perMinuteCap === null
      ? null
      : gate.perMinuteCap + PER_MINUTE_GROWTH,
  };
}

/**
 * The limits after a throttle of a request that started at `startedAt`. A
 * volley that was in flight together is one lesson, not as many as it had
 * requests.
 */
export function throttled(
  gate: ConcurrencyGate,
  at: Instant,
  { inFlight, startedAt }: {
    readonly inFlight: number;
    readonly startedAt: Instant;
  },
): ConcurrencyGate {
  const isSameVolley = gate.lastThrottledAt !== null &&
    startedAt <= gate.lastThrottledAt;
  if (isSameVolley) return gate;
  return {
    ...gate,
    cap: Math.max(
      1,
      Math.min(gate.cap, CUT.cap * gate.cap + CUT.inFlight * inFlight),
    ),
    perMinuteCap: perMinuteAfter(gate, at),
    lastThrottledAt: at,
    streak: gate.streak + 1,
  };
}

function perMinuteAfter(gate: ConcurrencyGate, at: Instant): number | null {
  const starts = startsWithin(gate, at);
  const oldest = gate.starts.at(-starts) ?? at;
  const isEvidence = starts >= PER_MINUTE_EVIDENCE &&
    at - oldest >= PER_MINUTE_SPAN_MS;
  if (!isEvidence) return gate.perMinuteCap;
  const lowered = Math.min(
    gate.perMinuteCap ?? Infinity,
    CUT.perMinute * starts,
  );
  return Math.max(PER_MINUTE_MIN, lowered);
}

/** Requests in flight that the ramp admits at `at`; null when it is over. */
export function rampLimit(
  ramp: Ramp | null,
  at: Instant,
  settings: RouteSettings,
): number | null {
  if (ramp === null) return null;
  const elapsedMs = at - ramp.since;
  if (elapsedMs < 0 || elapsedMs >= settings.rampWindowMs) return null;
  return ramp.base + 1 +
    Math.floor(elapsedMs / Math.max(1, settings.rampStepMs));
}

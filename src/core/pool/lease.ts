/**
 * How many requests an account takes: a cap that grows with its answers, and
 * limits learned from its 429 answers.
 *
 * @module
 */

import type { RouteSettings } from "../settings.ts";
import { type Instant, MINUTE_MS } from "../time.ts";

/** Steps of admission on an account that takes work over. */
export interface Ramp {
  readonly since: Instant;
  /** Requests in flight when it began. */
  readonly base: number;
}

export interface ConcurrencyGate {
  /** Requests in flight that it may take, from 1 to 64; a fraction while it grows. */
  readonly cap: number;
  /** What its throttling says of requests in flight; null is nothing. */
  readonly inFlight: LearnedLimit | null;
  /** What its throttling says of starts per minute; null is nothing. */
  readonly perMinute: LearnedLimit | null;
  /** Starts within the last minute, oldest first. */
  readonly starts: readonly Instant[];
  readonly lastThrottledAt: Instant | null;
  /** Served at least once since its last bench. */
  readonly isProven: boolean;
  /** Throttles in a row without a served answer between. */
  readonly streak: number;
  readonly ramp: Ramp | null;
}

/** The cap grows once the last throttle is this old. */
const CALM_MS = MINUTE_MS;
const CAP_GROWTH = 0.03;
/** A throttle takes back growth beyond this, and no more. */
const CAP_MIN = 10;

/** While nothing throttled for this long, each full answer adds a whole place. */
const UNPROVOKED_MS = 60 * MINUTE_MS;

/** A throttle with fewer requests in flight is not about their number. */
const IN_FLIGHT: LimitRule = { share: 0.75, least: 2, evidence: 3 };
const PER_MINUTE: LimitRule = { share: 0.95, least: 8, evidence: 10 };
/** Starts that all lie closer together were a burst: too many at once, perhaps. */
const PER_MINUTE_SPAN_MS = MINUTE_MS / 2;

/** Past twice the refused rate a limit on starts has nothing to say. */
const PER_MINUTE_OPEN = 2;

export function newGate(settings: RouteSettings): ConcurrencyGate {
  return {
    cap: settings.concurrencyStart,
    inFlight: null,
    perMinute: null,
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
  };
}

/** Requests in flight that the account takes at `at`. */
export function inFlightCap(gate: ConcurrencyGate, at: Instant): number {
  return Math.min(gate.cap, limitAt(gate.inFlight, gate.cap, at));
}

/** Starts that it takes in a minute at `at`; infinity where nothing limits them. */
export function perMinuteCap(gate: ConcurrencyGate, at: Instant): number {
  const open = PER_MINUTE_OPEN * (gate.perMinute?.level ?? 0);
  return limitAt(gate.perMinute, open, at);
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
  const rate = startRate(gate, at);
  return {
    ...gate,
    // What the cap grew to beyond the refused level was never good.
    cap: Math.min(gate.cap, Math.max(CAP_MIN, inFlight)),
    inFlight: refusedAt(gate.inFlight, inFlight, { at, rule: IN_FLIGHT }),
    perMinute: rate === null
      ? gate.perMinute
      : refusedAt(gate.perMinute, rate, { at, rule: PER_MINUTE }),
    lastThrottledAt: at,
    streak: gate.streak + 1,
  };
}

/** Starts within the last minute; null where they were one burst. */
function startRate(gate: ConcurrencyGate, at: Instant): number | null {
  const starts = startsWithin(gate, at);
  const oldest = gate.starts.at(-starts) ?? at;
  return at - oldest >= PER_MINUTE_SPAN_MS ? starts : null;
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

// A limit that the provider never stated, learned from its throttling. One
// refusal is a suspicion: only a second one at a like level makes the limit
// bind. Time opens it again by itself.

/** What refusals so far say of one limit. */
export interface LearnedLimit {
  /** What was used when it was refused: requests at once, or starts a minute. */
  readonly level: number;
  /** Refusals at a like level; it binds from the second one on. */
  readonly refusals: number;
  /** What binds right after the last refusal. */
  readonly limit: number;
  readonly since: Instant;
  readonly refusedAt: Instant;
}

/** How much of a refused level is used again, and what is too little to tell. */
interface LimitRule {
  readonly share: number;
  readonly least: number;
  /** Below this level a refusal is about something else. */
  readonly evidence: number;
}

/** Refusals further apart than this are two stories. */
const MEMORY_MS = 10 * MINUTE_MS;

/** Levels within this factor of each other are alike. */
const ALIKE = 1.5;

const BINDS_FROM = 2;

/** What is known after a refusal at `level`. */
export function refusedAt(
  known: LearnedLimit | null,
  level: number,
  { at, rule }: { readonly at: Instant; readonly rule: LimitRule },
): LearnedLimit | null {
  if (level < rule.evidence) return known;
  // A limit that binds already is confirmed by a refusal at any level.
  const isSame = known !== null && at - known.refusedAt <= MEMORY_MS &&
    (known.refusals >= BINDS_FROM ||
      level <= known.level * ALIKE && known.level <= level * ALIKE);
  const least = isSame ? Math.min(level, known.level) : level;
  return {
    level: least,
    refusals: isSame ? known.refusals + 1 : 1,
    limit: Math.max(rule.least, rule.share * least),
    since: isSame ? known.since : at,
    refusedAt: at,
  };
}

/**
 * Returns what binds at `at`: infinity where nothing does. Each minute without
 * a refusal takes half of the way to `open`, which is what would be used
 * without the limit.
 */
export function limitAt(
  known: LearnedLimit | null,
  open: number,
  at: Instant,
): number {
  if (known === null || known.refusals < BINDS_FROM) return Infinity;
  const minutes = Math.max(0, at - known.refusedAt) / MINUTE_MS;
  const left = (open - known.limit) * 0.5 ** minutes;
  return left < 1 ? Infinity : open - left;
}

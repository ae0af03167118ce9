/**
 * How many requests an account takes: a cap that grows with served answers, and
 * limits learned from 429 answers. The provider never states those limits. One
 * refusal is a suspicion; a second one at a similar level makes the limit bind,
 * and time lifts it again.
 *
 * @module
 */

import type { RouteSettings } from "../settings.ts";
import { type Instant, MINUTE_MS } from "../time.ts";

/** Step-by-step admission on an account that takes over work. */
export interface Ramp {
  readonly since: Instant;
  /** Requests in flight when the steps began. */
  readonly base: number;
}

export interface ConcurrencyGate {
  /**
   * Requests in flight that the account may take, 1 to 64; fractional while it
   * grows.
   */
  readonly cap: number;
  /** Learned limit on requests in flight; null while nothing is known. */
  readonly inFlight: LearnedLimit | null;
  /** Learned limit on starts per minute; null while nothing is known. */
  readonly perMinute: LearnedLimit | null;
  /** The starts within the last minute. */
  readonly starts: StartTimes;
  readonly lastThrottledAt: Instant | null;
  /** Whether a request was served since the last bench. */
  readonly isProven: boolean;
  /** Throttles in a row without a served answer between them. */
  readonly streak: number;
  readonly ramp: Ramp | null;
}

/** The cap grows only when the last throttle is at least this old. */
const CALM_MS = MINUTE_MS;
const CAP_GROWTH = 0.03;
/** A throttle takes back growth above this and nothing below it. */
const CAP_MIN = 10;

/** After this long without a throttle, each full answer adds a whole place. */
const UNPROVOKED_MS = 60 * MINUTE_MS;

/**
 * With fewer requests in flight than `evidence`, a throttle is not about their
 * number.
 */
const IN_FLIGHT: LimitRule = { share: 0.75, least: 2, evidence: 3 };
const PER_MINUTE: LimitRule = { share: 0.95, least: 8, evidence: 10 };
/**
 * Starts closer together than this were a burst, which says nothing about the
 * rate.
 */
const PER_MINUTE_SPAN_MS = MINUTE_MS / 2;

/** Above twice the refused rate, a limit on starts no longer matters. */
const PER_MINUTE_OPEN = 2;

export function newGate(settings: RouteSettings): ConcurrencyGate {
  return {
    cap: settings.concurrencyStart,
    inFlight: null,
    perMinute: null,
    starts: StartTimes.of([]),
    lastThrottledAt: null,
    isProven: false,
    streak: 0,
    ramp: null,
  };
}

/** Returns the gate after a request started at `at`. */
export function started(gate: ConcurrencyGate, at: Instant): ConcurrencyGate {
  return { ...gate, starts: gate.starts.with(at) };
}

/**
 * Returns the gate after a served answer; `inFlight` includes the answered
 * request.
 */
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

/** Returns how many requests in flight the account takes at `at`. */
export function inFlightCap(gate: ConcurrencyGate, at: Instant): number {
  return Math.min(gate.cap, limitAt(gate.inFlight, gate.cap, at));
}

/**
 * Returns how many starts a minute the account takes at `at`; Infinity without
 * a limit.
 */
export function perMinuteCap(gate: ConcurrencyGate, at: Instant): number {
  const open = PER_MINUTE_OPEN * (gate.perMinute?.level ?? 0);
  return limitAt(gate.perMinute, open, at);
}

/**
 * Returns the limits after a throttle of a request that started at `startedAt`.
 * A volley that was in flight together counts as one refusal, not as many.
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
    // Growth beyond the refused level was never real capacity.
    cap: Math.min(gate.cap, Math.max(CAP_MIN, inFlight)),
    inFlight: refusedAt(gate.inFlight, inFlight, { at, rule: IN_FLIGHT }),
    perMinute: rate === null
      ? gate.perMinute
      : refusedAt(gate.perMinute, rate, { at, rule: PER_MINUTE }),
    lastThrottledAt: at,
    streak: gate.streak + 1,
  };
}

/**
 * Returns the starts within the last minute, or null if they were one burst.
 */
function startRate(gate: ConcurrencyGate, at: Instant): number | null {
  const { count, oldest } = gate.starts.within(at);
  return oldest !== null && at - oldest >= PER_MINUTE_SPAN_MS ? count : null;
}

/**
 * Returns how many requests in flight the steps admit at `at`, or null once
 * they are over.
 */
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

/** What the refusals so far say about one limit. */
export interface LearnedLimit {
  /**
   * The level at which it was refused: requests at once, or starts a minute.
   */
  readonly level: number;
  /** Refusals at a similar level. The limit binds from the second one on. */
  readonly refusals: number;
  /** The limit right after the last refusal. */
  readonly limit: number;
  readonly since: Instant;
  readonly refusedAt: Instant;
}

/**
 * Which share of a refused level is used again, and which level is too low to
 * tell.
 */
interface LimitRule {
  readonly share: number;
  readonly least: number;
  /** Below this level, a refusal has another cause. */
  readonly evidence: number;
}

/** Refusals further apart than this are unrelated. */
const MEMORY_MS = 10 * MINUTE_MS;

/** Levels within this factor of each other count as similar. */
const ALIKE = 1.5;

const BINDS_FROM = 2;

/** Returns what is known after a refusal at `level`. */
export function refusedAt(
  known: LearnedLimit | null,
  level: number,
  { at, rule }: { readonly at: Instant; readonly rule: LimitRule },
): LearnedLimit | null {
  if (level < rule.evidence) return known;
  // A refusal at any level confirms a limit that already binds.
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
 * Returns the limit at `at`; Infinity where nothing binds. Each minute without
 * a refusal closes half of the gap to `open`, the level without the limit.
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

/** The most starts that are remembered. */
const STARTS_MAX = 600;

/**
 * Times of starts, oldest first. `with` returns a longer copy that shares the
 * list: it appends where nobody else has, and each copy ends where it ended
 * when it was made. To copy the list at each start would grow with the rate.
 */
export class StartTimes {
  readonly newest: Instant | null;
  readonly #list: Instant[];
  readonly #from: number;
  readonly #to: number;

  private constructor(list: Instant[], from: number, to: number) {
    this.#list = list;
    this.#from = from;
    this.#to = to;
    this.newest = from < to ? list[to - 1] ?? null : null;
  }

  static of(times: readonly Instant[]): StartTimes {
    return new StartTimes([...times], 0, times.length);
  }

  /** Returns these times and `at`, without those older than a minute. */
  with(at: Instant): StartTimes {
    let list = this.#list;
    let to = this.#to;
    let from = Math.max(this.#from, to - STARTS_MAX + 1);
    while (from < to && (list[from] ?? at) <= at - MINUTE_MS) from++;
    if (list.length !== to || from > STARTS_MAX) {
      list = list.slice(from, to);
      to -= from;
      from = 0;
    }
    list.push(at);
    return new StartTimes(list, from, to + 1);
  }

  /** Returns the number of starts in the minute before `at`, and the first. */
  within(
    at: Instant,
  ): { readonly count: number; readonly oldest: Instant | null } {
    let from = this.#to;
    while (from > this.#from && (this.#list[from - 1] ?? 0) > at - MINUTE_MS) {
      from--;
    }
    const count = this.#to - from;
    return { count, oldest: count === 0 ? null : this.#list[from] ?? null };
  }

  map(change: (time: Instant) => Instant): StartTimes {
    return StartTimes.of(this.#list.slice(this.#from, this.#to).map(change));
  }
}

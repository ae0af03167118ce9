/**
 * How many requests an account takes: a cap that grows with served answers, and
 * limits learned from 429 answers. The provider never states those limits. A
 * refusal says that the load it came at was too much, and that a little less was
 * served. So the limit is kept just below, its level is tried again ever more
 * rarely, and the first answer that is served at it lifts it.
 *
 * @module
 */

import type { RouteSettings } from "../settings.ts";
import {
  DAY_MS,
  HOUR_MS,
  type Instant,
  MINUTE_MS,
  SECOND_MS,
} from "../time.ts";

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
  /** The most that was served lately; null while nothing was. */
  readonly served: Served | null;
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

/** What an account had to do when one of its requests started. */
export interface Load {
  /** Requests in flight, itself included. */
  readonly inFlight: number;
  /** Starts within the last minute, itself included; null if they were a burst. */
  readonly perMinute: number | null;
}

/** The largest loads under which a request was served. */
interface Served {
  readonly inFlight: number;
  readonly perMinute: number;
  readonly since: Instant;
}

/**
 * After this long the largest loads are counted anew, and after twice as long
 * they prove nothing any more.
 */
const SERVED_MS = 10 * MINUTE_MS;

/**
 * With fewer requests in flight than `evidence`, a throttle is not about their
 * number. With seven a fleet is at work, in which a request that has to wait
 * waits for a second or two; with fewer, a person would wait for a limit that
 * one refusal does not prove. (Without a limit after one refusal, a fleet gets
 * two of them in each window: a sixth more 429s.)
 */
const IN_FLIGHT: LimitRule = {
  share: 0.75,
  least: 2,
  evidence: 3,
  bindsAt: 7,
};
const PER_MINUTE: LimitRule = {
  share: 0.95,
  least: 8,
  evidence: 10,
  bindsAt: Infinity,
};
/**
 * Starts closer together than this were a burst, which says nothing about the
 * rate.
 */
const PER_MINUTE_SPAN_MS = MINUTE_MS / 2;

export function newGate(settings: RouteSettings): ConcurrencyGate {
  return {
    cap: settings.concurrencyStart,
    inFlight: null,
    perMinute: null,
    served: null,
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

/** Returns what the account has to do with the request that starts at `at`. */
export function loadAt(
  gate: ConcurrencyGate,
  at: Instant,
  inFlight: number,
): Load {
  const { count, oldest } = gate.starts.within(at);
  const isBurst = oldest === null || at - oldest < PER_MINUTE_SPAN_MS;
  return { inFlight: inFlight + 1, perMinute: isBurst ? null : count + 1 };
}

/**
 * Returns the gate after a served answer; `inFlight` includes the answered
 * request, which started at `startedAt` under `load`.
 */
export function answered(
  gate: ConcurrencyGate,
  at: Instant,
  { inFlight, load, startedAt, max }: {
    readonly inFlight: number;
    readonly load: Load;
    readonly startedAt: Instant;
    readonly max: number;
  },
): ConcurrencyGate {
  const sinceThrottle = gate.lastThrottledAt === null
    ? Infinity
    : at - gate.lastThrottledAt;
  const proven = {
    ...gate,
    inFlight: undisproved(gate.inFlight, load.inFlight, startedAt),
    perMinute: undisproved(gate.perMinute, load.perMinute ?? 0, startedAt),
    served: servedMost(gate.served, load, at),
    isProven: true,
    streak: 0,
  };
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

function servedMost(
  known: Served | null,
  { inFlight, perMinute }: Load,
  at: Instant,
): Served {
  const load = { inFlight, perMinute: perMinute ?? 0, since: at };
  if (known === null || at - known.since > SERVED_MS) return load;
  if (inFlight <= known.inFlight && load.perMinute <= known.perMinute) {
    return known;
  }
  return {
    inFlight: Math.max(known.inFlight, inFlight),
    perMinute: Math.max(known.perMinute, load.perMinute),
    since: known.since,
  };
}

/** Returns how many requests in flight the account takes at `at`. */
export function inFlightCap(gate: ConcurrencyGate, at: Instant): number {
  return Math.min(gate.cap, limitAt(gate.inFlight, at, IN_FLIGHT));
}

/**
 * Returns how many starts a minute the account takes at `at`; Infinity without
 * a limit.
 */
export function perMinuteCap(gate: ConcurrencyGate, at: Instant): number {
  return limitAt(gate.perMinute, at, PER_MINUTE);
}

/**
 * Returns how many ms lie between two requests that pass a learned limit because
 * they waited too long: more with each trial that was refused.
 */
export function overflowStepMs(
  { inFlight, perMinute }: ConcurrencyGate,
): number {
  const trials = Math.max(inFlight?.trials ?? 0, perMinute?.trials ?? 0);
  return Math.min(OVERFLOW_STEP_MS_MAX, OVERFLOW_STEP_MS * 2 ** trials);
}

/**
 * Returns the limits after a throttle of a request that started at `startedAt`
 * under `load`. A volley that was in flight together counts as one refusal, not
 * as many.
 */
export function throttled(
  gate: ConcurrencyGate,
  at: Instant,
  { load, startedAt }: {
    readonly load: Load;
    readonly startedAt: Instant;
  },
): ConcurrencyGate {
  const isSameVolley = gate.lastThrottledAt !== null &&
    startedAt <= gate.lastThrottledAt;
  if (isSameVolley) return gate;
  const { inFlight, perMinute } = load;
  const suspects = suspected(gate, load, at);
  return {
    ...gate,
    // Growth to the refused level was never real capacity.
    cap: suspects.inFlight
      ? Math.min(gate.cap, Math.max(CAP_MIN, inFlight - 1))
      : gate.cap,
    inFlight: suspects.inFlight
      ? refusedAt(gate.inFlight, inFlight, { at, rule: IN_FLIGHT })
      : gate.inFlight,
    perMinute: suspects.perMinute && perMinute !== null
      ? refusedAt(gate.perMinute, perMinute, { at, rule: PER_MINUTE })
      : gate.perMinute,
    lastThrottledAt: at,
    streak: gate.streak + 1,
  };
}

/**
 * Returns which limits a refusal may be about. A limit that binds and that the
 * request passed explains it. A load that was served lately does not. If that
 * leaves neither, both are suspected.
 */
function suspected(
  { inFlight, perMinute, served }: ConcurrencyGate,
  load: Load,
  at: Instant,
): { readonly inFlight: boolean; readonly perMinute: boolean } {
  const rate = load.perMinute ?? 0;
  const isOver = binds(inFlight, IN_FLIGHT) && load.inFlight >= inFlight.level;
  const isFast = binds(perMinute, PER_MINUTE) && rate >= perMinute.level;
  if (isOver !== isFast) return { inFlight: isOver, perMinute: isFast };
  const most = served !== null && at - served.since <= 2 * SERVED_MS
    ? served
    : null;
  const isMore = load.inFlight > (most?.inFlight ?? 0);
  const isFaster = rate > (most?.perMinute ?? 0);
  return isMore || isFaster
    ? { inFlight: isMore, perMinute: isFaster }
    : { inFlight: true, perMinute: true };
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
  /**
   * How many requests in a row were refused that were let past the limit to try
   * whether it still holds.
   */
  readonly trials: number;
  /** The limit right after the last refusal. */
  readonly limit: number;
  readonly since: Instant;
  readonly refusedAt: Instant;
}

/**
 * Which share of a refused level is used again, and which level is too low to
 * tell.
 */
export interface LimitRule {
  readonly share: number;
  readonly least: number;
  /** Below this level, a refusal has another cause. */
  readonly evidence: number;
  /** From this level on, a single refusal binds. */
  readonly bindsAt: number;
}

/** Refusals further apart than this are unrelated, unless the limit binds. */
const MEMORY_MS = 10 * MINUTE_MS;

/** A limit that binds is remembered this long: plans change rarely. */
const BOUND_MEMORY_MS = 2 * DAY_MS;

/** Levels within this factor of each other count as similar. */
const ALIKE = 1.5;

const BINDS_FROM = 2;

function binds(
  known: LearnedLimit | null,
  { bindsAt }: LimitRule,
): known is LearnedLimit {
  return known !== null &&
    (known.refusals >= BINDS_FROM || known.level >= bindsAt);
}

/** Returns what is known after a refusal at `level`. */
export function refusedAt(
  known: LearnedLimit | null,
  level: number,
  { at, rule }: { readonly at: Instant; readonly rule: LimitRule },
): LearnedLimit | null {
  if (level < rule.evidence) return known;
  const isBound = binds(known, rule);
  const isSame = known !== null && isSameLimit(known, level, { at, isBound });
  const least = isSame ? Math.min(level, known.level) : level;
  const isTrial = isSame && isBound && level >= known.level;
  const refusals = isSame ? known.refusals + 1 : 1;
  const limit = refusals >= BINDS_FROM ? rule.share * least : least - 1;
  return {
    level: least,
    refusals,
    trials: isTrial ? known.trials + 1 : 0,
    limit: Math.max(rule.least, limit),
    since: isSame ? known.since : at,
    refusedAt: at,
  };
}

function isSameLimit(
  known: LearnedLimit,
  level: number,
  { at, isBound }: { readonly at: Instant; readonly isBound: boolean },
): boolean {
  const sinceMs = at - known.refusedAt;
  const isAlike = level <= known.level * ALIKE && known.level <= level * ALIKE;
  if (!isBound) return isAlike && sinceMs <= MEMORY_MS;
  // Soon after, a refusal at any level confirms a limit that binds.
  return sinceMs <= MEMORY_MS || isAlike && sinceMs <= BOUND_MEMORY_MS;
}

/**
 * Pause until the refused level is tried again, and its growth with each refusal:
 * plans have the same limits for months. (Half and twice the pause, or twice as
 * long each time, provoke up to an eighth more 429s and serve as much.)
 */
const TRIAL_MS = 10 * MINUTE_MS;
const TRIAL_GROWTH = 4;
const TRIAL_MS_MAX = 12 * HOUR_MS;

/**
 * Returns the limit at `at`; Infinity where nothing binds. Less than the refused
 * level was served, so the limit opens to just below it within minutes. The
 * level itself is allowed again after a pause that grows with each such trial
 * that was refused.
 */
export function limitAt(
  known: LearnedLimit | null,
  at: Instant,
  rule: LimitRule,
): number {
  if (!binds(known, rule)) return Infinity;
  const sinceMs = Math.max(0, at - known.refusedAt);
  if (sinceMs >= BOUND_MEMORY_MS) return Infinity;
  const { level, limit, trials } = known;
  const pauseMs = Math.min(TRIAL_MS_MAX, TRIAL_MS * TRIAL_GROWTH ** trials);
  if (sinceMs >= pauseMs) return level;
  const open = Math.max(limit, level - 1);
  const left = (open - limit) * 0.5 ** (sinceMs / MINUTE_MS);
  return left < 1 ? open : open - left;
}

/** Returns the limit unless as much was served since as was refused then. */
function undisproved(
  known: LearnedLimit | null,
  level: number,
  startedAt: Instant,
): LearnedLimit | null {
  const isDisproved = known !== null && startedAt > known.refusedAt &&
    level >= known.level;
  return isDisproved ? null : known;
}

/**
 * Past a learned limit, one request a second passes, and fewer once such
 * requests were refused.
 */
const OVERFLOW_STEP_MS = SECOND_MS;
const OVERFLOW_STEP_MS_MAX = MINUTE_MS;

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

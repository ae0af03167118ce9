/**
 * When each window runs out and how long the pool lasts: if work goes on as it
 * does now, and in the person's usual week. These are estimates, marked where
 * they rest on a guess.
 *
 * @module
 */

import type { AccountId } from "../account.ts";
import { burnSince } from "./capacity.ts";
import { type Habit, usualPace } from "./habit.ts";
import { BURN_BUCKET_MS, burnBucketAt } from "./learn.ts";
import {
  elapsedShare,
  endsAt,
  isRunning,
  type QuotaWindow,
  type WindowKey,
} from "./quota.ts";
import { fiveHourTokens, weekInFiveHours } from "./projection.ts";
import type { AccountState, BurnBucket, PoolSnapshot } from "../pool/state.ts";
import { after, DAY_MS, HOUR_MS, type Instant, MINUTE_MS } from "../time.ts";

export interface WindowForecast {
  readonly accountId: AccountId;
  readonly key: WindowKey;
  /** When it is spent; null when it lasts until its reset. */
  readonly spentAt: Instant | null;
  /**
   * The times between which it is spent in eight of ten cases, while people
   * work as they do. A null bound means "not before its reset". Null if nothing
   * was burnt in the last hour, and if the window is spent already.
   */
  readonly spentBetween: Between<Instant> | null;
}

export interface PoolForecast {
  readonly windows: readonly WindowForecast[];
  /** Quota tokens per hour, over the last hour. */
  readonly tokensPerHour: number;
  /**
   * When the whole pool has nothing left for that pace; null if it lasts for a
   * week or nothing is being used.
   */
  readonly lastsUntil: Instant | null;
  /** The same with the spread of the burn; a null bound is a week or longer. */
  readonly lastsBetween: Between<Instant> | null;
  /** Whether it rests on plan sizes that no answer has confirmed. */
  readonly isGuess: boolean;
  /** By the person's usual week, always a guess; null if none is known. */
  readonly usual: UsualForecast | null;
}

/**
 * How long the pool lasts if the person works from now on as in the last weeks,
 * and all of that work goes through it.
 */
interface UsualForecast {
  /** Null if it lasts a week. */
  readonly lastsUntil: Instant | null;
  /** The weeks that it rests on. */
  readonly weeks: number;
}

const STEP_MS = 15 * MINUTE_MS;
const HORIZON_MS = 7 * DAY_MS;
const FIVE_HOURS_MS = 5 * HOUR_MS;

const BUCKETS_PER_HOUR = HOUR_MS / BURN_BUCKET_MS;

/** Figures have two decimals. */
const ROUNDING = 0.005;

export function forecast(
  snapshot: PoolSnapshot,
  habit: Habit | null = null,
): PoolForecast {
  const { at } = snapshot;
  const states = [...snapshot.accounts.values()].filter(serves);
  const tokensPerHour = states.reduce((sum, s) => sum + paceOf(s, at), 0);
  const until = lastsUntil(states, tokensPerHour, at);
  return {
    windows: states.flatMap((state) => windowForecasts(state, at)),
    tokensPerHour: Math.round(tokensPerHour),
    lastsUntil: until,
    lastsBetween: lastsBetween(states, until, at),
    isGuess: states.some((s) => s.learned.fiveHourTokens === null),
    usual: habit === null || states.length === 0 ? null : {
      lastsUntil: emptyAt(states, (time) => usualPace(habit, time), at),
      weeks: habit.weeks,
    },
  };
}

/**
 * Only plans have windows that run out, and an account that needs a login
 * serves nothing.
 */
function serves({ account, credential }: AccountState): boolean {
  return account.enabled && credential.kind !== "needs_login" &&
    (account.kind === "subscription" || account.kind === "setup_token");
}

/** Returns the quota tokens that the account gave in the last hour. */
function paceOf(state: AccountState, at: Instant): number {
  return burnSince(state, after(at, -HOUR_MS));
}

function windowForecasts(
  state: AccountState,
  at: Instant,
): readonly WindowForecast[] {
  const running = Object.values(state.windows)
    .filter((window) => isRunning(window, at));
  const shutUntil = Math.max(
    at,
    ...running.filter(({ family, utilization }) =>
      family === null && (utilization ?? 0) >= 1
    ).map(endsAt),
  );
  return running.map((window): WindowForecast => {
    const end = spentAt(window, state, at);
    const accountId = state.account.id;
    // While one window is used up the account spends nothing of the others.
    return end !== null && end > at && end < shutUntil
      ? { accountId, key: window.key, spentAt: null, spentBetween: null }
      : {
        accountId,
        key: window.key,
        spentAt: end,
        spentBetween: spentBetween(window, state, at),
      };
  });
}

function spentAt(
  window: QuotaWindow,
  state: AccountState,
  at: Instant,
): Instant | null {
  if (window.utilization === null) return null;
  if (window.utilization >= 1) return at;
  const perHour = sharePerHour(window, state, at);
  if (perHour <= 0) return null;
  const leftMs = (1 - window.utilization) / perHour * HOUR_MS;
  return leftMs >= endsAt(window) - at ? null : after(at, leftMs);
}

function spentBetween(
  window: QuotaWindow,
  state: AccountState,
  at: Instant,
): Between<Instant> | null {
  const { utilization } = window;
  const burnt = burnSpread(state.burn, at);
  if (burnt === null || utilization === null || utilization >= 1) return null;
  const spread = inShares(burnt, sharePerHour(window, state, at));
  const left = 1 - utilization;
  return instantsBetween({
    soonest: runsOutBetween(Math.max(0, left - ROUNDING), spread).soonest,
    latest: runsOutBetween(left + ROUNDING, spread).latest,
  }, { at, endsAt: endsAt(window) });
}

/**
 * Returns the spread in shares of the window, as unsteady as the tokens are.
 */
function inShares(
  { mean, variance }: BurnSpread,
  sharePerHour: number,
): BurnSpread {
  const share = sharePerHour / BUCKETS_PER_HOUR;
  return { mean: share, variance: variance * (share / mean) ** 2 };
}

/**
 * Returns the utilization gained per hour: by the tokens of the last hour, else
 * since the window began.
 */
function sharePerHour(
  window: QuotaWindow,
  state: AccountState,
  at: Instant,
): number {
  const { fiveHourTokens: size, weekInFiveHours: weeks } = state.learned;
  const pace = paceOf(state, at);
  if (window.key === "5h" && size !== null) return pace / size;
  if (window.key === "7d" && size !== null && weeks !== null) {
    return pace / (size * weeks);
  }
  const elapsed = elapsedShare(window, at);
  return elapsed === null || elapsed === 0
    ? 0
    : (window.utilization ?? 0) / (elapsed * window.lengthMs / HOUR_MS);
}

/** One account as its windows empty and refill. */
interface Tank {
  readonly size: number;
  readonly weekSize: number;
  left: number;
  weekLeft: number;
  resetsAt: number;
  weekResetsAt: number;
  /** From here on a person has to sign in; Infinity if that is unknown. */
  readonly signInEndsAt: number;
}

/** A figure that is this fresh counts the tokens that were booked before it. */
const FRESH_MS = 15 * MINUTE_MS;

/**
 * Returns the least size of a window that the provider's own figure proves: the
 * tokens that were booked while it rose by `rise`. Figures are rounded.
 */
function provenSize(
  window: QuotaWindow | undefined,
  { tokens, rise }: { readonly tokens: number; readonly rise: number },
  at: Instant,
): number {
  const isFresh = window !== undefined && isRunning(window, at) &&
    at - window.observedAt <= FRESH_MS;
  return isFresh ? tokens / (rise + 2 * ROUNDING) : 0;
}

function tankOf(state: AccountState, at: Instant): Tank {
  const { learned } = state;
  const { tokens, fiveHourRise, weekRise } = learned.evidence;
  const fiveHour = state.windows["5h"];
  const week = state.windows["7d"];
  // Until a size is learned it is a guess, which figures may disprove.
  const size = learned.fiveHourTokens ?? Math.max(
    fiveHourTokens(state),
    provenSize(fiveHour, { tokens, rise: fiveHourRise }, at),
  );
  const weekSize = learned.weekInFiveHours === null
    ? Math.max(
      size * weekInFiveHours(state),
      provenSize(week, { tokens, rise: weekRise }, at),
    )
    : size * learned.weekInFiveHours;
  const isOn = fiveHour !== undefined && isRunning(fiveHour, at);
  const isWeekOn = week !== undefined && isRunning(week, at);
  return {
    size,
    weekSize,
    left: size * (1 - Math.min(1, isOn ? fiveHour.utilization ?? 0 : 0)),
    weekLeft: weekSize *
      (1 - Math.min(1, isWeekOn ? week.utilization ?? 0 : 0)),
    resetsAt: isOn ? endsAt(fiveHour) : at + FIVE_HOURS_MS,
    weekResetsAt: isWeekOn ? endsAt(week) : at + HORIZON_MS,
    signInEndsAt: state.account.signInEndsAt ?? Infinity,
  };
}

function lastsUntil(
  states: readonly AccountState[],
  tokensPerHour: number,
  at: Instant,
): Instant | null {
  if (tokensPerHour === 0) return null;
  return emptyAt(states, () => tokensPerHour, at);
}

/** Returns when nothing is left for `paceAt`, in quota tokens an hour. */
function emptyAt(
  states: readonly AccountState[],
  paceAt: (time: number) => number,
  at: Instant,
): Instant | null {
  const tanks = states.map((state) => tankOf(state, at)).sort(byReset);
  for (let passed = 0; passed < HORIZON_MS; passed += STEP_MS) {
    const wanted = paceAt(at + passed) * STEP_MS / HOUR_MS;
    const missing = drain(tanks, wanted, at + passed);
    if (missing > 0) {
      return after(at, passed + STEP_MS * (1 - missing / wanted));
    }
  }
  return null;
}

/**
 * Returns how long the pool lasts at both bounds of its pace over that time.
 */
function lastsBetween(
  states: readonly AccountState[],
  until: Instant | null,
  at: Instant,
): Between<Instant> | null {
  const spread = burnSpread(joinedBurn(states.map(({ burn }) => burn)), at);
  if (spread === null) return null;
  const aheadMs = until === null ? HORIZON_MS : until - at;
  const { low, high } = meanBetween(spread, aheadMs);
  return {
    soonest: lastsUntil(states, high * BUCKETS_PER_HOUR, at),
    latest: lastsUntil(states, low * BUCKETS_PER_HOUR, at),
  };
}

function byReset(a: Tank, b: Tank): number {
  return a.resetsAt - b.resetsAt;
}

/** Takes `wanted` tokens, first from the tank that refills first. */
function drain(tanks: Tank[], wanted: number, at: number): number {
  let isRefilled = false;
  for (const tank of tanks) isRefilled = refill(tank, at) || isRefilled;
  if (isRefilled) tanks.sort(byReset);
  let missing = wanted;
  for (const tank of tanks) {
    // The sign-in has ended and nothing renews it.
    if (at >= tank.signInEndsAt) continue;
    const given = Math.min(missing, tank.left, tank.weekLeft);
    tank.left -= given;
    tank.weekLeft -= given;
    missing -= given;
  }
  return missing;
}

/** Fills what is due; returns whether the order of the tanks may be another. */
function refill(tank: Tank, at: number): boolean {
  const isDue = at >= tank.resetsAt;
  if (isDue) {
    tank.left = tank.size;
    tank.resetsAt = at + FIVE_HOURS_MS;
  }
  if (at >= tank.weekResetsAt) {
    tank.weekLeft = tank.weekSize;
    tank.weekResetsAt = at + HORIZON_MS;
  }
  return isDue;
}

/** Mean and variance of the quota tokens, or shares, burnt in five minutes. */
interface BurnSpread {
  readonly mean: number;
  readonly variance: number;
}

/** Soonest and latest; null means not within the time that counts. */
export interface Between<Point> {
  readonly soonest: Point | null;
  readonly latest: Point | null;
}

/** The mean is taken over the last hour, like the point forecast. */
const MEAN_BUCKETS = HOUR_MS / BURN_BUCKET_MS;
/** The spread is taken over the last three hours, in quarters of an hour. */
const SPREAD_BUCKETS = 3 * MEAN_BUCKETS;
const BATCH_BUCKETS = 3;

/**
 * Eight of ten true times must lie within the bounds. For a normal burn 1.28
 * would do; on the built-in workloads of people and agents it holds seven of
 * ten.
 */
const BOUND = 1.7;

/**
 * Returns mean and variance of `burn` in five minutes. The variance is taken
 * from sums over quarters of an hour in the last three hours, around the last
 * hour's mean: bursts last longer than five minutes, and a recent change of
 * pace is a spread as well. Null if nothing was burnt in the last hour.
 */
export function burnSpread(
  burn: readonly BurnBucket[],
  at: Instant,
): BurnSpread | null {
  const now = burnBucketAt(at);
  const sums = new Array<number>(SPREAD_BUCKETS + 1).fill(0);
  let oldest = 0;
  for (const bucket of burn) {
    const age = Math.round((now - bucket.at) / BURN_BUCKET_MS);
    if (age < 0) continue;
    oldest = Math.max(oldest, Math.min(age, SPREAD_BUCKETS));
    if (age > SPREAD_BUCKETS) continue;
    sums[age] = (sums[age] ?? 0) + bucket.tokens;
  }
  const mean = total(sums.slice(0, MEAN_BUCKETS)) / MEAN_BUCKETS;
  if (mean <= 0) return null;
  // Before its first answer an account was absent, not idle.
  const known = Math.max(MEAN_BUCKETS, oldest);
  const batches = Math.floor(known / BATCH_BUCKETS);
  let squares = 0;
  for (let batch = 0; batch < batches; batch++) {
    // The current five minutes are incomplete, so batches begin before them.
    const from = 1 + batch * BATCH_BUCKETS;
    const off = total(sums.slice(from, from + BATCH_BUCKETS)) -
      BATCH_BUCKETS * mean;
    squares += off * off;
  }
  return { mean, variance: squares / (batches * BATCH_BUCKETS) };
}

/**
 * Returns when `left` is burnt, in ms from now. After k times five minutes the
 * burn is k times the mean, plus or minus 1.7 standard deviations of `variance
 * * (k + k²/12)`: the noise to come, and the error of a mean taken over one
 * hour. Solved for the k at which either bound meets `left`; latest is null if
 * the lower bound never does.
 */
export function runsOutBetween(
  left: number,
  { mean, variance }: BurnSpread,
): Between<number> {
  const noise = BOUND * BOUND * variance;
  const square = mean * mean - noise / MEAN_BUCKETS;
  const linear = 2 * left * mean + noise;
  const root = Math.sqrt(
    Math.max(0, linear * linear - 4 * square * left * left),
  );
  const soonest = 2 * left * left / (linear + root);
  return {
    soonest: soonest * BURN_BUCKET_MS,
    latest: square > 0 ? (linear + root) / (2 * square) * BURN_BUCKET_MS : null,
  };
}

/** Returns the bounds of the mean over the next `ms`, in the same units. */
export function meanBetween(
  { mean, variance }: BurnSpread,
  ms: number,
): { readonly low: number; readonly high: number } {
  const ahead = Math.max(1, ms / BURN_BUCKET_MS);
  const off = BOUND *
    Math.sqrt(variance * (1 / ahead + 1 / MEAN_BUCKETS));
  return { low: Math.max(0, mean - off), high: mean + off };
}

/** Returns the burn of several accounts added up. */
function joinedBurn(
  burns: readonly (readonly BurnBucket[])[],
): readonly BurnBucket[] {
  const sums = new Map<Instant, number>();
  for (const { at, tokens } of burns.flat()) {
    sums.set(at, (sums.get(at) ?? 0) + tokens);
  }
  return [...sums].map(([at, tokens]) => ({ at, tokens }));
}

/** Returns the instants of times ahead; null past `endsAt`. */
function instantsBetween(
  { soonest, latest }: Between<number>,
  { at, endsAt }: { readonly at: Instant; readonly endsAt: number },
): Between<Instant> {
  const within = (ms: number | null) =>
    ms === null || at + ms >= endsAt ? null : after(at, Math.round(ms));
  return { soonest: within(soonest), latest: within(latest) };
}

function total(values: readonly number[]): number {
  return values.reduce((sum, value) => sum + value, 0);
}

/**
 * How unsteadily quota is burnt, and what that leaves open about the time at
 * which something runs out.
 *
 * @module
 */

import { BURN_BUCKET_MS, burnBucketAt } from "./learn.ts";
import type { BurnBucket } from "../pool/state.ts";
import { after, HOUR_MS, type Instant } from "../time.ts";

/** Quota tokens (or shares) in five minutes: mean, and variance about it. */
export interface BurnSpread {
  readonly mean: number;
  readonly variance: number;
}

/** Soonest and latest; null: not within the time that counts. */
export interface Between<Point> {
  readonly soonest: Point | null;
  readonly latest: Point | null;
}

/** The mean is that of the last hour, as the point forecast's. */
const MEAN_BUCKETS = HOUR_MS / BURN_BUCKET_MS;
/** The spread is that of the last three, a quarter of an hour at a time. */
const SPREAD_BUCKETS = 3 * MEAN_BUCKETS;
const BATCH_BUCKETS = 3;

/**
 * Of ten true times, eight lie within. Were the burn normal, 1.28 would do; of
 * what people and agents burn in the built-in workloads, that holds seven.
 */
const BOUND = 1.7;

/**
 * Mean and variance of what `burn` gave, in five minutes. The variance is that
 * of sums over quarters of an hour in the last three hours about the last
 * hour's mean (a third of it each five minutes): bursts outlast five minutes,
 * and a pace that changed lately is a spread too. Null without any burn in the
 * last hour.
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
  // Before its first answer an account was not idle: it was not there.
  const known = Math.max(MEAN_BUCKETS, oldest);
  const batches = Math.floor(known / BATCH_BUCKETS);
  let squares = 0;
  for (let batch = 0; batch < batches; batch++) {
    // The five minutes that run are not whole: batches begin behind them.
    const from = 1 + batch * BATCH_BUCKETS;
    const off = total(sums.slice(from, from + BATCH_BUCKETS)) -
      BATCH_BUCKETS * mean;
    squares += off * off;
  }
  return { mean, variance: squares / (batches * BATCH_BUCKETS) };
}

/**
 * When `left` is burnt, in milliseconds from now. After k times five minutes
 * the burn is k times the mean, give or take 1.7 standard deviations of
 * `variance * (k + k²/12)`: the noise still to come, and the error of a mean
 * that was taken over an hour. Solved for the k at which either bound meets
 * `left`; no latest where the lower bound never does.
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

/** The mean's bounds over the next `ms`, in the same units. */
export function meanBetween(
  { mean, variance }: BurnSpread,
  ms: number,
): { readonly low: number; readonly high: number } {
  const ahead = Math.max(1, ms / BURN_BUCKET_MS);
  const off = BOUND *
    Math.sqrt(variance * (1 / ahead + 1 / MEAN_BUCKETS));
  return { low: Math.max(0, mean - off), high: mean + off };
}

/** The burn of several accounts as that of one. */
export function joinedBurn(
  burns: readonly (readonly BurnBucket[])[],
): readonly BurnBucket[] {
  const sums = new Map<Instant, number>();
  for (const { at, tokens } of burns.flat()) {
    sums.set(at, (sums.get(at) ?? 0) + tokens);
  }
  return [...sums].map(([at, tokens]) => ({ at, tokens }));
}

/** `Between` of instants from that of times ahead; null past `endsAt`. */
export function instantsBetween(
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

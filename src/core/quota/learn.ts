/**
 * Learns an account's size by watching its figures rise while tokens are booked
 * on it.
 *
 * @module
 */

import {
  endsAt,
  isRunning,
  type QuotaWindow,
  type QuotaWindows,
} from "./quota.ts";
import { after, type Instant, MINUTE_MS } from "../time.ts";

/** What an account's own answers revealed about its size. */
export interface LearnedCapacity {
  /** Quota tokens of one whole 5h window; null while unlearned. */
  readonly fiveHourTokens: number | null;
  /** Whole 5h windows in one week; null while unlearned. */
  readonly weekInFiveHours: number | null;
  readonly evidence: CapacityEvidence;
}

/** The sums that capacity is learned from. */
interface CapacityEvidence {
  /** Quota tokens booked while the windows were watched. */
  readonly tokens: number;
  /** Rises of the 5h figure in that time, in whole windows. */
  readonly fiveHourRise: number;
  /** Rises of the weekly figure in that time. */
  readonly weekRise: number;
}

export const UNLEARNED: LearnedCapacity = {
  fiveHourTokens: null,
  weekInFiveHours: null,
  evidence: { tokens: 0, fiveHourRise: 0, weekRise: 0 },
};

/** Below this rise, the rounding of the figures matters too much. */
const RISE_MIN = 0.03;

/** Old evidence fades once this many windows were seen. */
const RISE_FADES_AT = 2;

/** Least number of five-hour windows in a week, whatever the figures say. */
const WEEK_MIN = 2;
const WEEK_MAX = 30;

/** Resets jitter by less than this; a larger difference is another window. */
const RESET_JITTER_MS = MINUTE_MS;

/** Books the tokens of one answer. */
export function bookTokens(
  learned: LearnedCapacity,
  tokens: number,
): LearnedCapacity {
  const { evidence } = learned;
  return concluded(learned, {
    ...evidence,
    tokens: evidence.tokens + tokens,
  });
}

/** Adds how far the figures rose from `before` to `after`. */
export function watchRise(
  learned: LearnedCapacity,
  before: QuotaWindows,
  after: QuotaWindows,
): LearnedCapacity {
  const fiveHour = riseOf(before["5h"], after["5h"]);
  const week = riseOf(before["7d"], after["7d"]);
  if (fiveHour === null && week === null) return learned;
  const { evidence } = learned;
  return concluded(learned, {
    // Tokens booked before the first figure arrived belong to no rise.
    tokens: before["5h"] === undefined ? 0 : evidence.tokens,
    fiveHourRise: evidence.fiveHourRise + (fiveHour ?? 0),
    weekRise: evidence.weekRise + (week ?? 0),
  });
}

/** Returns how far a window rose; null if it was not watched before. */
function riseOf(
  before: QuotaWindow | undefined,
  now: QuotaWindow | undefined,
): number | null {
  if (before === undefined || now === undefined) return null;
  if (before === now || before.utilization === null) return null;
  if (now.utilization === null) return null;
  const isSame = isRunning(before, now.observedAt) &&
    endsAt(now) < after(endsAt(before), RESET_JITTER_MS);
  return isSame
    ? Math.max(0, now.utilization - before.utilization)
    : now.utilization;
}

function concluded(
  learned: LearnedCapacity,
  seen: CapacityEvidence,
): LearnedCapacity {
  const share = seen.fiveHourRise > RISE_FADES_AT ? 0.5 : 1;
  const evidence: CapacityEvidence = {
    tokens: seen.tokens * share,
    fiveHourRise: seen.fiveHourRise * share,
    weekRise: seen.weekRise * share,
  };
  const { tokens, fiveHourRise, weekRise } = evidence;
  return {
    fiveHourTokens: fiveHourRise > RISE_MIN && tokens > 0
      ? tokens / fiveHourRise
      : learned.fiveHourTokens,
    weekInFiveHours: fiveHourRise > RISE_MIN && weekRise > RISE_MIN
      ? Math.min(WEEK_MAX, Math.max(WEEK_MIN, fiveHourRise / weekRise))
      : learned.weekInFiveHours,
    evidence,
  };
}

/** Returns the start of the five minutes that `at` lies in. */
export function burnBucketAt(at: Instant): Instant {
  return after(
    at,
    -(((at % BURN_BUCKET_MS) + BURN_BUCKET_MS) % BURN_BUCKET_MS),
  );
}

export const BURN_BUCKET_MS = 5 * MINUTE_MS;

/**
 * The accounts of the workloads, and the state of their weeks.
 *
 * @module
 */

import type { Tier } from "../../core/account.ts";
import { type Instant, instantFromMs } from "../../core/time.ts";
import type { Random } from "../random.ts";
import type { PlannedAccount } from "./workload.ts";

const HOUR_MS = 3_600_000;
export const WEEK_HOURS = 168;

/** A Monday, midnight UTC. */
export const MONDAY: Instant = instantFromMs(Date.UTC(2026, 0, 5));

/** Returns the instant `hours` after the start. */
export function atHour(hours: number): Instant {
  return instantFromMs(MONDAY + hours * HOUR_MS);
}

interface Plan {
  readonly fiveHourTokens: number;
  readonly weeks: number;
  readonly concurrency: number;
  readonly perMinute: number;
}

const PRO: Plan = {
  fiveHourTokens: 1_300_000,
  weeks: 9,
  concurrency: 5,
  perMinute: 25,
};
const MAX_5X: Plan = {
  fiveHourTokens: 6_500_000,
  weeks: 8,
  concurrency: 9,
  perMinute: 45,
};
const MAX_20X: Plan = {
  fiveHourTokens: 26_000_000,
  weeks: 7,
  concurrency: 14,
  perMinute: 80,
};

const PLANS: Readonly<Record<Tier, Plan>> = {
  pro: PRO,
  max_5x: MAX_5X,
  max_20x: MAX_20X,
  team: MAX_5X,
  unknown: MAX_5X,
};

/**
 * Returns an account of that tier whose week ends this many hours after the
 * start.
 */
export function plan(
  name: string,
  tier: Tier,
  parts: Partial<PlannedAccount> & { readonly weekEndsIn: number },
): PlannedAccount {
  const { fiveHourTokens, weeks, concurrency, perMinute } = PLANS[tier];
  const { weekEndsIn, ...rest } = parts;
  return {
    name,
    kind: "subscription",
    tier,
    fiveHourTokens,
    weekTokens: fiveHourTokens * weeks,
    concurrency,
    perMinute,
    fiveHourUsed: 0,
    fiveHourResetsAt: null,
    weekUsed: 0,
    weekResetsAt: atHour(weekEndsIn),
    familyShare: {},
    earlyResetAt: null,
    headers: "true",
    ...rest,
  };
}

/** Returns the ends of the weeks of `count` accounts, evenly staggered. */
function staggered(random: Random, count: number): number[] {
  const first = random.uniform(6, WEEK_HOURS / count);
  return Array.from(
    { length: count },
    (_, index) => first + index * WEEK_HOURS / count,
  );
}

/** Returns roughly what an even spend would have used by now. */
function onPace(random: Random, weekEndsIn: number): number {
  const elapsed = 1 - weekEndsIn / WEEK_HOURS;
  return Math.min(0.95, Math.max(0, elapsed * random.uniform(0.6, 1.1)));
}

/**
 * Returns one account per tier, each about as far through its week's quota as
 * through its time.
 */
export function paced(
  random: Random,
  tiers: readonly Tier[],
): PlannedAccount[] {
  const ends = staggered(random, tiers.length);
  return tiers.map((tier, index) => {
    const weekEndsIn = ends[index] ?? WEEK_HOURS;
    const weekUsed = onPace(random, weekEndsIn);
    return plan(`${"abcdefghij"[index]}-${tier}`, tier, {
      weekEndsIn,
      weekUsed,
    });
  });
}

/**
 * The size of the demo's plans. The provider publishes no figures, so these are
 * the routing model's, in quota units.
 *
 * @module
 */

import type { ModelFamily, Tier } from "../../core/account.ts";
import { DAY_MS, HOUR_MS } from "../../core/time.ts";
import type { WindowKey } from "../../core/quota/quota.ts";

interface Plan {
  /** Quota units in one 5h window. */
  readonly fiveHourUnits: number;
  /** Quota units in one week. */
  readonly weekUnits: number;
  /** Most requests in flight. */
  readonly concurrency: number;
  readonly requestsPerMinute: number;
  /** The tier as the profile names it. */
  readonly rateLimitTier: string;
  readonly organizationType: string;
}

export const PLANS: Readonly<Record<Tier, Plan>> = {
  pro: {
    fiveHourUnits: 1_300_000,
    weekUnits: 9 * 1_300_000,
    concurrency: 5,
    requestsPerMinute: 25,
    rateLimitTier: "default_claude_pro",
    organizationType: "claude_pro",
  },
  max_5x: {
    fiveHourUnits: 6_500_000,
    weekUnits: 8 * 6_500_000,
    concurrency: 9,
    requestsPerMinute: 45,
    rateLimitTier: "default_claude_max_5x",
    organizationType: "claude_max",
  },
  max_20x: {
    fiveHourUnits: 26_000_000,
    weekUnits: 7 * 26_000_000,
    concurrency: 14,
    requestsPerMinute: 80,
    rateLimitTier: "default_claude_max_20x",
    organizationType: "claude_max",
  },
  team: {
    fiveHourUnits: 6_500_000,
    weekUnits: 8 * 6_500_000,
    concurrency: 9,
    requestsPerMinute: 45,
    rateLimitTier: "default_claude_team",
    organizationType: "claude_team",
  },
  unknown: {
    fiveHourUnits: 6_500_000,
    weekUnits: 8 * 6_500_000,
    concurrency: 9,
    requestsPerMinute: 45,
    rateLimitTier: "default_raven",
    organizationType: "claude_enterprise",
  },
};

/** The share of the week that the premium family may use. */
const PREMIUM_SHARE = 0.5;

export interface WindowPlan {
  readonly key: WindowKey;
  /** The window as the `representative-claim` header names it. */
  readonly claim: string;
  readonly units: number;
  readonly lengthMs: number;
  /**
   * A fixed reset recurs by itself; otherwise the first use opens the window.
   */
  readonly hasFixedReset: boolean;
  /** The one family that it limits, or null. */
  readonly family: ModelFamily | null;
  /** Utilization from which the answers warn. */
  readonly warnsFrom: number;
}

/** Returns the windows of a subscription, in the order of the headers. */
export function windowPlans(plan: Plan): readonly WindowPlan[] {
  return [
    {
      key: "5h",
      claim: "five_hour",
      units: plan.fiveHourUnits,
      lengthMs: 5 * HOUR_MS,
      hasFixedReset: false,
      family: null,
      warnsFrom: 0.9,
    },
    {
      key: "7d",
      claim: "seven_day",
      units: plan.weekUnits,
      lengthMs: 7 * DAY_MS,
      hasFixedReset: true,
      family: null,
      warnsFrom: 0.75,
    },
    {
      key: "7d_oi",
      claim: "seven_day_overage_included",
      units: plan.weekUnits * PREMIUM_SHARE,
      lengthMs: 7 * DAY_MS,
      hasFixedReset: true,
      family: "fable",
      warnsFrom: 0.75,
    },
  ];
}

/**
 * What subscriptions cost a month, and the part of it that falls into a span of
 * time. Plans whose price differs by contract are unknown, never free.
 *
 * @module
 */

import type { AccountKind, Tier } from "./account.ts";
import { periodEnd, periodStart, type Zone } from "./calendar.ts";

/** The price of one plan from one day on. */
interface PlanPrice {
  readonly tier: Tier;
  /** The first day, in UTC, as `2026-10-07`; null holds from the beginning. */
  readonly from: string | null;
  /** US dollars a month, before taxes. */
  readonly usdPerMonth: number;
}

/**
 * https://support.anthropic.com, "Max plan" and "Pro or Max plan": what a person
 * pays on the web by the month. Prices of app stores, of a year at once and of
 * contracts (Team, Enterprise) are others, so a person may state their own.
 */
export const PLAN_PRICES: {
  /** When the prices were last compared with the provider's pages. */
  readonly asOf: string;
  readonly source: string;
  readonly rows: readonly PlanPrice[];
} = {
  asOf: "2026-11-30",
  source: "support.anthropic.com",
  rows: [
    { tier: "pro", from: null, usdPerMonth: 20 },
    { tier: "max_5x", from: null, usdPerMonth: 100 },
    { tier: "max_20x", from: null, usdPerMonth: 200 },
  ],
};

/** The most that a person can state, in dollars a month. */
export const PLAN_PRICE_MAX = 1_000_000;

/** An account as far as the price of its plan depends on it. */
export interface PlanAccount {
  readonly id: string;
  readonly label: string;
  readonly kind: AccountKind;
  readonly tier: Tier;
  /** What a person says that its plan costs a month; null: they say nothing. */
  readonly ownUsdPerMonth: number | null;
}

/**
 * Returns whether the account has a plan: subscriptions do; keys and backends
 * pay by token unless a person states a monthly price for them.
 */
export function hasPlan({ kind, ownUsdPerMonth }: PlanAccount): boolean {
  return kind === "subscription" || kind === "setup_token" ||
    ownUsdPerMonth !== null;
}

/**
 * Returns what the account's plan costs in the month around `at`, in dollars;
 * null if that is unknown.
 */
export function planPrice(
  { tier, ownUsdPerMonth }: PlanAccount,
  at: number,
): { readonly usd: number; readonly from: "own" | "list" } | null {
  if (ownUsdPerMonth !== null) return { usd: ownUsdPerMonth, from: "own" };
  const day = new Date(at).toISOString().slice(0, 10);
  const row = PLAN_PRICES.rows.filter((one) =>
    one.tier === tier && (one.from === null || one.from <= day)
  ).at(-1);
  return row === undefined ? null : { usd: row.usdPerMonth, from: "list" };
}

/**
 * Returns what the plan costs from `fromMs` to `untilMs`, in dollars: of each
 * month of the zone's calendar, the part that lies between them. Null if the
 * price is unknown.
 */
export function planCost(
  account: PlanAccount,
  { fromMs, untilMs, zone }: {
    readonly fromMs: number;
    readonly untilMs: number;
    readonly zone: Zone;
  },
): number | null {
  let sum = 0;
  for (let at = fromMs; at < untilMs;) {
    const start = periodStart(at, "month", zone);
    const end = periodEnd(at, "month", zone);
    const price = planPrice(account, start);
    if (price === null) return null;
    const until = Math.min(end, untilMs);
    sum += price.usd * (until - at) / (end - start);
    at = until;
  }
  return planPrice(account, untilMs) === null ? null : sum;
}

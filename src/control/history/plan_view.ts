/**
 * What plans cost beside what the same tokens would have cost at list price.
 * Pure.
 *
 * @module
 */

import type { Zone } from "../../core/calendar.ts";
import {
  PLAN_PRICES,
  type PlanAccount,
  planCost,
  planPrice,
} from "../../core/plans.ts";
import type { TimeView } from "../protocol.ts";
import { timeView } from "../status_view.ts";
import { tierText } from "../words.ts";

/** One plan within the span of a report. */
export interface PlanView {
  readonly id: string;
  readonly label: string;
  /** `max_5x` and the like; `removed` for an account that is no longer there. */
  readonly plan: string;
  /** Dollars a month now; null if unknown. */
  readonly usdPerMonth: number | null;
  /** Whether the price is the provider's or the user's own; null if unknown. */
  readonly priceFrom: "list" | "own" | null;
  /** From when to when the account was in the pool, within the span. */
  readonly since: TimeView;
  readonly until: TimeView;
  /** What the plan cost in that time, in dollars; null if unknown. */
  readonly costUsd: number | null;
  /** What it covered, at list price; null if nothing in it has a price. */
  readonly worthUsd: number | null;
}

/** All plans. Sums have the accounts with a known price, and no others. */
export interface PlansView {
  /** When the prices of plans were checked. */
  readonly pricesAsOf: string;
  /** Null if no plan has a known price. */
  readonly costUsd: number | null;
  readonly worthUsd: number | null;
  /**
   * `worthUsd` divided by `costUsd`; null if either is unknown, or plans cost
   * less than half a dollar: minutes after a first login it says nothing.
   */
  readonly times: number | null;
  readonly accounts: readonly PlanView[];
}

/** A plan's account, when it was in the pool, and what it covered. */
export interface PlanUse {
  readonly account: PlanAccount;
  readonly isRemoved: boolean;
  readonly fromMs: number;
  readonly untilMs: number;
  readonly worthUsd: number | null;
}

/**
 * Dollars that plans must have cost before their worth is divided by it. A Max
 * plan has cost 14 cents after its first hour, and one request is worth any
 * number of times that.
 */
const TIMES_COST_MIN = 0.5;

export function plansView(uses: readonly PlanUse[], zone: Zone): PlansView {
  const accounts = uses.map((use) => planView(use, zone));
  const known = accounts.filter(({ costUsd }) => costUsd !== null);
  const costUsd = sum(known.map((one) => one.costUsd));
  const worthUsd = sum(known.map((one) => one.worthUsd));
  return {
    pricesAsOf: PLAN_PRICES.asOf,
    costUsd,
    worthUsd,
    times: costUsd !== null && costUsd >= TIMES_COST_MIN && worthUsd !== null
      ? worthUsd / costUsd
      : null,
    accounts,
  };
}

function planView(
  { account, isRemoved, fromMs, untilMs, worthUsd }: PlanUse,
  zone: Zone,
): PlanView {
  const price = isRemoved ? null : planPrice(account, untilMs);
  return {
    id: account.id,
    label: account.label,
    plan: isRemoved ? "removed" : account.tier,
    usdPerMonth: price?.usd ?? null,
    priceFrom: price?.from ?? null,
    since: timeView(fromMs),
    until: timeView(untilMs),
    costUsd: isRemoved ? null : planCost(account, { fromMs, untilMs, zone }),
    worthUsd,
  };
}

/** Returns the sum of the known values, or null if none is known. */
function sum(values: readonly (number | null)[]): number | null {
  const known = values.filter((value) => value !== null);
  return known.length === 0 ? null : known.reduce((a, b) => a + b, 0);
}

/**
 * Returns what all plans of known price cost within a part of the span, in
 * dollars; null if none has one.
 */
export function plansCost(
  uses: readonly PlanUse[],
  { fromMs, untilMs, zone }: {
    readonly fromMs: number;
    readonly untilMs: number;
    readonly zone: Zone;
  },
): number | null {
  return sum(
    uses.filter(({ isRemoved }) => !isRemoved).map((use) =>
      planCost(use.account, {
        fromMs: Math.max(fromMs, use.fromMs),
        untilMs: Math.min(untilMs, use.untilMs),
        zone,
      })
    ),
  );
}

/** Returns `worth $1240 · plans cost $300 · 4.1 times`; null without a price. */
export function plansText(
  { costUsd, worthUsd, times }: PlansView,
): string | null {
  if (costUsd === null) return null;
  const money = (usd: number) => `$${usd.toFixed(usd >= 100 ? 0 : 2)}`;
  return [
    worthUsd === null ? "worth unpriced" : `worth ${money(worthUsd)}`,
    `plans cost ${money(costUsd)}`,
    ...times === null ? [] : [`${times.toFixed(times < 1 ? 2 : 1)} times`],
  ].join(" · ");
}

/**
 * Returns the accounts whose plan has no known price, as `work (team)`; empty if
 * there are none.
 */
export function unknownPlans({ accounts }: PlansView): readonly string[] {
  return accounts.filter(({ costUsd }) => costUsd === null)
    .map(({ label, plan }) => `${label} (${tierText(plan)})`);
}

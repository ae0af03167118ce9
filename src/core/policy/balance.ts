/**
 * `balance`: spreads work by remaining quota against the time to the reset, in
 * weekly tiers, away from accounts that carry more than their share.
 * Conversations stay bound to their account by the session id that Claude Code
 * sends.
 *
 * Source: maxpool.
 *
 * @module
 */

import { elapsedShare, type QuotaWindow } from "../quota/quota.ts";
import type { Scene, View } from "../route/scene.ts";
import type { RouteSettings } from "../settings.ts";
import { type Instant, MINUTE_MS } from "../time.ts";
import {
  cheapest,
  type Cost,
  type Costs,
  costsOf,
  type Policy,
  preferring,
} from "./policy.ts";

type WeekTier = 0 | 1 | 2 | 3 | 4;
const RESERVE: WeekTier = 2;
const CRITICAL: WeekTier = 3;

const IN_FLIGHT_COST = 2;
const IN_FLIGHT_TARGET = 3;
const RESERVE_TARGET = 2;
const OVER_TARGET_COST = 10;
const SCARCITY_COST = 1.5;
const SPENT_COST = 3;
const SHARE_COST = 3;
const SHARE_SPAN_MS = 15 * MINUTE_MS;
const RETURN_COST = 4;
const RETURN_SPAN_MS = 5 * MINUTE_MS;
const RESERVE_FLOOR_COST = 5;
const RESERVE_BAND_COST = 8;
const CRITICAL_COST = 21;
const TOKENS_PER_WEIGHT = 16_000;

/** Most requests in flight on one account, whatever the score says. */
const SAFETY_MAX = 50;

/**
 * A session leaves a hot account only for one of at most this part of its cost.
 */
const REBALANCE_SHARE = 0.5;
const REBALANCE_GAP = 0.5;

function tierOf(share: number, settings: RouteSettings): WeekTier {
  if (share >= settings.balanceExhausted) return 4;
  if (share >= settings.balanceCritical) return 3;
  if (share >= settings.balanceReserve) return 2;
  return share >= settings.balanceSoft ? 1 : 0;
}

/**
 * Returns how far the spend is ahead of the window's time; 0 if the time is
 * unknown.
 */
function scarcity(window: QuotaWindow | null, at: Instant): number {
  if (window === null || window.utilization === null) return 0;
  return Math.max(0, window.utilization - (elapsedShare(window, at) ?? 0));
}

function tokensWithin({ state }: View, at: Instant): number {
  let tokens = 0;
  for (const bucket of state.burn) {
    if (bucket.at > at - SHARE_SPAN_MS) tokens += bucket.tokens;
  }
  return tokens;
}

/** A cost that decays over the five minutes after the account came back. */
function returnCost({ state }: View, at: Instant): number {
  const { ramp } = state.gate;
  if (ramp === null) return 0;
  const ageMs = at - ramp.since;
  return ageMs < 0 || ageMs >= RETURN_SPAN_MS
    ? 0
    : RETURN_COST * (1 - ageMs / RETURN_SPAN_MS);
}

function reserveCost(view: View, settings: RouteSettings): number {
  const tier = tierOf(view.weekUsed, settings);
  if (tier < RESERVE) return 0;
  if (tier >= CRITICAL) return CRITICAL_COST;
  const { balanceReserve: from, balanceCritical: to } = settings;
  const band = (view.weekUsed - from) / Math.max(0.001, to - from);
  return RESERVE_FLOOR_COST + RESERVE_BAND_COST * band;
}

function costOf(view: View, scene: Scene, fleetTokens: number): Cost {
  const { settings, at, contextTokens } = scene;
  const { leases } = view.state;
  const weight = Math.ceil((contextTokens + 1) / TOKENS_PER_WEIGHT);
  const isReserve = tierOf(view.weekUsed, settings) >= RESERVE;
  const target = isReserve ? RESERVE_TARGET : IN_FLIGHT_TARGET;
  const terms = {
    load: IN_FLIGHT_COST * (leases + weight) +
      OVER_TARGET_COST * Math.max(0, leases - target),
    scarcity: SCARCITY_COST *
      Math.max(scarcity(view.fiveHour, at), scarcity(view.week, at)),
    spent: SPENT_COST * Math.max(view.fiveHourUsed, view.weekUsed),
    share: fleetTokens === 0
      ? 0
      : SHARE_COST * tokensWithin(view, at) / fleetTokens,
    return: returnCost(view, at),
    reserve: reserveCost(view, settings),
  };
  const total = Object.values(terms).reduce((sum, term) => sum + term, 0);
  return { total, terms };
}

function costs(views: readonly View[], scene: Scene): Costs {
  let fleetTokens = 0;
  for (const view of views) fleetTokens += tokensWithin(view, scene.at);
  return costsOf(views, (view) => costOf(view, scene, fleetTokens));
}

/** Whether the account is avoided while another one is better off. */
function isHot(view: View, settings: RouteSettings): boolean {
  return view.fiveHourUsed >= settings.balanceBench ||
    tierOf(view.weekUsed, settings) >= RESERVE;
}

function keeps(home: View, scene: Scene): boolean {
  const { settings } = scene;
  if (!isHot(home, settings)) return true;
  const healthy = scene.open.filter((view) => !isHot(view, settings));
  if (healthy.length === 0) return true;
  if (tierOf(home.weekUsed, settings) >= RESERVE) return false;
  const all = costs([home, ...healthy], scene);
  const best = all.get(cheapest(healthy, all).id)?.total ?? 0;
  const own = all.get(home.id)?.total ?? 0;
  return best > REBALANCE_SHARE * own || own - best < REBALANCE_GAP;
}

function choose(views: readonly View[], known: Costs, scene: Scene): View {
  const { settings } = scene;
  const benchFree = preferring(
    views,
    (view) => view.fiveHourUsed < settings.balanceBench,
  );
  const uncritical = preferring(
    benchFree,
    (view) => tierOf(view.weekUsed, settings) < CRITICAL,
  );
  return cheapest(uncritical, known);
}

export const BALANCE: Policy = {
  name: "balance",
  pricesChildren: false,
  inFlightMax() {
    return SAFETY_MAX;
  },
  keeps,
  costs,
  choose,
};

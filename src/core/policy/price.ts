/**
 * `price`: each account's quota has a price that rises as its windows fill
 * ahead of their resets. A request goes where its own tokens, at that price,
 * cost least. A conversation moves only when its cache is worth nothing anyway.
 *
 * The method is bid prices of revenue management (Talluri and van Ryzin 1998)
 * on two perishable windows, with the cache rebuild as part of the consumption.
 *
 * @module
 */

import { inFlightCap } from "../pool/lease.ts";
import {
  FIVE_HOUR_TOKENS,
  fiveHourTokens,
  projected,
  projectedWeek,
  weekInFiveHours,
} from "../quota/projection.ts";
import type { Scene, View } from "../route/scene.ts";
import { HOUR_MS } from "../time.ts";
import { writeWeight } from "../usage.ts";
import {
  cheapest,
  type Cost,
  costsOf,
  learnedMax,
  type Policy,
} from "./policy.ts";

/**
 * Tokens that a placement is expected to use before the conversation may move
 * again.
 */
const PLACEMENT_TOKENS = 300_000;

/**
 * The same for a sub-agent, which ends within minutes: where it starts hardly
 * changes how long quota lasts, but a cold start writes its tools and prompts
 * anew. (With 300,000 it started cold too often: -0.002 near a reset.)
 */
const CHILD_TOKENS = 100_000;

/**
 * A rebuilt token counts four times: it costs quota, and its client waits for
 * it.
 */
const REBUILD_FACTOR = 4;

/** Price of plentiful quota, and the slope of the weekly price. */
const PRICE_FLOOR = 0.1;
const LAXITY_HOURS = 15;

/** Share of hours with demand, until it was learned. */
const DEMAND_SHARE = 0.25;
const UNKNOWN_WEEK_HOURS = 84;
const FIVE_HOURS = 5;

/** How far ahead the five-hour figure is projected for its price. */
const AHEAD_HOURS = 0.7;

/**
 * How far ahead the end of a window counts as a risk to the cache: past a
 * quarter of an hour some other window resets or the conversation pauses, and
 * the cache is lost anyway. (With 0.7 hours, and half the weight, work left
 * accounts that still served it: -0.004 with small plans, -0.005 for one
 * person.)
 */
const RISK_HOURS = 0.25;

/** Tokens that a full account counts as. */
const LOAD_TOKENS = 100_000;

/** Tokens that staying is worth; more on smaller windows. */
const STAY_TOKENS_MIN = 20_000;
const STAY_TOKENS_MAX = 150_000;

/**
 * A placement binds longer if the cache lives an hour. A window that ends under
 * a conversation costs more than the cache: its client waits for the rewriting,
 * and the window's last tokens go to the start of it.
 */
const SHORT_CACHE = { fiveHourWeight: 0.25, rebuildRisk: 2 } as const;
const LONG_CACHE = { fiveHourWeight: 2, rebuildRisk: 4 } as const;
const LONG_CACHE_FROM_MS = 600_000;

function clamp(value: number, min: number, max: number): number {
  return Math.min(max, Math.max(min, value));
}

/**
 * Returns 0 to 1: high if the week is short of quota for its remaining time.
 */
export function weekPrice(view: View, { at }: Scene): number {
  const { week, weekUsed, state } = view;
  const hours = week === null || week.resetsAt === null
    ? UNKNOWN_WEEK_HOURS
    : Math.max(0, week.resetsAt - at) / HOUR_MS;
  const quotaHours = (1 - weekUsed) * weekInFiveHours(state) * FIVE_HOURS;
  const laxity = DEMAND_SHARE * hours - quotaHours;
  return 1 / (1 + Math.exp(-laxity / LAXITY_HOURS));
}

/** Returns the price of one token of the account's quota now. */
function windowPrice(view: View, scene: Scene, projection: number): number {
  const cache = scene.query.cacheTtlMs > LONG_CACHE_FROM_MS
    ? LONG_CACHE
    : SHORT_CACHE;
  const excess = clamp((projection - 0.5) / 0.5, 0, 2);
  return PRICE_FLOOR + weekPrice(view, scene) +
    cache.fiveHourWeight * excess ** 2 / 4;
}

/**
 * Returns what staying is worth. In a small window each move is soon followed
 * by the next. Staying is worth nothing if the window cannot take the rewritten
 * cache and as much again.
 */
function stayWorth({ state, fiveHourUsed }: View, writeTokens: number): number {
  const size = fiveHourTokens(state);
  const smallness = FIVE_HOUR_TOKENS / size;
  const room = (1 - fiveHourUsed) * size / Math.max(1, 2 * writeTokens);
  return clamp(room, 0, 1) *
    clamp(STAY_TOKENS_MAX * smallness, STAY_TOKENS_MIN, STAY_TOKENS_MAX);
}

function costOf(view: View, scene: Scene): Cost {
  const { query, settings, binding, contextTokens } = scene;
  const writing = writeWeight(query.cacheTtlMs);
  const isHere = binding !== null && binding.accountId === view.id;
  const heads = view.heads.active + (isHere && view.heads.active > 0 ? 0 : 1);
  const projection = projected(view, scene, { heads, hours: AHEAD_HOURS });
  const soon = { heads, hours: RISK_HOURS };
  const fuller = Math.max(
    projected(view, scene, soon),
    projectedWeek(view, scene, soon),
  );
  const cached = Math.min(contextTokens, view.cached);
  const rebuild = contextTokens - cached;
  const price = windowPrice(view, scene, projection);
  const risk = query.cacheTtlMs > LONG_CACHE_FROM_MS
    ? LONG_CACHE.rebuildRisk
    : SHORT_CACHE.rebuildRisk;
  const { gate, leases } = view.state;
  const isLast = (binding ?? scene.parent)?.accountId === view.id;
  const terms = {
    prompt: REBUILD_FACTOR *
      (settings.cacheReadWeight * cached + writing * rebuild),
    price: price * (query.parent === null ? PLACEMENT_TOKENS : CHILD_TOKENS),
    risk: risk * clamp((fuller - 0.9) / 0.4, 0, 1) * contextTokens * writing,
    load: LOAD_TOKENS * (leases / inFlightCap(gate, scene.at)) ** 2,
    stay: isLast ? -stayWorth(view, contextTokens * writing) : 0,
    windowPrice: price,
    cachedTokens: cached,
    rebuildTokens: rebuild,
  };
  const { prompt, load, stay } = terms;
  return { total: prompt + terms.price + terms.risk + load + stay, terms };
}

export const PRICE: Policy = {
  name: "price",
  pricesChildren: true,
  inFlightMax: learnedMax,
  keeps(_, scene) {
    return scene.isWarm;
  },
  costs(views, scene) {
    return costsOf(views, (view) => costOf(view, scene));
  },
  choose: cheapest,
};

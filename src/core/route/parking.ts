/**
 * Parking: if the quota cannot feed every conversation, some wait entirely so
 * that the others keep their caches. Serving everyone a little mostly pays for
 * cache rebuilds.
 *
 * @module
 */

import { type AccountId, tierWeight } from "../account.ts";
import { endsAt } from "../quota/quota.ts";
import {
  fiveHourTokens,
  projected,
  projectedNext,
  projectedWeek,
  weekInFiveHours,
} from "../quota/projection.ts";
import { isExpected } from "../pool/headcount.ts";
import { type Standing, waitedMs } from "./queue.ts";
import type { Scene, View } from "./scene.ts";
import { after, HOUR_MS, type Instant, MINUTE_MS } from "../time.ts";

/** Utilization of the pool from which its quota may run short. */
const SHORT_FROM = 0.5;

/**
 * Interval at which one conversation that was parked too long enters an
 * account.
 */
const OVERDUE_STEP_MS = 30 * MINUTE_MS;

/**
 * After this many times its longest parking a conversation enters at once, so
 * that nobody waits for ever.
 */
const OVERDUE_FACTOR = 2;

const WINDOW_HOURS = 5;

/** Returns whether the request may be parked at all. */
export function isParkable(scene: Scene): boolean {
  const { conversation, isSide, parent } = scene.query;
  if (conversation === null || isSide || parent !== null) return false;
  return isOversubscribed(scene);
}

/**
 * Returns whether there are so many conversations that cold ones may be parked.
 */
export function isOversubscribed(scene: Scene): boolean {
  const { settings, layers, census } = scene;
  return layers.parkingGate && settings.parking > 0 &&
    census.active + census.stalled >= settings.parking && isShort(scene) &&
    crowding(scene) >= CROWDED;
}

/**
 * Hours of the pool's quota that an hour of all conversations would use, from
 * which parking pays. Below it, people wait less for a reset than they would
 * for their turn, and few caches are lost. (An office of 30 on six large plans
 * is at 1.3 to 2.5 in most hours, a fleet without pauses at 3 to 35. With 3 the
 * office served 0.01 less.)
 */
const CROWDED = 4;

/**
 * Returns what all conversations would use at the pool's pace, over what the
 * five-hour windows give in the same time and the weeks still have.
 */
function crowding({ views, census, snapshot: { flow } }: Scene): number {
  let supply = 0;
  for (const { rank, state, week, weekUsed } of views) {
    if (rank > 0) continue;
    const window = fiveHourTokens(state);
    const left = week === null
      ? Infinity
      : (1 - weekUsed) * window * weekInFiveHours(state);
    supply += Math.min(window, left) / WINDOW_HOURS;
  }
  const heads = census.active + census.stalled;
  return heads * flow.tokensPerHour / Math.max(1, supply);
}

/**
 * Returns whether half of all quota is spent. Earlier, the pool's pace is a
 * guess, and many short conversations look like as many long ones.
 */
function isShort({ views }: Scene): boolean {
  let used = 0;
  let all = 0;
  for (const { state, fiveHourUsed, weekUsed } of views) {
    const weight = tierWeight(state.account.tier);
    used += weight * Math.max(fiveHourUsed, weekUsed);
    all += weight;
  }
  return used >= SHORT_FROM * all;
}

/**
 * Returns the accounts among `views` that can feed one more conversation for
 * its likely life. A conversation that was parked too long enters in steps all
 * the same, and in the end at once.
 */
export function feeding(
  views: readonly View[],
  scene: Scene,
  standing: Standing,
): readonly View[] {
  const parked = parkedMs(scene, standing);
  const { parkedMaxMs } = scene.settings;
  if (parked >= OVERDUE_FACTOR * parkedMaxMs) return views;
  const entered = parked >= parkedMaxMs
    ? enteredSince(scene, OVERDUE_STEP_MS)
    : null;
  return views.filter((view) =>
    view.heads.active === 0 || isFed(view, scene) ||
    entered !== null && !entered.has(view.id)
  );
}

/**
 * Returns how long the conversation has been parked, in ms: this wait and the
 * earlier ones, because a client may leave and return at its turn.
 */
export function parkedMs(scene: Scene, standing: Standing): number {
  const { query, snapshot, at } = scene;
  const parked = query.conversation === null
    ? undefined
    : snapshot.parked.get(query.conversation);
  const waiting = waitedMs(scene, standing.own, ["parked"]);
  return parked === undefined ? waiting : Math.max(waiting, at - parked.since);
}

/** A turn is at least this far away, because each one is told to a person. */
const TURN_MIN_MS = 10 * MINUTE_MS;

/**
 * A turn comes this much later than the place is expected. Most who come then
 * find one, and are not sent away again.
 */
const TURN_SLACK = 3;

/**
 * Returns when the turn of a conversation comes that has been parked for
 * `parked` ms: when as many places have opened as conversations stand before
 * it, and no later than its longest allowed parking. Places open as
 * conversations end and as five-hour windows refill.
 */
export function turnAt(scene: Scene, parked: number): Instant {
  const { at, settings: { parkedMaxMs } } = scene;
  const place = countBefore(scene, parked) + 0.5;
  const placeMs = openedIn(scene, place);
  const steps = [parkedMaxMs, OVERDUE_FACTOR * parkedMaxMs];
  const leftMs = steps.map((step) => step - parked).find((ms) => ms > 0) ?? 0;
  const turnMs = Math.min(TURN_SLACK * placeMs, leftMs);
  return after(at, Math.max(TURN_MIN_MS, turnMs));
}

/** Returns the ms until `places` have opened. */
function openedIn(scene: Scene, places: number): number {
  const { census, snapshot: { flow } } = scene;
  const perMs = census.active / flow.lifeMs;
  let fromMs = 0;
  let left = places;
  for (const { inMs, count } of refills(scene)) {
    const ended = (inMs - fromMs) * perMs;
    if (ended >= left) break;
    left -= ended + count;
    fromMs = inMs;
    if (left <= 0) return inMs;
  }
  return fromMs + left / perMs;
}

interface Refill {
  readonly inMs: number;
  /** Conversations that the new window feeds. */
  readonly count: number;
}

/** Returns when five-hour windows refill, soonest first. */
function refills(scene: Scene): readonly Refill[] {
  const { at, views, snapshot: { flow } } = scene;
  const hours = Math.min(WINDOW_HOURS, flow.lifeMs / HOUR_MS);
  const each = flow.tokensPerHour * hours;
  const most = loadMax(scene);
  return views.flatMap(({ fiveHour, state }) => {
    const end = fiveHour === null ? null : endsAt(fiveHour);
    if (end === null || end <= at) return [];
    const count = Math.max(1, Math.floor(most * fiveHourTokens(state) / each));
    return [{ inMs: end - at, count }];
  }).sort((a, b) => a.inMs - b.inMs);
}

/** Counts the conversations that have been parked for longer. */
function countBefore({ snapshot, query, at }: Scene, parked: number): number {
  let count = 0;
  snapshot.parked.forEach((one, conversation) => {
    if (conversation === query.conversation || !isExpected(one, at)) return;
    if (at - one.since > parked) count++;
  });
  return count;
}

/**
 * Returns how much of what a window has left may be promised. If few
 * conversations wait, nearly all of it is, because some work ends earlier than
 * expected and the rest would expire. If many wait, someone always takes what
 * was left, and a window that ends under its conversations only costs their
 * caches.
 */
function loadMax({ settings, census }: Scene): number {
  const { parking, parkingLoad, parkingLoadMin } = settings;
  const crowding = (census.active + census.stalled) / parking - 1;
  const share = Math.min(1, Math.max(0, crowding));
  return parkingLoad - share * Math.max(0, parkingLoad - parkingLoadMin);
}

/**
 * Returns the accounts that a conversation entered within the last `spanMs`.
 * Sub-agents go where they like and are not counted.
 */
function enteredSince(
  { snapshot, at }: Scene,
  spanMs: number,
): ReadonlySet<AccountId> {
  const found = new Set<AccountId>();
  snapshot.bindings.forEach(({ accountId, parent, boundAt }) => {
    if (parent === null && at - boundAt < spanMs) found.add(accountId);
  });
  return found;
}

/**
 * Returns whether the account feeds one conversation more: whether all of them,
 * at the pool's pace and for their likely life, use no more than the promised
 * part of what its five-hour window, the next one and its week have left.
 */
function isFed(view: View, scene: Scene): boolean {
  const { fiveHourUsed, weekUsed, heads: { active } } = view;
  const isHere = scene.binding?.accountId === view.id;
  const ahead = {
    heads: isHere ? active : active + 1,
    hours: scene.snapshot.flow.lifeMs / HOUR_MS,
  };
  const most = loadMax(scene);
  const window = projected(view, scene, ahead) - fiveHourUsed;
  const week = projectedWeek(view, scene, ahead) - weekUsed;
  return window <= most * (1 - fiveHourUsed) &&
    week <= most * (1 - weekUsed) &&
    projectedNext(view, scene, ahead) <= most;
}

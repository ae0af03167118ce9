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
  projected,
  projectedNext,
  projectedWeek,
} from "../quota/projection.ts";
import { type Standing, waitedMs } from "./queue.ts";
import type { Scene, View } from "./scene.ts";
import { after, earlier, HOUR_MS, type Instant, MINUTE_MS } from "../time.ts";

/** Utilization of the pool from which its quota may run short. */
const SHORT_FROM = 0.5;

/**
 * Interval at which one conversation that was parked too long enters an
 * account.
 */
const OVERDUE_STEP_MS = 30 * MINUTE_MS;

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
    census.active + census.stalled >= settings.parking && isShort(scene);
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
 * the same.
 */
export function feeding(
  views: readonly View[],
  scene: Scene,
  standing: Standing,
): readonly View[] {
  const isOverdue = parkedMs(scene, standing) >= scene.settings.parkedMaxMs;
  const entered = isOverdue ? enteredSince(scene, OVERDUE_STEP_MS) : null;
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
  const since = query.conversation === null
    ? undefined
    : snapshot.parked.get(query.conversation);
  const waiting = waitedMs(scene, standing.own, ["parked"]);
  return since === undefined ? waiting : Math.max(waiting, at - since);
}

/**
 * Interval at which a parked conversation looks again if no window's end is
 * known.
 */
const TURN_UNKNOWN_MS = 5 * MINUTE_MS;

/**
 * Returns when the turn of a conversation comes that has been parked for
 * `parked` ms: at the next refill of a five-hour window, and no later than its
 * longest allowed parking.
 */
export function turnAt(scene: Scene, parked: number): Instant {
  const { at, settings, views } = scene;
  const latest = after(at, Math.max(0, settings.parkedMaxMs - parked));
  let turn: Instant | null = null;
  for (const { fiveHour } of views) {
    const end = fiveHour === null ? null : endsAt(fiveHour);
    if (end !== null && end > at) turn = earlier(turn, end);
  }
  const soon = after(at, TURN_UNKNOWN_MS);
  // A conversation that was parked too long enters at the next step.
  return latest <= at ? soon : earlier(turn ?? soon, latest) ?? soon;
}

/**
 * Returns how much of a window may be promised. If few conversations wait,
 * windows are promised beyond their end, because some work ends earlier than
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
 */
function enteredSince(
  { snapshot, at }: Scene,
  spanMs: number,
): ReadonlySet<AccountId> {
  const found = new Set<AccountId>();
  snapshot.bindings.forEach(({ accountId, boundAt }) => {
    if (at - boundAt < spanMs) found.add(accountId);
  });
  return found;
}

function isFed(view: View, scene: Scene): boolean {
  const { active } = view.heads;
  const isHere = scene.binding?.accountId === view.id;
  const ahead = {
    heads: isHere ? active : active + 1,
    hours: scene.snapshot.flow.lifeMs / HOUR_MS,
  };
  const most = loadMax(scene);
  return projected(view, scene, ahead) <= most &&
    projectedNext(view, scene, ahead) <= most &&
    projectedWeek(view, scene, ahead) <= most;
}

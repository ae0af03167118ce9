/**
 * Parking: where the quota cannot feed every conversation, some wait whole so
 * that the others keep their caches. Feeding all a little feeds rebuilds.
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

/** Spent part of the pool from which its quota may be short. */
const SHORT_FROM = 0.5;

/** One conversation that was parked too long enters an account in this time. */
const OVERDUE_STEP_MS = 30 * MINUTE_MS;

/** Whether the request may be parked at all. */
export function isParkable(scene: Scene): boolean {
  const { conversation, isSide, parent } = scene.query;
  if (conversation === null || isSide || parent !== null) return false;
  return isOversubscribed(scene);
}

/** Whether there are so many conversations that cold ones may be parked. */
export function isOversubscribed(scene: Scene): boolean {
  const { settings, layers, census } = scene;
  return layers.parkingGate && settings.parking > 0 &&
    census.active + census.stalled >= settings.parking && isShort(scene);
}

/**
 * Whether half of all quota is spent. Before that the pace at which the pool
 * works is a guess, and many short conversations look like as many long ones.
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
 * Those of `views` that can feed one conversation more through all that it is
 * likely to live. One that was parked too long goes in by steps all the same.
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
 * Returns how long the conversation has been parked, in ms: this wait and
 * those before it, for a client that was told its turn and came back.
 */
export function parkedMs(scene: Scene, standing: Standing): number {
  const { query, snapshot, at } = scene;
  const since = query.conversation === null
    ? undefined
    : snapshot.parked.get(query.conversation);
  const waiting = waitedMs(scene, standing.own, ["parked"]);
  return since === undefined ? waiting : Math.max(waiting, at - since);
}

/** A parked conversation looks again after this where no window's end is known. */
const TURN_UNKNOWN_MS = 5 * MINUTE_MS;

/**
 * Returns when the turn of a conversation comes that has been parked for
 * `parked` ms: when the next five-hour window refills, and no later than it
 * may be parked at all.
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
  // A conversation that was parked too long goes in at the next step.
  return latest <= at ? soon : earlier(turn ?? soon, latest) ?? soon;
}

/**
 * How much of a window may be promised. Where few wait, the windows are filled
 * beyond their end, lest a part expires because some go earlier than expected;
 * where many wait, somebody is always there to take what was left, and a window
 * that ends under its conversations only costs their caches.
 */
function loadMax({ settings, census }: Scene): number {
  const { parking, parkingLoad, parkingLoadMin } = settings;
  const crowding = (census.active + census.stalled) / parking - 1;
  const share = Math.min(1, Math.max(0, crowding));
  return parkingLoad - share * Math.max(0, parkingLoad - parkingLoadMin);
}

/** The accounts that a conversation came to within the last `spanMs`. */
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

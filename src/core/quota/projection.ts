/**
 * How full an account's windows will be, from its known size and the pool's
 * pace.
 *
 * @module
 */

import { tierWeight } from "../account.ts";
import { endsAt } from "./quota.ts";
import type { Scene, View } from "../route/scene.ts";
import type { AccountState } from "../pool/state.ts";
import { HOUR_MS } from "../time.ts";

/**
 * Assumed quota tokens of a Pro account's five-hour window before anything was
 * learned.
 */
export const FIVE_HOUR_TOKENS = 1_300_000;
const WEEK_IN_FIVE_HOURS = 8;
const FIVE_HOURS = 5;

/** Returns the quota tokens of one whole five-hour window of the account. */
export function fiveHourTokens({ learned, account }: AccountState): number {
  return learned.fiveHourTokens ?? FIVE_HOUR_TOKENS * tierWeight(account.tier);
}

export function weekInFiveHours({ learned }: AccountState): number {
  return learned.weekInFiveHours ?? WEEK_IN_FIVE_HOURS;
}

/** Returns the hours until the five-hour window ends; five if none runs. */
export function fiveHourLeft({ fiveHour }: View, { at }: Scene): number {
  if (fiveHour === null || fiveHour.resetsAt === null) return FIVE_HOURS;
  return Math.min(FIVE_HOURS, Math.max(0, fiveHour.resetsAt - at) / HOUR_MS);
}

/** How far ahead to look, and for how many conversations. */
interface Ahead {
  readonly heads: number;
  readonly hours: number;
}

/**
 * Returns the utilization of the five-hour window after `hours` more (or at its
 * end) if `heads` conversations go on at the pool's pace.
 */
export function projected(
  view: View,
  scene: Scene,
  { heads, hours }: Ahead,
): number {
  const { flow } = scene.snapshot;
  const span = Math.min(fiveHourLeft(view, scene), hours);
  return view.fiveHourUsed +
    heads * flow.tokensPerHour * span / fiveHourTokens(view.state);
}

/** Returns the same for the next window, as far as `hours` reach into it. */
export function projectedNext(
  view: View,
  scene: Scene,
  { heads, hours }: Ahead,
): number {
  const span = Math.min(FIVE_HOURS, hours - fiveHourLeft(view, scene));
  return heads * scene.snapshot.flow.tokensPerHour * Math.max(0, span) /
    fiveHourTokens(view.state);
}

/**
 * Returns the same for the week, which may also run out under a conversation.
 */
export function projectedWeek(
  { state, week, weekUsed }: View,
  { at, snapshot }: Scene,
  { heads, hours }: Ahead,
): number {
  if (week === null) return weekUsed;
  const left = Math.max(0, endsAt(week) - at) / HOUR_MS;
  return weekUsed + heads * snapshot.flow.tokensPerHour *
      Math.min(left, hours) / (fiveHourTokens(state) * weekInFiveHours(state));
}

/**
 * `cache-first`: everything stays on one warm account until it is empty. Near
 * its end the conversation waits for its next compaction to move, because its
 * cache is then worth nothing anyway; at the ceiling it moves at once.
 *
 * Source: nextclaude.
 *
 * @module
 */

import type { Scene, View } from "../route/scene.ts";
import {
  best,
  type Costs,
  costsOf,
  learnedMax,
  type Policy,
  preferring,
} from "./policy.ts";

/** Five-hour figures this close count as equal. */
const TIE = 0.005;

/** A move at a compaction must improve the figure by more than this. */
const GAIN_MIN = 0.1;

function fullest(view: View): number {
  return Math.max(view.fiveHourUsed, view.weekUsed);
}

function isBurned({ id }: View, { binding }: Scene): boolean {
  return binding !== null && binding.burned.includes(id);
}

/**
 * Returns the account with the lowest five-hour figure. Among accounts whose
 * figures are close, the lowest weekly figure decides.
 */
function emptiest(views: readonly View[]): View {
  const least = Math.min(...views.map((view) => view.fiveHourUsed));
  const tied = views.filter((view) => view.fiveHourUsed <= least + TIE);
  return best(tied, (a, b) => a.weekUsed - b.weekUsed);
}

function isAvailable(view: View, { settings }: Scene): boolean {
  return fullest(view) < settings.cacheFirstCeiling;
}

function keeps(home: View, scene: Scene): boolean {
  const others = scene.open.filter((view) =>
    view.id !== home.id && isAvailable(view, scene)
  );
  if (!isAvailable(home, scene)) return others.length === 0;
  const isArmed = fullest(home) >= scene.settings.cacheFirstArm;
  if (!isArmed || !scene.isCompacted) return true;
  return !others.some((view) =>
    !isBurned(view, scene) && fullest(home) - fullest(view) > GAIN_MIN
  );
}

function choose(views: readonly View[], _: Costs, scene: Scene): View {
  const able = preferring(views, (view) => isAvailable(view, scene));
  const fresh = preferring(able, (view) => !isBurned(view, scene));
  const primary = fresh.find((view) => view.id === scene.snapshot.primary);
  return scene.binding === null && primary !== undefined
    ? primary
    : emptiest(fresh);
}

export const CACHE_FIRST: Policy = {
  name: "cache-first",
  pricesChildren: false,
  inFlightMax: learnedMax,
  keeps,
  costs(views, scene) {
    return costsOf(views, (view) => ({
      total: view.fiveHourUsed,
      terms: {
        fiveHour: view.fiveHourUsed,
        week: view.weekUsed,
        burned: isBurned(view, scene) ? 1 : 0,
      },
    }));
  },
  choose,
};

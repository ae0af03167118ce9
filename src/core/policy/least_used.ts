/**
 * `least-used`: everything goes to one account until it is nearly spent, then
 * to the account whose fuller window is emptiest. Decided at each prompt.
 *
 * Source: claude-pool, `auto --if-needed --threshold 0.8`.
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
} from "./policy.ts";

function fullest(view: View): number {
  return Math.max(view.fiveHourUsed, view.weekUsed);
}

function choose(views: readonly View[], _: Costs, scene: Scene): View {
  const { snapshot, settings } = scene;
  const primary = views.find((view) => view.id === snapshot.primary);
  return primary !== undefined && fullest(primary) < settings.leastUsedThreshold
    ? primary
    : best(
      views,
      (a, b) => fullest(a) - fullest(b) || a.state.leases - b.state.leases,
    );
}

export const LEAST_USED: Policy = {
  name: "least-used",
  pricesChildren: false,
  inFlightMax: learnedMax,
  /** A turn under way stays where it is; a new prompt follows the pool. */
  keeps(home, scene) {
    return !scene.query.isPrompt ||
      choose(scene.open, new Map(), scene).id === home.id;
  },
  costs(views) {
    return costsOf(views, (view) => ({
      total: fullest(view),
      terms: { fiveHour: view.fiveHourUsed, week: view.weekUsed },
    }));
  },
  choose,
};

/**
 * `pace`: new work goes to the account furthest behind an even spend of its
 * week. In the last three days before a reset, remaining quota counts more and
 * more.
 *
 * Source: the teamclaude fork, `paceToWeeklyLine`. Two of its rules are
 * changed: a session leaves for pacing only if that improves its score by more
 * than the tie band, and it stays if every account is past the soft ceiling.
 *
 * @module
 */

import { elapsedShare } from "../quota/quota.ts";
import type { Scene, View } from "../route/scene.ts";
import { HOUR_MS } from "../time.ts";
import {
  best,
  type Costs,
  costsOf,
  type Policy,
  preferring,
} from "./policy.ts";

/**
 * Weight of the remaining quota by hours to the weekly reset; none beyond the
 * last row.
 */
const RAMP: readonly (readonly [hours: number, weight: number])[] = [
  [8, 100],
  [16, 8],
  [24, 4],
  [48, 2],
  [72, 1],
];

function rampWeight(hours: number): number {
  return RAMP.find(([bound]) => hours <= bound)?.[1] ?? 0;
}

/**
 * Elapsed minus spent part of the week; above 0 the account is behind an even
 * spend.
 */
function gapOf({ week, weekUsed }: View, { at }: Scene): number {
  const line = week === null ? null : elapsedShare(week, at);
  return (line ?? 0) - weekUsed;
}

function rampOf({ week, weekUsed }: View, { at }: Scene): number {
  if (week === null || week.resetsAt === null || week.resetsAt <= at) return 0;
  const weight = rampWeight((week.resetsAt - at) / HOUR_MS);
  return Math.max(0, 1 - weekUsed) * weight;
}

function score(view: View, scene: Scene): number {
  return gapOf(view, scene) + rampOf(view, scene);
}

function isUnderCap(view: View, { settings }: Scene): boolean {
  const cap = settings.paceSwitchThreshold;
  return view.fiveHourUsed < cap && view.weekUsed < cap;
}

function hasRoom(view: View, scene: Scene): boolean {
  return isUnderCap(view, scene) &&
    view.fiveHourUsed < scene.settings.paceSoftCeiling;
}

function keeps(home: View, scene: Scene): boolean {
  const { at, settings, open } = scene;
  // A new sub-agent stays where its session is, as in the fork.
  const last = scene.binding ?? scene.parent;
  if (last === null || at - last.lastUsedAt >= settings.paceWarmMs) {
    return false;
  }
  const others = open.filter((view) => view.id !== home.id);
  if (!hasRoom(home, scene)) {
    return !others.some((view) => hasRoom(view, scene));
  }
  if (gapOf(home, scene) >= -settings.paceFarOverLine) return true;
  const mark = score(home, scene) + settings.paceTieBand;
  return !others.some((view) =>
    hasRoom(view, scene) && score(view, scene) > mark
  );
}

function choose(views: readonly View[], _: Costs, scene: Scene): View {
  const sound = preferring(views, (view) => isUnderCap(view, scene));
  const roomy = preferring(sound, (view) => hasRoom(view, scene));
  const top = Math.max(...roomy.map((view) => score(view, scene)));
  const mark = top - scene.settings.paceTieBand;
  const tied = roomy.filter((view) => score(view, scene) >= mark);
  return best(
    tied,
    (a, b) => a.heads.warm - b.heads.warm || a.state.leases - b.state.leases,
  );
}

export const PACE: Policy = {
  name: "pace",
  pricesChildren: false,
  inFlightMax(view, { settings }) {
    return view.fiveHourUsed >= settings.paceWarnCeiling
      ? 1
      : settings.paceInFlightMax;
  },
  keeps,
  costs(views, scene) {
    return costsOf(views, (view) => {
      const gap = gapOf(view, scene);
      const ramp = rampOf(view, scene);
      return { total: -(gap + ramp), terms: { gap, ramp } };
    });
  },
  choose,
};

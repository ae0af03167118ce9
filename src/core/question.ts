/**
 * All that the steps of one routing decision share.
 *
 * @module
 */

import { type Room, roomOf } from "./gates.ts";
import type { Costs, Policy } from "./policy/policy.ts";
import { POLICIES } from "./policy/registry.ts";
import { type Standing, standingOf } from "./queue.ts";
import type { Scene, View } from "./scene.ts";

export interface Question {
  readonly scene: Scene;
  readonly policy: Policy;
  readonly standing: Standing;
  /** Places of those who may serve now. */
  readonly rooms: ReadonlyMap<View, Room>;
  readonly costs: Costs;
}

export function questionOf(scene: Scene): Question {
  const policy = POLICIES[scene.settings.policy];
  return {
    scene,
    policy,
    standing: standingOf(scene),
    rooms: new Map(
      scene.open.map((view) => [view, roomOf(view, scene, policy)]),
    ),
    costs: policy.costs(scene.open, scene),
  };
}

/** Places for a cold conversation that nobody before it has a claim to. */
export function placesOf(
  { rooms, standing }: Question,
  view: View,
): number {
  const claimed = standing.warmAt.get(view.id) ?? 0;
  return Math.max(0, (rooms.get(view)?.cold ?? 0) - claimed);
}

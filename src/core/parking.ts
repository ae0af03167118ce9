/**
 * Parking: where the quota cannot feed every conversation, some wait whole so
 * that the others keep their caches. Feeding all a little feeds rebuilds.
 *
 * @module
 */

import { projected } from "./projection.ts";
import { type Standing, waitedMs } from "./queue.ts";
import type { Scene, View } from "./scene.ts";
import { HOUR_MS } from "./time.ts";

/** Whether the request may be parked at all. */
export function isParkable(scene: Scene, standing: Standing): boolean {
  const { query, settings, layers, census } = scene;
  if (!layers.parkingGate || settings.parking === 0) return false;
  if (query.conversation === null || query.isSide || query.parent !== null) {
    return false;
  }
  if (census.active + census.parked < settings.parking) return false;
  return waitedMs(scene, standing.own, ["parked"]) < settings.parkedMaxMs;
}

/** Those of `views` whose window can feed one conversation more. */
export function feeding(
  views: readonly View[],
  scene: Scene,
): readonly View[] {
  const hours = scene.snapshot.flow.lifeMs / HOUR_MS;
  const here = scene.binding?.accountId ?? null;
  return views.filter((view) => {
    const { active } = view.heads;
    if (active === 0) return true;
    const heads = view.id === here ? active : active + 1;
    return projected(view, scene, { heads, hours }) <=
      scene.settings.parkingLoad;
  });
}

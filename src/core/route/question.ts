/**
 * All that the steps of one routing decision share.
 *
 * @module
 */

import { type Room, roomOf } from "./gates.ts";
import type { Costs, Policy } from "../policy/policy.ts";
import { POLICIES } from "../policy/registry.ts";
import { type Standing, standingOf } from "./queue.ts";
import type { Scene, View } from "./scene.ts";

/** What is not asked is not worked out: most requests stay where they are. */
export class Question {
  readonly scene: Scene;
  readonly policy: Policy;
  readonly standing: Standing;
  readonly #rooms = new Map<View, Room>();
  #costs: Costs | null = null;

  constructor(scene: Scene) {
    this.scene = scene;
    this.policy = POLICIES[scene.settings.policy];
    this.standing = standingOf(scene);
  }

  /** What each of those who may serve now would cost. */
  get costs(): Costs {
    const { scene, policy } = this;
    return this.#costs ??= policy.costs(scene.open, scene);
  }

  /** The places that `view` has left. */
  roomOf(view: View): Room {
    const known = this.#rooms.get(view);
    if (known !== undefined) return known;
    const room = roomOf(view, this.scene, this.policy);
    this.#rooms.set(view, room);
    return room;
  }

  /** Places for a cold conversation that nobody before it has a claim to. */
  placesOf(view: View): number {
    const claimed = this.standing.warmAt.get(view.id) ?? 0;
    return Math.max(0, this.roomOf(view).cold - claimed);
  }
}

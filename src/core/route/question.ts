/**
 * What the steps of one routing decision share.
 *
 * @module
 */

import { type Room, roomOf } from "./gates.ts";
import type { Costs, Policy } from "../policy/policy.ts";
import { POLICIES } from "../policy/registry.ts";
import { type Standing, standingOf } from "./queue.ts";
import type { Scene, View } from "./scene.ts";

/**
 * Each figure is computed when first asked for, because most requests stay
 * where they are.
 */
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

  /** The cost of each account that may serve now. */
  get costs(): Costs {
    const { scene, policy } = this;
    return this.#costs ??= policy.costs(scene.open, scene);
  }

  /** Returns the places that `view` has left. */
  roomOf(view: View): Room {
    const known = this.#rooms.get(view);
    if (known !== undefined) return known;
    const room = roomOf(view, this.scene, this.policy);
    this.#rooms.set(view, room);
    return room;
  }

  /**
   * Returns the places for a cold conversation that no earlier waiter has a
   * claim to.
   */
  placesOf(view: View): number {
    const claimed = this.standing.warmAt.get(view.id) ?? 0;
    return Math.max(0, this.roomOf(view).cold - claimed);
  }
}

/**
 * What a routing policy is. Each policy is one pure file. `route.ts` holds what
 * all of them share: bars, gates, queue and last resorts.
 *
 * @module
 */

import { inFlightCap } from "../pool/lease.ts";
import type { AccountId } from "../account.ts";
import type { Scene, View } from "../route/scene.ts";
import type { PolicyName } from "../settings.ts";

export {
  POLICY_NAMES,
  type PolicyName,
  type RouteSettings,
} from "../settings.ts";

/** What choosing an account would cost; lower is better. */
export interface Cost {
  readonly total: number;
  /** The parts of the cost by name, for `tc explain`. */
  readonly terms: Readonly<Record<string, number>>;
}

export type Costs = ReadonlyMap<AccountId, Cost>;

export interface Policy {
  readonly name: PolicyName;
  /**
   * Whether its costs consider a sub-agent's parent. If not, `route.ts` places
   * the sub-agent beside its parent.
   */
  readonly pricesChildren: boolean;
  /**
   * Returns how many requests in flight it gives an account, where the gate is
   * in use.
   */
  inFlightMax(view: View, scene: Scene): number;
  /**
   * Returns whether the conversation stays with its account, which may serve.
   */
  keeps(home: View, scene: Scene): boolean;
  /** Returns the cost of each of `views`. */
  costs(views: readonly View[], scene: Scene): Costs;
  /** Returns the best of `views`, which holds at least one. */
  choose(views: readonly View[], costs: Costs, scene: Scene): View;
}

/** Returns the learned limit, which every policy may use. */
export function learnedMax({ state }: View, { at }: Scene): number {
  return Math.ceil(inFlightCap(state.gate, at));
}

/**
 * Returns the cheapest of `views`. The id breaks ties, so the order does not
 * matter.
 */
export function cheapest(views: readonly View[], costs: Costs): View {
  return best(views, (a, b) => costOf(costs, a) - costOf(costs, b));
}

function costOf(costs: Costs, { id }: View): number {
  return costs.get(id)?.total ?? Infinity;
}

/** Returns the first of `views` by `compare`. Throws if there is none. */
export function best(
  views: readonly View[],
  compare: (a: View, b: View) => number,
): View {
  let first: View | null = null;
  for (const view of views) {
    if (first === null) first = view;
    else {
      const order = compare(view, first);
      if (order < 0 || (order === 0 && view.id < first.id)) first = view;
    }
  }
  if (first === null) throw new RangeError("Cannot choose from no account");
  return first;
}

/**
 * Returns those of `views` that `isGood` accepts, or all if it accepts none.
 */
export function preferring(
  views: readonly View[],
  isGood: (view: View) => boolean,
): readonly View[] {
  const good = views.filter(isGood);
  return good.length > 0 ? good : views;
}

/** Returns one cost per view, from one number and its parts. */
export function costsOf(
  views: readonly View[],
  cost: (view: View) => Cost,
): Costs {
  return new Map(views.map((view) => [view.id, cost(view)]));
}

/**
 * Which waiting requests stand before a request. No request overtakes an
 * earlier one of its kind.
 *
 * @module
 */

import type { AccountId, ModelFamily } from "../account.ts";
import type { RouteQuery } from "../facts.ts";
import { routeOf } from "./project_route.ts";
import type { Scene } from "./scene.ts";
import type { Waiting, WaitReason } from "../pool/state.ts";

/** Earlier waiters of the same kind as the request. */
export interface Standing {
  /** The request's own entry, once it waits. */
  readonly own: Waiting | null;
  /** How many wait for any account. */
  readonly cold: number;
  readonly parked: number;
  /** How many wait for the account that holds their cache, by account. */
  readonly warmAt: ReadonlyMap<AccountId, number>;
}

const NO_CLAIMS: ReadonlyMap<AccountId, number> = new Map();

export function standingOf(
  { query, census, snapshot, rule }: Scene,
): Standing {
  const own = query.ticket === null
    ? null
    : snapshot.waiting.get(query.ticket) ?? null;
  const order = own?.order ?? Infinity;
  let cold = 0;
  let parked = 0;
  let warmAt: Map<AccountId, number> | null = null;
  for (const waiter of census.queue) {
    if (waiter.order >= order) break;
    if (!areEqual(waiter, query)) continue;
    // A request under another rule waits for other accounts.
    const { project = null } = waiter.facts;
    if (routeOf(snapshot.routes, project) !== rule) continue;
    if (waiter.reason === "shared_prompt") continue;
    if (waiter.reason === "parked") parked++;
    else if (waiter.reason !== "warm_account") cold++;
    else {
      const home = homeOf(waiter, snapshot.bindings);
      if (home === null) continue;
      warmAt ??= new Map();
      warmAt.set(home, (warmAt.get(home) ?? 0) + 1);
    }
  }
  return { own, cold, parked, warmAt: warmAt ?? NO_CLAIMS };
}

function areEqual({ only, facts }: Waiting, query: RouteQuery): boolean {
  return only === query.only && overlap(facts.families, query.families);
}

function overlap(
  a: readonly ModelFamily[],
  b: readonly ModelFamily[],
): boolean {
  return a.length === 0 || b.length === 0 ||
    a.some((family) => b.includes(family));
}

function homeOf(
  { facts }: Waiting,
  bindings: Scene["snapshot"]["bindings"],
): AccountId | null {
  return facts.conversation === null
    ? null
    : bindings.get(facts.conversation)?.accountId ?? null;
}

/** Returns how long the request has waited for `reason` so far. */
export function waitedMs(
  scene: Scene,
  own: Waiting | null,
  reasons: readonly WaitReason[],
): number {
  if (own === null) return scene.query.waitedMs;
  return reasons.includes(own.reason) ? scene.at - own.reasonSince : 0;
}

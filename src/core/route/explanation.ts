/**
 * Everything that routing weighs for one request, as figures. `tc explain`, the
 * API and the Deck put them into words.
 *
 * @module
 */

import type { AccountId } from "../account.ts";
import type { Considered, RouteDecision, RouteQuery } from "./decision.ts";
import { inFlight, roomOf } from "./gates.ts";
import { isOversubscribed } from "./parking.ts";
import { POLICIES } from "../policy/registry.ts";
import type { QuotaWindow } from "../quota/quota.ts";
import { route } from "./route.ts";
import { type Rank, type Scene, survey, type View } from "./scene.ts";
import type { Binding } from "../pool/session.ts";
import type { PolicyName } from "../settings.ts";
import type { PoolSnapshot } from "../pool/state.ts";
import type { ProjectRoute } from "./project_route.ts";
import type { Instant } from "../time.ts";

/** One account with everything that counted for or against it. */
export interface ExplainedAccount extends Considered {
  /** 0 is a plan, 1 its paid extra usage, 2 an API key, 3 a backend. */
  readonly rank: Rank;
  /** Whether the conversation is bound to it. */
  readonly isHome: boolean;
  /**
   * Figures with their source and age; null where no window runs or none is
   * known.
   */
  readonly fiveHour: QuotaWindow | null;
  readonly week: QuotaWindow | null;
  /**
   * Prompt tokens that it would read from its cache, and those it would write
   * anew.
   */
  readonly cachedTokens: number;
  readonly rebuildTokens: number;
  readonly leases: number;
  /**
   * Requests in flight that it takes of this request's kind; null means no
   * limit.
   */
  readonly leasesMax: number | null;
  /** Conversations of the last ten minutes. */
  readonly conversations: number;
}

export interface Explanation {
  readonly at: Instant;
  readonly policy: PolicyName;
  /** Whether the launch asked for this policy instead of the pool's own. */
  readonly isOwnPolicy: boolean;
  /** The user's rule for its project, or null. */
  readonly rule: ProjectRoute | null;
  readonly pin: AccountId | null;
  /** What is known of the conversation; null if it is new or unnamed. */
  readonly binding: Binding | null;
  readonly isWarm: boolean;
  readonly contextTokens: number;
  /**
   * The most that the request may cost where it is paid for, in nanodollars:
   * null if its price is unknown, 0 if nothing is known of the request.
   */
  readonly costNanoMax: number | null;
  /** Conversations at work, and conversations that wait for an account. */
  readonly active: number;
  readonly stalled: number;
  /** Whether there are so many conversations that a cold one may be parked. */
  readonly isOversubscribed: boolean;
  readonly decision: RouteDecision;
  /** Every account, in the pool's order. */
  readonly accounts: readonly ExplainedAccount[];
}

/**
 * Routes `query` without sending it, and returns everything that was weighed.
 */
export function explain(
  snapshot: PoolSnapshot,
  query: RouteQuery,
): Explanation {
  const scene = survey(snapshot, query);
  const decision = route(snapshot, query);
  const considered = new Map(
    decision.considered.map((one) => [one.accountId, one]),
  );
  return {
    at: scene.at,
    policy: scene.settings.policy,
    isOwnPolicy: scene.settings.policy !== snapshot.settings.policy,
    rule: scene.rule,
    pin: snapshot.pin,
    binding: scene.binding,
    isWarm: scene.isWarm,
    contextTokens: scene.contextTokens,
    costNanoMax: query.costNanoMax === undefined ? 0 : query.costNanoMax,
    active: scene.census.active,
    stalled: scene.census.stalled,
    isOversubscribed: isOversubscribed(scene),
    decision,
    accounts: scene.views.flatMap((view) => {
      const one = considered.get(view.id);
      return one === undefined ? [] : [explained(view, scene, one)];
    }),
  };
}

function explained(
  view: View,
  scene: Scene,
  considered: Considered,
): ExplainedAccount {
  const cached = Math.min(scene.contextTokens, view.cached);
  const room = roomOf(view, scene, POLICIES[scene.settings.policy]);
  const isHome = scene.binding?.accountId === view.id;
  const most = (isHome ? room.warm : room.cold) + inFlight(view);
  return {
    ...considered,
    rank: view.rank,
    isHome,
    fiveHour: view.fiveHour,
    week: view.week,
    cachedTokens: cached,
    rebuildTokens: scene.contextTokens - cached,
    leases: inFlight(view),
    leasesMax: Number.isFinite(most) ? most : null,
    conversations: view.heads.active,
  };
}

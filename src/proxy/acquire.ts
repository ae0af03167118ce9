/**
 * From a request to an open lease: asks the router, and if no account is free
 * waits for the pool to change, as long as the hold allows.
 *
 * @module
 */

import type { AccountId, TicketId } from "../core/account.ts";
import {
  route,
  type RouteDecision,
  type RouteQuery,
} from "../core/route/route.ts";
import {
  afterWaiting,
  type Asked,
  type Patience,
  waits,
} from "../core/route/patience.ts";
import { after, type Instant } from "../core/time.ts";
import type { Choice, RequestScope } from "./request_scope.ts";

/** What the answers so far ask of the next choice. */
export interface Wish {
  /** Accounts that must not be chosen again. */
  readonly excluded: ReadonlySet<AccountId>;
  /** The account to choose again if it may serve, or null. */
  readonly preferred: AccountId | null;
  /** Whether to wait if no account is free at once. */
  readonly mayWait: boolean;
}

const NO_ACCOUNTS: ReadonlySet<AccountId> = new Set();

/** Returns the wish of a request that was not tried yet. */
export function firstWish(mayWait: boolean): Wish {
  return { excluded: NO_ACCOUNTS, preferred: null, mayWait };
}

/** A choice with its lease open, or the decision that says why there is none. */
type Acquired =
  | { readonly kind: "chosen"; readonly choice: Choice }
  | { readonly kind: "closed"; readonly decision: RouteDecision };

/**
 * Spreads requests that wait for the same instant, to avoid a thundering herd
 * at a reset.
 */
const JITTER_MS_MAX = 250;

/** The longest time between two decisions: time alone can open an account. */
const RECHECK_MS_MAX = 20_000;

/** Returns an open lease or why none is to be had. Throws the signal's reason. */
export async function acquire(
  scope: RequestScope,
  wish: Wish,
): Promise<Acquired> {
  try {
    while (true) {
      const decision = decide(scope, wish);
      // No await between the decision and the lease: the snapshot is still true.
      if (decision.kind === "use") return chosen(scope, decision);
      const until = mayWaitUntil(scope, wish, decision);
      if (until === null) return overWaiting(scope, wish, decision);
      if (decision.kind === "wait") scope.queue(decision);
      await scope.proxy.pool.changed(until, scope.inbound.signal);
    }
  } finally {
    scope.leaveQueue();
  }
}

/** Returns what the router says about the request now. */
export function decide(scope: RequestScope, wish: Wish): RouteDecision {
  const snapshot = scope.proxy.pool.snapshot();
  const query = queryOf(scope, wish);
  if (wish.preferred !== null && scope.inbound.only === null) {
    const same = route(snapshot, { ...query, only: wish.preferred });
    if (same.kind === "use") return same;
  }
  return route(snapshot, query);
}

function queryOf({ inbound, waitedMs }: RequestScope, wish: Wish): RouteQuery {
  return {
    ...inbound.facts,
    excluded: wish.excluded,
    only: inbound.only,
    waitedMs,
    ticket: inbound.id as TicketId,
  };
}

function chosen(
  scope: RequestScope,
  decision: RouteDecision & { readonly kind: "use" },
): Acquired {
  return { kind: "chosen", choice: scope.lease(decision) };
}

/** Returns what the request gets once it may not wait any longer. */
function overWaiting(
  scope: RequestScope,
  wish: Wish,
  decision: RouteDecision,
): Acquired {
  const asked = askedBy(scope, wish);
  const last = afterWaiting(decision, asked, patienceOf(scope, wish));
  if (last.kind === "use") return chosen(scope, last);
  // A parked conversation is told to come again, and keeps its place.
  if (last.kind === "wait" && last.reason === "parked") scope.queue(last);
  return { kind: "closed", decision: last };
}

function askedBy(scope: RequestScope, wish: Wish): Asked {
  const snapshot = scope.proxy.pool.snapshot();
  return { snapshot, query: queryOf(scope, wish) };
}

function patienceOf({ inbound, hold }: RequestScope, wish: Wish): Patience {
  return {
    giveUpAt: hold.giveUpAt(),
    mayWait: wish.mayWait,
    speaksLimits: inbound.speaksLimits,
  };
}

/** Returns when to decide again at the latest, or null if waiting is over. */
function mayWaitUntil(
  scope: RequestScope,
  wish: Wish,
  decision: RouteDecision,
): Instant | null {
  const { hold, proxy } = scope;
  const patience = patienceOf(scope, wish);
  if (!waits(decision, askedBy(scope, wish), patience)) return null;
  if (!hold.begin()) return null;
  const until = decision.kind === "wait" ? decision.until : null;
  const { giveUpAt } = patience;
  const jitterMs = proxy.entropy.random() * JITTER_MS_MAX;
  const recheckAt = after(proxy.clock.now(), RECHECK_MS_MAX);
  const wanted = until === null || until > recheckAt
    ? recheckAt
    : after(until, jitterMs);
  return wanted < giveUpAt ? wanted : giveUpAt;
}

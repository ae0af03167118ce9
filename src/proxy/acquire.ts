/**
 * From a request to an open lease: asks the router, and if no account is free
 * waits for the pool to change, as long as the hold allows.
 *
 * @module
 */

import type { AccountId, TicketId } from "../core/account.ts";
import type { PoolSnapshot } from "../core/pool/pool.ts";
import {
  route,
  type RouteDecision,
  type RouteQuery,
} from "../core/route/route.ts";
import { isPassing } from "../core/route/staying.ts";
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
      if (until === null) return afterWaiting(scope, wish, decision);
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

/**
 * Decides once more when the request may not wait any longer. Parking and cache
 * waits are optimisations: a request never fails because of one while an
 * account is open.
 */
function afterWaiting(
  scope: RequestScope,
  wish: Wish,
  decision: RouteDecision,
): Acquired {
  const reason = decision.kind === "wait" ? decision.reason : null;
  const isParked = reason === "parked" && wish.mayWait;
  if (isParked && scope.inbound.speaksLimits) {
    // It is told to come again, and keeps the place that it had in the queue.
    if (decision.kind === "wait") scope.queue(decision);
    return { kind: "closed", decision };
  }
  if (!isParked && reason !== "warm_account") {
    return { kind: "closed", decision };
  }
  const snapshot = scope.proxy.pool.snapshot();
  const settings = {
    ...snapshot.settings,
    parking: 0,
    warmWaitMaxMs: 0,
    fullWaitMaxMs: 0,
  };
  const query = queryOf(scope, wish);
  const now = { ...snapshot, settings };
  const first = route(now, query);
  if (first.kind === "use") return chosen(scope, first);
  if (isParked) return { kind: "closed", decision: first };
  const other = route(now, { ...query, excluded: withHome(query, snapshot) });
  return other.kind === "use"
    ? chosen(scope, other)
    : { kind: "closed", decision };
}

/** Excludes the account that has the conversation's cache as well. */
function withHome(
  { conversation, excluded }: RouteQuery,
  { bindings }: PoolSnapshot,
): ReadonlySet<AccountId> {
  const home = conversation === null
    ? undefined
    : bindings.get(conversation)?.accountId;
  return home === undefined ? excluded : new Set([...excluded, home]);
}

/** Returns when to decide again at the latest, or null if waiting is over. */
function mayWaitUntil(
  scope: RequestScope,
  wish: Wish,
  decision: RouteDecision,
): Instant | null {
  if (decision.kind !== "wait" || !wish.mayWait) return null;
  const { inbound, hold, proxy } = scope;
  const now = proxy.clock.now();
  const giveUpAt = hold.giveUpAt();
  if (now >= giveUpAt) return null;
  // If it is closed beyond the hold's limit, pings would only delay the answer.
  const { until, backAt } = decision;
  const isClosed = decision.reason === "closed" ||
    decision.reason === "parked" && inbound.speaksLimits ||
    isHomeClosed(scope, decision);
  const endsAt = inbound.speaksLimits ? backAt : until;
  if (isClosed && endsAt !== null && endsAt > giveUpAt) return null;
  if (!hold.begin()) return null;
  const jitterMs = proxy.entropy.random() * JITTER_MS_MAX;
  const recheckAt = after(now, RECHECK_MS_MAX);
  const wanted = until === null || until > recheckAt
    ? recheckAt
    : after(until, jitterMs);
  return wanted < giveUpAt ? wanted : giveUpAt;
}

/** Whether it waits for its cache's account to open, not for a place there. */
function isHomeClosed(
  { inbound: { facts }, proxy }: RequestScope,
  decision: RouteDecision,
): boolean {
  if (decision.reason !== "warm_account") return false;
  const home = facts.conversation === null
    ? undefined
    : proxy.pool.snapshot().bindings.get(facts.conversation);
  return decision.considered.some(({ accountId, ineligible }) =>
    accountId === home?.accountId && isPassing(ineligible)
  );
}

/**
 * From a request to an open lease: decide, and where nothing is free wait,
 * within the hold's bound, for the pool to change.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import type { PoolSnapshot } from "../core/pool/pool.ts";
import {
  route,
  type RouteDecision,
  type RouteQuery,
} from "../core/route/route.ts";
import { isPassing } from "../core/route/staying.ts";
import { after, type Instant } from "../core/time.ts";
import type { Chosen, Inbound, Proxy } from "./proxy.ts";

/** What the answers so far ask of the next choice. */
export interface Wish {
  readonly excluded: ReadonlySet<AccountId>;
  /** The same account again, if it may serve. */
  readonly preferred: AccountId | null;
  /** Whether to wait where no account is free at once. */
  readonly mayWait: boolean;
}

export type Acquired =
  | { readonly kind: "chosen"; readonly chosen: Chosen }
  /** Nothing can serve it within its bound; the last decision says why. */
  | { readonly kind: "closed"; readonly decision: RouteDecision };

/** Spreads those who wake at the same instant, so that a reset is no herd. */
const JITTER_MS_MAX = 250;

/** Looks again at least this often: time alone can open an account. */
const LOOK_MS_MAX = 20_000;

/** Throws the signal's reason when the client leaves. */
export async function acquire(
  inbound: Inbound,
  wish: Wish,
  proxy: Proxy,
): Promise<Acquired> {
  try {
    while (true) {
      const decision = decide(inbound, wish, proxy);
      // No await between the decision and the lease: the picture is still true.
      if (decision.kind === "use") return chosen(inbound, decision, proxy);
      const until = mayWaitUntil(inbound, wish, { decision, proxy });
      if (until === null) return atTheEnd(inbound, wish, { decision, proxy });
      noteWaiting(inbound, decision, proxy);
      await proxy.pool.changed(until, inbound.signal);
    }
  } finally {
    stopWaiting(inbound, proxy);
  }
}

/**
 * Parking, and waits for the account with the cache, put work off for a gain:
 * no request fails for that while an account is open.
 */
function atTheEnd(
  inbound: Inbound,
  wish: Wish,
  { decision, proxy }: Standing,
): Acquired {
  const reason = decision.kind === "wait" ? decision.reason : null;
  const isParked = reason === "parked" && wish.mayWait;
  if (isParked && inbound.speaksLimits) {
    noteWaiting(inbound, decision, proxy);
    endWaiting(inbound, proxy);
    return { kind: "closed", decision };
  }
  if (!isParked && reason !== "warm_account") {
    return { kind: "closed", decision };
  }
  const snapshot = proxy.pool.snapshot();
  const settings = {
    ...snapshot.settings,
    parking: 0,
    warmWaitMaxMs: 0,
    fullWaitMaxMs: 0,
  };
  const query = queryOf(inbound, wish);
  const now = { ...snapshot, settings };
  const first = route(now, query);
  if (first.kind === "use") return chosen(inbound, first, proxy);
  if (isParked) return { kind: "closed", decision: first };
  const away = awayFromHome(query, snapshot);
  const other = route(now, { ...query, excluded: away });
  return other.kind === "use"
    ? chosen(inbound, other, proxy)
    : { kind: "closed", decision };
}

/** Without the account that the conversation's cache is on. */
function awayFromHome(
  { conversation, excluded }: RouteQuery,
  { bindings }: PoolSnapshot,
): ReadonlySet<AccountId> {
  const home = conversation === null
    ? undefined
    : bindings.get(conversation)?.accountId;
  return home === undefined ? excluded : new Set([...excluded, home]);
}

function queryOf(inbound: Inbound, wish: Wish): RouteQuery {
  return {
    ...inbound.facts,
    excluded: wish.excluded,
    only: inbound.only,
    waitedMs: inbound.hold.waitedMs,
    ticket: inbound.ticket,
  };
}

/** What the pool says of the request as it is now. */
export function decide(
  inbound: Inbound,
  wish: Wish,
  proxy: Proxy,
): RouteDecision {
  const snapshot = proxy.pool.snapshot();
  const query = queryOf(inbound, wish);
  if (wish.preferred !== null && inbound.only === null) {
    const same = route(snapshot, { ...query, only: wish.preferred });
    if (same.kind === "use") return same;
  }
  return route(snapshot, query);
}

function chosen(
  inbound: Inbound,
  decision: RouteDecision & { readonly kind: "use" },
  { pool }: Proxy,
): Acquired {
  const lease = pool.openLease(decision.accountId, inbound.facts);
  inbound.line.state = "sent";
  inbound.line.accountId = decision.accountId;
  inbound.line.reason = decision.reason;
  const { reason, movedFrom } = decision;
  // Not the decision itself: it holds on to the pool as it was.
  return { kind: "chosen", chosen: { lease, reason, movedFrom } };
}

interface Standing {
  readonly decision: RouteDecision;
  readonly proxy: Proxy;
}

/** The instant to look again at the latest, or null when waiting is over. */
function mayWaitUntil(
  inbound: Inbound,
  wish: Wish,
  { decision, proxy }: Standing,
): Instant | null {
  if (decision.kind !== "wait" || !wish.mayWait) return null;
  const now = proxy.clock.now();
  const giveUpAt = inbound.hold.giveUpAt();
  if (now >= giveUpAt) return null;
  // Closed beyond the bound: pings would only put the same answer off.
  const { until, backAt } = decision;
  const isClosed = decision.reason === "closed" ||
    decision.reason === "parked" && inbound.speaksLimits ||
    isHomeClosed(inbound, decision, proxy);
  const endsAt = inbound.speaksLimits ? backAt : until;
  if (isClosed && endsAt !== null && endsAt > giveUpAt) return null;
  if (!inbound.hold.begin()) return null;
  const jitterMs = proxy.entropy.random() * JITTER_MS_MAX;
  const lookAt = after(now, LOOK_MS_MAX);
  const wanted = until === null || until > lookAt
    ? lookAt
    : after(until, jitterMs);
  return wanted < giveUpAt ? wanted : giveUpAt;
}

/** It waits for its cache's account to open, not for a place there. */
function isHomeClosed(
  { facts }: Inbound,
  decision: RouteDecision,
  { pool }: Proxy,
): boolean {
  if (decision.reason !== "warm_account") return false;
  const home = facts.conversation === null
    ? undefined
    : pool.snapshot().bindings.get(facts.conversation);
  return decision.considered.some(({ accountId, ineligible }) =>
    accountId === home?.accountId && isPassing(ineligible)
  );
}

function noteWaiting(
  inbound: Inbound,
  decision: RouteDecision,
  { pool, clock }: Proxy,
): void {
  if (decision.kind !== "wait") return;
  inbound.line.state = inbound.line.state === "held" ? "held" : "waiting";
  inbound.line.reason = decision.reason;
  inbound.line.accountId = null;
  pool.dispatch({
    kind: "waiting_changed",
    ticket: inbound.ticket,
    query: inbound.facts,
    only: inbound.only,
    reason: decision.reason,
    at: clock.now(),
  });
}

function stopWaiting(inbound: Inbound, { pool, clock }: Proxy): void {
  if (!inbound.hold.isWaiting) return;
  inbound.hold.end();
  endWaiting(inbound, { pool, clock });
}

function endWaiting(
  inbound: Inbound,
  { pool, clock }: Pick<Proxy, "pool" | "clock">,
): void {
  pool.dispatch({
    kind: "waiting_ended",
    ticket: inbound.ticket,
    at: clock.now(),
  });
}

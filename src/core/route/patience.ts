/**
 * How long a request waits, and what it gets when its waiting is over. The data
 * plane and the simulator share this rule.
 *
 * @module
 */

import type { AccountId } from "../account.ts";
import type { PoolSnapshot } from "../pool/state.ts";
import type { Ineligible } from "./eligible.ts";
import { route, type RouteDecision, type RouteQuery } from "./route.ts";
import { isPassing } from "./staying.ts";
import { type Instant, SECOND_MS } from "../time.ts";

/** How long one request may still wait. */
export interface Patience {
  /** When it has waited as long as it may. */
  readonly giveUpAt: Instant;
  /** Whether it may wait for an account at all. */
  readonly mayWait: boolean;
  /** Whether its client comes back by itself at the time a limit answer names. */
  readonly speaksLimits: boolean;
}

/** A request and the pool that it was routed in. */
export interface Asked {
  readonly snapshot: PoolSnapshot;
  readonly query: RouteQuery;
}

/**
 * Returns whether the request waits. It does not wait for a pool that stays
 * closed for longer than the request may wait, because that would only delay the
 * answer. A parked client that understands limit answers is told its turn at
 * once, because an open stream cannot carry that answer any more.
 */
export function waits(
  decision: RouteDecision,
  asked: Asked,
  { giveUpAt, mayWait, speaksLimits }: Patience,
): boolean {
  if (decision.kind !== "wait" || !mayWait) return false;
  if (asked.snapshot.at >= giveUpAt) return false;
  const { until, backAt, reason } = decision;
  if (reason === "parked" && speaksLimits) return false;
  const isClosed = reason === "closed" ||
    reason === "warm_account" && isHomeClosed(decision, asked);
  const endsAt = speaksLimits ? backAt : until;
  return !isClosed || endsAt === null || endsAt <= giveUpAt;
}

/** Whether it waits for its cache's account to open, not for a place there. */
function isHomeClosed(
  { considered }: RouteDecision,
  { snapshot, query }: Asked,
): boolean {
  const home = homeOf(snapshot, query);
  return considered.some(({ accountId, ineligible }) =>
    accountId === home && isPassing(ineligible)
  );
}

function homeOf(
  { bindings }: PoolSnapshot,
  { conversation }: RouteQuery,
): AccountId | null {
  return conversation === null
    ? null
    : bindings.get(conversation)?.accountId ?? null;
}

/**
 * Returns what the request gets once it may not wait any longer: an account
 * after all, or the decision that its client is told. Parking and cache waits
 * are optimisations: a request never fails because of one while an account is
 * open. A parked client that understands limit answers is told its turn.
 */
export function afterWaiting(
  decision: RouteDecision,
  { snapshot, query }: Asked,
  { mayWait, speaksLimits }: Patience,
): RouteDecision {
  const reason = decision.kind === "wait" ? decision.reason : null;
  const isParked = reason === "parked" && mayWait;
  if (isParked && speaksLimits) return decision;
  const isForCache = reason === "warm_account" || reason === "shared_prompt";
  if (!isParked && !isForCache) return decision;
  const settings = {
    ...snapshot.settings,
    parking: 0,
    warmWaitMaxMs: 0,
    fullWaitMaxMs: 0,
  };
  const now = { ...snapshot, settings };
  const first = route(now, query);
  if (first.kind === "use" || isParked) return first;
  const home = homeOf(snapshot, query);
  const excluded = home === null
    ? query.excluded
    : new Set([...query.excluded, home]);
  const other = route(now, { ...query, excluded });
  return other.kind === "use" ? other : decision;
}

/** When the pool serves the request again, and the account that opens first. */
interface Return {
  readonly at: Instant;
  /** Null for a parked conversation, whose turn no single account decides. */
  readonly accountId: AccountId | null;
}

/**
 * Returns when the pool serves the request again, if it lacks quota; null if
 * that is unknown or the pool lacks something else.
 */
export function returnOf(
  decision: RouteDecision,
  now: Instant,
): Return | null {
  if (decision.kind !== "wait") return null;
  const { backAt, considered, reason } = decision;
  if (backAt === null || backAt <= now) return null;
  if (reason === "parked") return { at: backAt, accountId: null };
  const first = considered.find(({ until, ineligible }) =>
    until === backAt && ineligible !== null && isQuota(ineligible, backAt - now)
  );
  return first === undefined
    ? null
    : { at: backAt, accountId: first.accountId };
}

/** A limit in dollars that only requests in flight fill is back this soon. */
const SETTLES_MS_MAX = 60 * SECOND_MS;

/** Whether a quota or a limit is used up, and a person must wait for it. */
function isQuota(reason: Ineligible, leftMs: number): boolean {
  switch (reason) {
    case "exhausted":
    case "family_exhausted":
    case "own_limit":
    case "overage":
      return true;
    case "spend_limit":
    case "paid_max":
      return leftMs > SETTLES_MS_MAX;
    default:
      return false;
  }
}

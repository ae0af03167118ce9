/**
 * What a client is told when no account can serve: each account's own reason,
 * and when to come again.
 *
 * @module
 */

import { ANY_REQUEST } from "../core/quota/capacity.ts";
import { barOf, type Ineligible } from "../core/route/eligible.ts";
import type { AccountState, PoolSnapshot } from "../core/pool/pool.ts";
import type { Considered, RouteDecision } from "../core/route/route.ts";
import { earlier, type Instant, SECOND_MS } from "../core/time.ts";
import type { QuotaWindow, WindowKey } from "../core/quota/quota.ts";
import { barText, spentWindow } from "../wire/answer/bar_text.ts";
import {
  type ClosedAccount,
  closedMessage,
  type ClosedMessageOptions,
  parkedMessage,
  RETRY_AFTER_SEC_MAX,
} from "../wire/answer/api_error.ts";

/** Claude Code keeps trying at this pace where nobody knows a reset. */
const UNKNOWN_WAIT_SEC = 30;

/** Reasons that only a person ends are no part of "all accounts are closed". */
const NOT_COUNTED: readonly Ineligible[] = ["disabled", "not_asked_for"];

/** Nothing is wrong with an account of which this is said. */
const BUSY: readonly Ineligible[] = ["full", "probation"];

/**
 * `All 4 accounts are closed: …`, each with its reason and return; for a parked
 * conversation when its turn comes.
 */
export function closedText(
  decision: RouteDecision,
  snapshot: PoolSnapshot,
): string {
  if (decision.kind === "wait" && decision.reason === "parked") {
    return parkedMessage(decision.backAt, optionsAt(snapshot));
  }
  const accounts = decision.considered
    .filter(({ ineligible }) =>
      ineligible === null || !NOT_COUNTED.includes(ineligible)
    )
    .map((considered) => closedAccount(considered, snapshot));
  return closedMessage(accounts, optionsAt(snapshot));
}

function optionsAt({ at }: PoolSnapshot): ClosedMessageOptions {
  return {
    now: at,
    offsetMsAt: (then) => -new Date(then).getTimezoneOffset() * 60 * SECOND_MS,
    holdingSec: null,
  };
}

function closedAccount(
  considered: Considered,
  snapshot: PoolSnapshot,
): ClosedAccount {
  const { accountId } = considered;
  const state = snapshot.accounts.get(accountId);
  if (state === undefined || considered.ineligible === null) {
    const label = state?.account.label ?? accountId;
    const { until } = considered;
    return { label, reason: "full", until, isBusy: true };
  }
  const { ineligible, until } = standingReason(
    considered.ineligible,
    considered.until,
    { state, snapshot },
  );
  return {
    label: state.account.label,
    reason: barText(ineligible, state, snapshot.at),
    until,
    isBusy: BUSY.includes(ineligible),
  };
}

/**
 * An account that this request has tried may be closed to every other request
 * as well: then that is what a person must know.
 */
function standingReason(
  ineligible: Ineligible,
  until: Instant | null,
  { state, snapshot }: {
    readonly state: AccountState;
    readonly snapshot: PoolSnapshot;
  },
): { readonly ineligible: Ineligible; readonly until: Instant | null } {
  if (ineligible !== "excluded") return { ineligible, until };
  const { settings, at } = snapshot;
  const { bar } = barOf(state, { query: ANY_REQUEST, settings, at });
  return bar === null
    ? { ineligible, until }
    : { ineligible: bar.reason, until: bar.until };
}

/** The account that is back first, and what closes it until then. */
export interface Return {
  readonly at: Instant;
  readonly window: WindowKey;
  readonly windows: readonly QuotaWindow[];
}

/**
 * Returns when the pool serves again, if quota is what it lacks; null where the
 * wait is short, its end unknown, or about something else than a plan.
 */
export function returnOf(
  decision: RouteDecision,
  snapshot: PoolSnapshot,
): Return | null {
  if (decision.kind !== "wait") return null;
  const { backAt, considered, reason } = decision;
  if (backAt === null || backAt <= snapshot.at) return null;
  if (reason === "parked") return { at: backAt, window: "5h", windows: [] };
  const first = considered.find(({ until, ineligible }) =>
    until === backAt && ineligible !== null && isQuota(ineligible)
  );
  const state = first === undefined
    ? undefined
    : snapshot.accounts.get(first.accountId);
  if (state === undefined) return null;
  const window = spentWindow(state, snapshot.at);
  return {
    at: backAt,
    window: window ?? "5h",
    windows: Object.values(state.windows),
  };
}

function isQuota(reason: Ineligible): boolean {
  return reason === "exhausted" || reason === "family_exhausted" ||
    reason === "own_limit" || reason === "overage";
}

/** Seconds to the soonest return, never beyond what the client bears. */
export function retryAfterSec(decision: RouteDecision, now: Instant): number {
  let soonest: Instant | null = null;
  for (const { until } of decision.considered) {
    if (until !== null && until > now) soonest = earlier(soonest, until);
  }
  if (soonest === null) return UNKNOWN_WAIT_SEC;
  const seconds = Math.ceil((soonest - now) / SECOND_MS);
  return Math.min(RETRY_AFTER_SEC_MAX, Math.max(1, seconds));
}

/**
 * The pool as the fold of its events: `reduce(state, event)`. Routing, `tc
 * status` and the Deck read nothing else. No function here reads a clock, so
 * tests drive the pool with any time.
 *
 * @module
 */

import type { PoolEvent } from "./event.ts";
import {
  changeCredential,
  observeQuota,
  orderAccounts,
  putAccount,
  removeAccount,
} from "./fold_account.ts";
import { closeLease, countElsewhere, openLease } from "./fold_lease.ts";
import { giveVerdict, refuseElsewhere } from "./fold_verdict.ts";
import { withOwner } from "./owned_ids.ts";
import { debited } from "../quota/retry.ts";
import { NOTHING_PAID, recalled } from "../quota/spending.ts";
import { setBack } from "./set_back.ts";
import type { RouteSettings } from "../settings.ts";
import {
  NOBODY_ELSEWHERE,
  type PoolSnapshot,
  type PoolState,
} from "./state.ts";
import { START_FLOW } from "./sweep.ts";
import { Table } from "./table.ts";
import type { Instant } from "../time.ts";
import type { TicketId } from "../account.ts";

export { type PoolEvent, wakesWaiters } from "./event.ts";
export type { RouteFacts } from "../facts.ts";
export type {
  AccountState,
  CredentialState,
  PoolSnapshot,
  PoolState,
} from "./state.ts";

/** Returns a pool without accounts. */
export function emptyPool(settings: RouteSettings): PoolState {
  return {
    settings,
    routes: [],
    accounts: new Map(),
    bindings: Table.of(),
    leases: Table.of(),
    waiting: Table.of(),
    parked: Table.of(),
    paid: NOTHING_PAID,
    owned: Table.of(),
    waitingOrder: 0,
    pin: null,
    primary: null,
    elsewhere: NOBODY_ELSEWHERE,
    flow: START_FLOW,
    retries: { tokens: 0, shares: 0, at: null },
    lastProbedAt: null,
    probesRefused: 0,
    activeHours: [],
    lastPromptAt: null,
    sweptAt: null,
  };
}

/**
 * Returns the pool after `event`. It ignores events about things that no longer
 * exist: a lease closed twice, a verdict on a removed account.
 */
export function reduce(state: PoolState, event: PoolEvent): PoolState {
  switch (event.kind) {
    case "account_put":
      return putAccount(state, event.account);
    case "account_removed":
      return removeAccount(state, event.accountId);
    case "accounts_ordered":
      return orderAccounts(state, event.order);
    case "credential_changed":
      return changeCredential(state, event.accountId, event.credential);
    case "quota_observed":
      return observeQuota(state, event.observation);
    case "lease_opened":
      return openLease(state, event);
    case "verdict_given":
      return giveVerdict(state, event);
    case "lease_closed":
      return closeLease(state, event);
    case "paid_recalled":
      return {
        ...state,
        paid: recalled(state.paid, event.sums, event.ends),
      };
    case "paid_max_changed":
      return { ...state, paid: { ...state.paid, max: event.max } };
    case "parked":
      return park(state, event);
    case "waiting_changed":
      return enqueue(state, event);
    case "waiting_ended":
      return dequeue(state, event.ticket);
    case "retry_sent":
      return {
        ...state,
        retries: debited(state.retries, event.at, state.settings),
      };
    case "id_seen": {
      const { id, accountId, at } = event;
      const owned = withOwner(state.owned, id, { accountId, at });
      return owned === state.owned ? state : { ...state, owned };
    }
    case "pinned":
      return { ...state, pin: event.accountId };
    case "counted_elsewhere":
      return countElsewhere(state, event);
    case "refused_elsewhere":
      return refuseElsewhere(state, event);
    case "settings_changed":
      return { ...state, settings: event.settings };
    case "routes_changed":
      return { ...state, routes: event.routes };
    case "clock_set_back":
      return setBack(state, event.byMs);
  }
}

/** Returns the pool as it is at `at`, for routing and for every screen. */
export function snapshot(state: PoolState, at: Instant): PoolSnapshot {
  return { ...state, at };
}

type WaitingChanged = Extract<PoolEvent, { readonly kind: "waiting_changed" }>;

/** Adds the request to the queue, or changes its reason and keeps its place. */
function enqueue(state: PoolState, event: WaitingChanged): PoolState {
  const { ticket, query, only, reason, at } = event;
  const known = state.waiting.get(ticket);
  if (known !== undefined) {
    if (known.reason === reason) return state;
    const waiting = state.waiting.with(ticket, {
      ...known,
      reason,
      reasonSince: at,
    });
    return { ...state, waiting };
  }
  return {
    ...state,
    waitingOrder: state.waitingOrder + 1,
    waiting: state.waiting.with(ticket, {
      ticket,
      order: state.waitingOrder,
      since: at,
      facts: query,
      only,
      reason,
      reasonSince: at,
    }),
  };
}

/** Keeps the time of the first parking, which decides who is next. */
function park(
  state: PoolState,
  { conversation, turnAt, at }: Extract<
    PoolEvent,
    { readonly kind: "parked" }
  >,
): PoolState {
  const known = state.parked.get(conversation);
  if (known?.turnAt === turnAt) return state;
  const since = known?.since ?? at;
  const parked = state.parked.with(conversation, { since, turnAt });
  return { ...state, parked };
}

function dequeue(state: PoolState, ticket: TicketId): PoolState {
  const waiting = state.waiting.without(ticket);
  return waiting === state.waiting ? state : { ...state, waiting };
}

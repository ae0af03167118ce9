/**
 * How the pool changes when accounts are added, removed, or edited.
 *
 * @module
 */

import type { Account, AccountId } from "../account.ts";
import { AVAILABLE, type Bench, benchAt } from "../quota/bench.ts";
import { NO_REFUSALS } from "../quota/entitlement.ts";
import { UNLEARNED, watchRise } from "../quota/learn.ts";
import { newGate } from "./lease.ts";
import {
  observe,
  type QuotaObservation,
  type QuotaWindows,
} from "../quota/quota.ts";
import { reserved } from "../quota/spending.ts";
import type { AccountState, CredentialState, PoolState } from "./state.ts";
import type { Instant } from "../time.ts";

/** Returns the pool with `state` in place of the account's old state. */
export function withAccount(pool: PoolState, state: AccountState): PoolState {
  // Not `new Map(pool.accounts)`, which makes an array of each entry.
  const accounts = new Map<AccountId, AccountState>();
  pool.accounts.forEach((each, id) => accounts.set(id, each));
  accounts.set(state.account.id, state);
  return { ...pool, accounts };
}

export function putAccount(pool: PoolState, account: Account): PoolState {
  const known = pool.accounts.get(account.id);
  return withAccount(
    pool,
    known === undefined ? newAccount(pool, account) : { ...known, account },
  );
}

function newAccount(pool: PoolState, account: Account): AccountState {
  return {
    account,
    credential: { kind: "ready" },
    windows: {},
    overage: null,
    bench: AVAILABLE,
    familyBenches: new Map(),
    refusals: NO_REFUSALS,
    leases: 0,
    elsewhere: 0,
    part: null,
    trial: null,
    gate: newGate(pool.settings),
    learned: UNLEARNED,
    burn: [],
    booked: 0,
    sharedUntil: {},
    lastUsedAt: null,
    lastProbedAt: null,
    restoredAt: null,
  };
}

/** Returns the pool with its accounts in `order`; those not named come last. */
export function orderAccounts(
  pool: PoolState,
  order: readonly AccountId[],
): PoolState {
  const places = new Map(order.map((id, place) => [id, place]));
  const placeOf = (id: AccountId) => places.get(id) ?? order.length;
  const accounts = new Map(
    [...pool.accounts].sort(([a], [b]) => placeOf(a) - placeOf(b)),
  );
  return { ...pool, accounts };
}

/**
 * Removes the account and everything that refers to it: leases, bindings, the
 * pin.
 */
export function removeAccount(pool: PoolState, id: AccountId): PoolState {
  if (!pool.accounts.has(id)) return pool;
  const accounts = new Map(pool.accounts);
  accounts.delete(id);
  let bindings = pool.bindings.filter((binding) => binding.accountId !== id);
  bindings.forEach((binding) => {
    const hasTrace = binding.burned.includes(id) ||
      binding.elsewhere.some((prefix) => prefix.accountId === id);
    if (!hasTrace) return;
    bindings = bindings.with(binding.conversation, {
      ...binding,
      burned: binding.burned.filter((burned) => burned !== id),
      elsewhere: binding.elsewhere.filter((p) => p.accountId !== id),
    });
  });
  return {
    ...pool,
    accounts,
    bindings,
    leases: pool.leases.filter((lease) => lease.accountId !== id),
    paid: reserved(
      pool.paid,
      id,
      -(pool.paid.accounts.get(id)?.reservedNano ?? 0),
    ),
    owned: pool.owned.filter((owned) => owned.accountId !== id),
    pin: pool.pin === id ? null : pool.pin,
    primary: pool.primary === id ? null : pool.primary,
  };
}

export function changeCredential(
  pool: PoolState,
  id: AccountId,
  credential: CredentialState,
): PoolState {
  const state = pool.accounts.get(id);
  return state === undefined
    ? pool
    : withAccount(pool, { ...state, credential });
}

export function observeQuota(
  pool: PoolState,
  observation: QuotaObservation,
): PoolState {
  const state = pool.accounts.get(observation.accountId);
  if (state === undefined) return pool;
  const windows = observe(state.windows, observation);
  return withAccount(pool, {
    ...state,
    windows,
    overage: observation.overage ?? state.overage,
    learned: watchRise(state.learned, state.windows, windows),
    bench: doubted(state.bench, windows, observation),
  });
}

/** Below this utilization a window is certainly not spent. */
const SURELY_OPEN = 0.9;

/**
 * Reconsiders a quota bench after an answer of the usage endpoint. Answers to
 * requests that were in flight say nothing about the bench, but the endpoint
 * was asked later. If it shows the window open again, a trial may check before
 * the stated reset.
 */
function doubted(
  bench: Bench,
  windows: QuotaWindows,
  { source, at }: QuotaObservation,
): Bench {
  const standing = benchAt(bench, at);
  if (standing.kind !== "benched" || source !== "usage_endpoint") return bench;
  if (standing.reason.kind !== "exhausted" || at <= standing.since) {
    return bench;
  }
  const window = windows[standing.reason.window];
  const isOpen = window !== undefined && window.observedAt > standing.since &&
    window.status !== "rejected" && window.utilization !== null &&
    window.utilization < SURELY_OPEN;
  return isOpen ? { kind: "probation", since: at, isThrottle: false } : bench;
}

/** Applies `change` to every account except `spared`. */
export function withOthers(
  pool: PoolState,
  spared: AccountId,
  change: (state: AccountState) => AccountState,
): PoolState {
  const accounts = new Map<AccountId, AccountState>();
  for (const [id, state] of pool.accounts) {
    accounts.set(id, id === spared ? state : change(state));
  }
  return { ...pool, accounts };
}

/**
 * Returns the requests that the account has in flight, on all machines of the
 * pool: the provider counts them together.
 */
export function inFlightOf(
  { leases, elsewhere }: Pick<AccountState, "leases" | "elsewhere">,
): number {
  return leases + elsewhere;
}

/** Returns `state` admitting new work in steps from `at` on. */
export function ramped(state: AccountState, at: Instant): AccountState {
  return {
    ...state,
    gate: { ...state.gate, ramp: { since: at, base: inFlightOf(state) } },
  };
}

/**
 * How the pool changes when a request starts and when it ends.
 *
 * @module
 */

import type { AccountId } from "../account.ts";
import type { PoolEvent } from "./event.ts";
import type { RouteFacts } from "../facts.ts";
import { inFlightOf, withAccount } from "./fold_account.ts";
import { benchAt } from "../quota/bench.ts";
import { bookTokens, BURN_BUCKET_MS, burnBucketAt } from "../quota/learn.ts";
import { loadAt, started } from "./lease.ts";
import { rampOf } from "./reopening.ts";
import { limitsOf } from "../quota/limits.ts";
import { credited } from "../quota/retry.ts";
import { isPaidFor, reserved, settled } from "../quota/spending.ts";
import { bind, measured, sharedKey, touch } from "./session.ts";
import type {
  AccountState,
  BurnBucket,
  OpenLease,
  Part,
  PoolState,
} from "./state.ts";
import { sweep } from "./sweep.ts";
import { HOUR_MS, type Instant } from "../time.ts";
import { quotaTokens, type TokenUsage } from "../usage.ts";

type LeaseOpened = Extract<PoolEvent, { readonly kind: "lease_opened" }>;
type CountedElsewhere = Extract<
  PoolEvent,
  { readonly kind: "counted_elsewhere" }
>;
type LeaseClosed = Extract<PoolEvent, { readonly kind: "lease_closed" }>;

const BURN_KEPT_MS = 5 * HOUR_MS;
const ACTIVE_HOURS_KEPT = 14 * 24;

export function openLease(before: PoolState, event: LeaseOpened): PoolState {
  const { leaseId, accountId, query, at } = event;
  const account = before.accounts.get(accountId);
  if (account === undefined || before.leases.has(leaseId)) return before;
  const pool = sweep(before, at);
  const state = pool.accounts.get(accountId) ?? account;
  const isProbe = isClosed(state, query, at);
  if (!query.isMetered) return openUnmetered(pool, state, event);
  const gate = { ...state.gate, ramp: rampOf(state, at) };
  const opened = withAccount(pool, {
    ...state,
    leases: state.leases + 1,
    trial: isAfterThrottle(state, at) ? leaseId : state.trial,
    gate: started(gate, at),
    lastUsedAt: at,
    lastProbedAt: isProbe ? at : state.lastProbedAt,
  });
  const lease: OpenLease = {
    id: leaseId,
    accountId,
    facts: query,
    openedAt: at,
    load: loadAt(state.gate, at, inFlightOf(state)),
    readsShared: readsShared(pool, state, event),
    isProbe,
    reservedNano: reservedFor(state, query, at),
  };
  return {
    ...opened,
    paid: reserved(opened.paid, accountId, lease.reservedNano),
    leases: opened.leases.with(leaseId, lease),
    parked: query.conversation === null
      ? opened.parked
      : opened.parked.without(query.conversation),
    lastProbedAt: isProbe ? at : opened.lastProbedAt,
    retries: credited(opened.retries, at, opened.settings),
    ...boundBy(opened, event),
    ...promptedBy(opened, query, at),
  };
}

function readsShared(
  { bindings }: PoolState,
  { sharedUntil }: AccountState,
  { query, at }: LeaseOpened,
): boolean {
  const { conversation, parent, isSide } = query;
  return conversation !== null && parent !== null && !isSide &&
    !bindings.has(conversation) && (sharedUntil[sharedKey(query)] ?? 0) > at;
}

/** Returns what the request may cost at most, if it is paid for. */
function reservedFor(
  state: AccountState,
  query: RouteFacts,
  at: Instant,
): number {
  const { kind } = limitsOf(state, query.families, at).spent;
  return isPaidFor(state, kind === "paid") ? query.costNanoMax ?? 0 : 0;
}

/**
 * A request that uses no quota opens no window, counts as no trial, and binds
 * no conversation.
 */
function openUnmetered(
  pool: PoolState,
  state: AccountState,
  { leaseId, accountId, query, at }: LeaseOpened,
): PoolState {
  const opened = withAccount(pool, { ...state, leases: state.leases + 1 });
  const lease: OpenLease = {
    id: leaseId,
    accountId,
    facts: query,
    openedAt: at,
    load: loadAt(state.gate, at, inFlightOf(state)),
    readsShared: false,
    isProbe: false,
    reservedNano: 0,
  };
  return { ...opened, leases: opened.leases.with(leaseId, lease) };
}

/**
 * Whether a throttle of the account has ended and no request was served since.
 */
function isAfterThrottle({ bench }: AccountState, at: Instant): boolean {
  const standing = benchAt(bench, at);
  return standing.kind === "probation" && standing.isThrottle;
}

/**
 * Whether the account was closed to the request that now opens a lease on it.
 */
function isClosed(
  state: AccountState,
  query: RouteFacts,
  at: Instant,
): boolean {
  if (benchAt(state.bench, at).kind === "benched") return true;
  const isFamilyBenched = query.families.some((family) => {
    const bench = state.familyBenches.get(family);
    return bench !== undefined && benchAt(bench, at).kind === "benched";
  });
  return isFamilyBenched ||
    limitsOf(state, query.families, at).spent.kind === "spent";
}

function boundBy(
  pool: PoolState,
  { accountId, query, at }: LeaseOpened,
): Partial<PoolState> {
  const { conversation } = query;
  if (conversation === null || query.isSide) return {};
  const known = pool.bindings.get(conversation);
  if (known === undefined) {
    return {
      bindings: pool.bindings.with(
        conversation,
        bind({ ...query, conversation }, accountId, at),
      ),
      primary: query.parent === null ? accountId : pool.primary,
    };
  }
  const left = pool.accounts.get(known.accountId);
  const isBurned = left !== undefined && isClosed(left, query, at);
  const isFree = query.parent === null &&
    (query.isPrompt || known.accountId !== accountId);
  return {
    bindings: pool.bindings.with(
      conversation,
      touch(known, query, { accountId, at, isBurned }),
    ),
    primary: isFree ? accountId : pool.primary,
  };
}

function promptedBy(
  pool: PoolState,
  query: RouteFacts,
  at: Instant,
): Partial<PoolState> {
  if (!query.isPrompt) return {};
  const hour = Math.floor(at / HOUR_MS);
  const last = pool.activeHours.at(-1);
  if (last !== undefined && last >= hour) return { lastPromptAt: at };
  const kept = pool.activeHours.filter((h) => h > hour - ACTIVE_HOURS_KEPT);
  return { lastPromptAt: at, activeHours: [...kept, hour] };
}

export function closeLease(pool: PoolState, event: LeaseClosed): PoolState {
  const { leaseId, usage, paid, at } = event;
  const lease = pool.leases.get(leaseId);
  if (lease === undefined) return pool;
  const freedBook = reserved(pool.paid, lease.accountId, -lease.reservedNano);
  const closed = {
    ...pool,
    leases: pool.leases.without(leaseId),
    paid: paid === undefined || paid === null
      ? freedBook
      : settled(freedBook, lease.accountId, paid),
  };
  const state = pool.accounts.get(lease.accountId);
  if (state === undefined) return closed;
  const freed = {
    ...state,
    leases: Math.max(0, state.leases - 1),
    trial: state.trial === leaseId ? null : state.trial,
  };
  if (usage === null) return withAccount(closed, freed);
  return booked(closed, freed, { lease, usage, at });
}

function booked(
  pool: PoolState,
  state: AccountState,
  { lease, usage, at }: {
    readonly lease: OpenLease;
    readonly usage: TokenUsage;
    readonly at: Instant;
  },
): PoolState {
  const family = lease.facts.families[0] ?? null;
  const tokens = quotaTokens(usage, family, pool.settings.cacheReadWeight);
  const next = withAccount(pool, {
    ...state,
    burn: burnt(state.burn, tokens, at),
    booked: state.booked + tokens,
    learned: bookTokens(state.learned, tokens),
  });
  const { conversation, isSide } = lease.facts;
  const binding = conversation === null || isSide
    ? undefined
    : pool.bindings.get(conversation);
  const isHome = binding !== undefined && binding.accountId === lease.accountId;
  return {
    ...next,
    flow: {
      ...pool.flow,
      tokensSince: pool.flow.tokensSince + tokens,
      sharedMisses: lease.readsShared
        ? usage.cacheRead > 0 ? 0 : pool.flow.sharedMisses + 1
        : pool.flow.sharedMisses,
    },
    bindings: isHome
      ? pool.bindings.with(binding.conversation, measured(binding, usage))
      : pool.bindings,
  };
}

/**
 * Notes what other machines do. An account that is not named has no request and
 * no conversation of theirs. Their tokens count as evidence of the account's
 * size, because its figures rise with all of them.
 */
export function countElsewhere(
  pool: PoolState,
  { accounts, stalled, at }: CountedElsewhere,
): PoolState {
  let states: Map<AccountId, AccountState> | null = null;
  for (const [id, state] of pool.accounts) {
    const { inFlight = 0, tokens = 0, part = null } = accounts.get(id) ?? {};
    const isSame = inFlight === state.elsewhere && tokens === 0 &&
      isSamePart(part, state.part);
    if (isSame) continue;
    states ??= new Map(pool.accounts);
    states.set(id, {
      ...state,
      elsewhere: inFlight,
      part,
      burn: tokens === 0 ? state.burn : burnt(state.burn, tokens, at),
      learned: bookTokens(state.learned, tokens),
    });
  }
  // A new object would be saved and shown anew at each beat.
  if (
    states === null && isSameElsewhere(pool.elsewhere, { accounts, stalled })
  ) {
    return pool;
  }
  return {
    ...pool,
    accounts: states ?? pool.accounts,
    elsewhere: { accounts, stalled },
  };
}

function isSamePart(one: Part | null, other: Part | null): boolean {
  return one?.told === other?.told && one?.place === other?.place &&
    one?.machines === other?.machines;
}

function isSameElsewhere(
  one: PoolState["elsewhere"],
  other: PoolState["elsewhere"],
): boolean {
  if (one.stalled !== other.stalled) return false;
  if (one.accounts.size !== other.accounts.size) return false;
  for (const [id, { active, warm }] of other.accounts) {
    const known = one.accounts.get(id);
    if (known?.active !== active || known.warm !== warm) return false;
  }
  return true;
}

function burnt(
  burn: readonly BurnBucket[],
  tokens: number,
  at: Instant,
): readonly BurnBucket[] {
  const bucket = burnBucketAt(at);
  const last = burn.at(-1);
  if (last !== undefined && last.at >= bucket) {
    return burn.with(-1, { at: last.at, tokens: last.tokens + tokens });
  }
  const kept = burn.filter((b) => b.at + BURN_BUCKET_MS > at - BURN_KEPT_MS);
  return [...kept, { at: bucket, tokens }];
}

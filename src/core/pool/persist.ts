/**
 * The part of the pool that survives a restart, as plain JSON. It is a memory,
 * not a verdict: nothing in it can refuse a request by itself.
 *
 * @module
 */

import type { AccountId } from "../account.ts";
import { lackKey, type Refusal } from "../quota/entitlement.ts";
import type { LearnedCapacity } from "../quota/learn.ts";
import { withOwner } from "./owned_ids.ts";
import type { Overage, QuotaWindow, QuotaWindows } from "../quota/quota.ts";
import type { Binding } from "./session.ts";
import type { AccountState, BurnBucket, PoolState } from "./state.ts";
import { Table } from "./table.ts";
import { after, type Instant } from "../time.ts";

export const PERSISTED_VERSION = 1;

interface PersistedAccount {
  readonly id: AccountId;
  readonly windows: readonly QuotaWindow[];
  readonly overage: Overage | null;
  readonly learned: LearnedCapacity;
  readonly burn: readonly BurnBucket[];
  readonly cap: number;
  readonly lastThrottledAt: Instant | null;
  readonly lastUsedAt: Instant | null;
  readonly sharedUntil: Readonly<Record<string, Instant>>;
  /** Absent in files of versions that did not know it. */
  readonly refusals?: readonly Refusal[];
}

export interface PersistedPool {
  readonly version: typeof PERSISTED_VERSION;
  readonly pin: AccountId | null;
  readonly primary: AccountId | null;
  readonly tokensPerHour: number;
  readonly lifeMs: number;
  readonly activeHours: readonly number[];
  readonly lastPromptAt: Instant | null;
  readonly accounts: readonly PersistedAccount[];
  /**
   * Ids of files, batches and the like with their accounts. Absent in files of
   * older versions.
   */
  readonly owned?: readonly (readonly [
    id: string,
    accountId: AccountId,
    at: Instant,
  ])[];
  /** Conversations whose cache may still be warm. */
  readonly bindings: readonly Binding[];
}

/** Returns the part of `state` that is worth keeping at `now`. */
export function persisted(state: PoolState, now: Instant): PersistedPool {
  const bindings: Binding[] = [];
  state.bindings.forEach((binding) => {
    if (mayBeWarm(binding, now)) bindings.push(binding);
  });
  return {
    version: PERSISTED_VERSION,
    pin: state.pin,
    primary: state.primary,
    tokensPerHour: state.flow.tokensPerHour,
    lifeMs: state.flow.lifeMs,
    activeHours: state.activeHours,
    lastPromptAt: state.lastPromptAt,
    accounts: [...state.accounts.values()].map(persistedAccount),
    owned: ownedOf(state),
    bindings,
  };
}

function ownedOf({ owned }: PoolState): NonNullable<PersistedPool["owned"]> {
  const kept: (readonly [string, AccountId, Instant])[] = [];
  owned.forEach(({ accountId, at }, id) => {
    if (accountId !== null) kept.push([id, accountId, at]);
  });
  return kept;
}

function mayBeWarm(binding: Binding, now: Instant): boolean {
  return binding.warmUntil > now ||
    binding.elsewhere.some((prefix) => prefix.warmUntil > now);
}

function persistedAccount(state: AccountState): PersistedAccount {
  return {
    id: state.account.id,
    windows: Object.values(state.windows),
    overage: state.overage,
    learned: state.learned,
    burn: state.burn,
    cap: state.gate.cap,
    lastThrottledAt: state.gate.lastThrottledAt,
    lastUsedAt: state.lastUsedAt,
    sharedUntil: state.sharedUntil,
    refusals: [...state.refusals.values()],
  };
}

/**
 * Returns `state` with the memory of an earlier run added. Accounts must
 * already be there: memories of other accounts are dropped. Newer knowledge
 * wins.
 */
export function restore(
  state: PoolState,
  memory: PersistedPool,
  now: Instant,
): PoolState {
  const accounts = new Map(state.accounts);
  for (const known of memory.accounts) {
    const account = accounts.get(known.id);
    if (account === undefined) continue;
    accounts.set(known.id, restoredAccount(account, known, now));
  }
  const isKnown = (id: AccountId | null) => id !== null && accounts.has(id);
  return {
    ...state,
    accounts,
    bindings: restoredBindings(state, memory, now),
    owned: restoredOwned(state, memory, isKnown),
    pin: state.pin ?? (isKnown(memory.pin) ? memory.pin : null),
    primary: state.primary ?? (isKnown(memory.primary) ? memory.primary : null),
    flow: {
      ...state.flow,
      tokensPerHour: memory.tokensPerHour,
      lifeMs: memory.lifeMs,
    },
    activeHours: state.activeHours.length > 0
      ? state.activeHours
      : memory.activeHours,
    lastPromptAt: state.lastPromptAt ?? past(memory.lastPromptAt, now),
  };
}

function restoredOwned(
  { owned }: PoolState,
  memory: PersistedPool,
  isKnown: (id: AccountId) => boolean,
): PoolState["owned"] {
  let restored = owned;
  for (const [id, accountId, at] of memory.owned ?? []) {
    if (!isKnown(accountId) || restored.has(id)) continue;
    restored = withOwner(restored, id, { accountId, at });
  }
  return restored;
}

/**
 * If the clock was set back, a remembered instant must not look newer than the
 * present.
 */
function past(instant: Instant | null, now: Instant): Instant | null {
  return instant !== null && instant > now ? now : instant;
}

function restoredAccount(
  state: AccountState,
  known: PersistedAccount,
  now: Instant,
): AccountState {
  return {
    ...state,
    windows: { ...remembered(known.windows, now), ...state.windows },
    overage: state.overage ?? known.overage,
    learned: known.learned,
    burn: state.burn.length > 0 ? state.burn : known.burn,
    gate: {
      ...state.gate,
      cap: Math.max(known.cap, state.gate.cap),
      lastThrottledAt: past(known.lastThrottledAt, now),
    },
    sharedUntil: { ...known.sharedUntil, ...state.sharedUntil },
    refusals: new Map([
      ...(known.refusals ?? []).filter(({ until }) => until > now)
        .map((refusal) => [lackKey(refusal.lack), refusal] as const),
      ...state.refusals,
    ]),
    lastUsedAt: state.lastUsedAt ?? past(known.lastUsedAt, now),
    restoredAt: now,
  };
}

function remembered(
  windows: readonly QuotaWindow[],
  now: Instant,
): QuotaWindows {
  const before = after(now, -1);
  return Object.fromEntries(windows.map((window) => [
    window.key,
    {
      ...window,
      observedAt: window.observedAt > before ? before : window.observedAt,
    },
  ]));
}

function restoredBindings(
  { accounts, bindings }: PoolState,
  memory: PersistedPool,
  now: Instant,
): PoolState["bindings"] {
  const kept = memory.bindings
    .filter((binding) =>
      accounts.has(binding.accountId) && mayBeWarm(binding, now)
    )
    .map((binding): Binding => ({
      ...binding,
      lastUsedAt: past(binding.lastUsedAt, now) ?? now,
      elsewhere: binding.elsewhere.filter((p) => accounts.has(p.accountId)),
      burned: binding.burned.filter((id) => accounts.has(id)),
    }));
  let restored = Table.of(kept.map((b) => [b.conversation, b] as const));
  bindings.forEach((binding, id) => {
    restored = restored.with(id, binding);
  });
  return restored;
}

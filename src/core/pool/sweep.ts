/**
 * What time alone changes, done when the next request starts: forgotten
 * conversations are removed, and the pool's pace is measured.
 *
 * @module
 */

import type { AccountId, ConversationId } from "../account.ts";
import type { Binding } from "./session.ts";
import type { AccountState, Flow, OpenLease, PoolState } from "./state.ts";
import type { Table } from "./table.ts";
import { DAY_MS, HOUR_MS, type Instant, MINUTE_MS } from "../time.ts";

const SWEEP_MS = MINUTE_MS;

/** A conversation seen within this time counts as active. */
export const ACTIVE_MS = 10 * MINUTE_MS;

/**
 * Time constant of the pace that prices look ahead with; a slow change keeps
 * them steady.
 */
const FLOW_FADE_MS = 20 * MINUTE_MS;
const LIFE_FADE = 0.1;
const LIFE_MIN_MS = 0.1 * HOUR_MS;
const LIFE_MAX_MS = 5 * HOUR_MS;

/** A lease older than this was lost: no answer takes this long. */
const LEASE_MAX_MS = 2 * HOUR_MS;
const WAITING_MAX_MS = DAY_MS;

/** The assumed pace of the pool before anything was measured. */
export const START_FLOW: Flow = {
  tokensPerHour: 1_200_000,
  lifeMs: 2 * HOUR_MS,
  tokensSince: 0,
  measuredAt: null,
  sharedMisses: 0,
};

/** Returns the pool at `at`, swept if the last sweep was a minute ago. */
export function sweep(pool: PoolState, at: Instant): PoolState {
  const { sweptAt } = pool;
  if (sweptAt !== null && at - sweptAt < SWEEP_MS && at >= sweptAt) return pool;
  const { kept, gone } = forget(pool, at);
  const leases = pool.leases.filter((l) => at - l.openedAt < LEASE_MAX_MS);
  return {
    ...pool,
    bindings: kept,
    flow: measure(pool, { gone, at }),
    accounts: leases === pool.leases
      ? pool.accounts
      : recounted(pool.accounts, leases),
    leases,
    waiting: pool.waiting.filter((w) => at - w.since < WAITING_MAX_MS),
    parked: pool.parked.filter((p) => at - p.turnAt < WAITING_MAX_MS),
    sweptAt: at,
  };
}

interface Forgotten {
  readonly kept: Table<ConversationId, Binding>;
  readonly gone: readonly Binding[];
}

function forget(pool: PoolState, at: Instant): Forgotten {
  const { bindingIdleMs, bindingsMax } = pool.settings;
  const gone: Binding[] = [];
  const held = new Set<ConversationId | null>();
  pool.waiting.forEach(({ facts }) => held.add(facts.conversation));
  let kept = pool.bindings.filter((binding) => {
    const isIdle = at - binding.lastUsedAt > bindingIdleMs &&
      binding.warmUntil <= at && !held.has(binding.conversation);
    if (isIdle) gone.push(binding);
    return !isIdle;
  });
  if (kept.size > bindingsMax) {
    const oldest = [...kept.values()]
      .sort((a, b) => a.lastUsedAt - b.lastUsedAt)
      .slice(0, kept.size - bindingsMax);
    for (const binding of oldest) kept = kept.without(binding.conversation);
    gone.push(...oldest);
  }
  return { kept, gone };
}

function measure(
  { flow, bindings }: PoolState,
  { gone, at }: { readonly gone: readonly Binding[]; readonly at: Instant },
): Flow {
  let lifeMs = flow.lifeMs;
  for (const { firstSeenAt, lastUsedAt } of gone) {
    const life = Math.max(
      LIFE_MIN_MS,
      Math.min(LIFE_MAX_MS, lastUsedAt - firstSeenAt),
    );
    // Weight by length: sampling active conversations favours long ones.
    lifeMs += LIFE_FADE * Math.min(1, life / lifeMs) * (life - lifeMs);
  }
  if (flow.measuredAt === null) return { ...flow, lifeMs, measuredAt: at };
  const spanMs = at - flow.measuredAt;
  let active = 0;
  bindings.forEach((binding) => {
    if (at - binding.lastUsedAt <= ACTIVE_MS) active++;
  });
  if (spanMs <= 0 || active === 0 || flow.tokensSince === 0) {
    return { ...flow, lifeMs, tokensSince: 0, measuredAt: at };
  }
  const seen = flow.tokensSince / active / (spanMs / HOUR_MS);
  // Idle time must not lower the rate, so a gap counts as one minute.
  const share = 1 - Math.exp(-Math.min(spanMs, ACTIVE_MS) / FLOW_FADE_MS);
  return {
    ...flow,
    tokensPerHour: flow.tokensPerHour + share * (seen - flow.tokensPerHour),
    lifeMs,
    tokensSince: 0,
    measuredAt: at,
  };
}

function recounted(
  accounts: ReadonlyMap<AccountId, AccountState>,
  leases: ReadonlyMap<string, OpenLease>,
): ReadonlyMap<AccountId, AccountState> {
  const counts = new Map<AccountId, number>();
  leases.forEach(({ accountId }) => {
    counts.set(accountId, (counts.get(accountId) ?? 0) + 1);
  });
  const next = new Map<AccountId, AccountState>();
  for (const [id, state] of accounts) {
    next.set(id, { ...state, leases: counts.get(id) ?? 0 });
  }
  return next;
}

/**
 * Corrects the pool after the clock was set back. Every instant that tc dated
 * itself moves with the clock; otherwise our own waits would last too long, and
 * new observations would look older than previous ones. Window resets stay,
 * because the provider dated them.
 *
 * @module
 */

import type { Bench } from "../quota/bench.ts";
import type { ConcurrencyGate, LearnedLimit } from "./lease.ts";
import type { Binding } from "./session.ts";
import type { AccountState, CredentialState, PoolState } from "./state.ts";
import { Table } from "./table.ts";
import { after, type Instant } from "../time.ts";

type Move = (at: Instant) => Instant;

/** Returns the pool with every instant of its own moved back by `byMs`. */
export function setBack(pool: PoolState, byMs: number): PoolState {
  const move: Move = (at) => after(at, -byMs);
  return {
    ...pool,
    accounts: new Map(
      [...pool.accounts].map(([id, state]) => [id, movedAccount(state, move)]),
    ),
    bindings: mapped(pool.bindings, (binding) => movedBinding(binding, move)),
    leases: mapped(pool.leases, (lease) => ({
      ...lease,
      openedAt: move(lease.openedAt),
    })),
    waiting: mapped(pool.waiting, (waiting) => ({
      ...waiting,
      since: move(waiting.since),
      reasonSince: move(waiting.reasonSince),
    })),
    owned: mapped(pool.owned, (owned) => ({ ...owned, at: move(owned.at) })),
    parked: mapped(pool.parked, ({ since, turnAt }) => ({
      since: move(since),
      turnAt: move(turnAt),
    })),
    flow: { ...pool.flow, measuredAt: orNull(pool.flow.measuredAt, move) },
    retries: { ...pool.retries, at: orNull(pool.retries.at, move) },
    lastProbedAt: orNull(pool.lastProbedAt, move),
    lastPromptAt: orNull(pool.lastPromptAt, move),
    sweptAt: orNull(pool.sweptAt, move),
  };
}

function orNull(at: Instant | null, move: Move): Instant | null {
  return at === null ? null : move(at);
}

function mapped<K extends string, V>(
  table: Table<K, V>,
  change: (value: V) => V,
): Table<K, V> {
  return Table.of(
    [...table].map(([key, value]) => [key, change(value)] as const),
  );
}

function movedAccount(state: AccountState, move: Move): AccountState {
  return {
    ...state,
    credential: movedCredential(state.credential, move),
    windows: Object.fromEntries(
      Object.entries(state.windows).map(([key, window]) => [
        key,
        { ...window, observedAt: move(window.observedAt) },
      ]),
    ),
    bench: movedBench(state.bench, move),
    familyBenches: new Map(
      [...state.familyBenches].map(([family, bench]) => [
        family,
        movedBench(bench, move),
      ]),
    ),
    refusals: new Map(
      [...state.refusals].map(([key, refusal]) => [
        key,
        { ...refusal, since: move(refusal.since), until: move(refusal.until) },
      ]),
    ),
    gate: movedGate(state.gate, move),
    burn: state.burn.map((bucket) => ({ ...bucket, at: move(bucket.at) })),
    sharedUntil: Object.fromEntries(
      Object.entries(state.sharedUntil).map(([key, at]) => [key, move(at)]),
    ),
    lastUsedAt: orNull(state.lastUsedAt, move),
    lastProbedAt: orNull(state.lastProbedAt, move),
    restoredAt: orNull(state.restoredAt, move),
  };
}

function movedCredential(state: CredentialState, move: Move): CredentialState {
  switch (state.kind) {
    case "ready":
      return state;
    case "needs_login":
      return { ...state, since: move(state.since) };
    case "quarantined":
      return { ...state, until: move(state.until) };
  }
}

function movedBench(bench: Bench, move: Move): Bench {
  switch (bench.kind) {
    case "available":
      return bench;
    case "benched":
      return { ...bench, since: move(bench.since), until: move(bench.until) };
    case "probation":
      return { ...bench, since: move(bench.since) };
  }
}

function movedGate(gate: ConcurrencyGate, move: Move): ConcurrencyGate {
  const { starts, served, lastThrottledAt, ramp } = gate;
  return {
    ...gate,
    inFlight: movedLimit(gate.inFlight, move),
    perMinute: movedLimit(gate.perMinute, move),
    served: served === null ? null : { ...served, since: move(served.since) },
    starts: starts.map(move),
    lastThrottledAt: orNull(lastThrottledAt, move),
    ramp: ramp === null ? null : { ...ramp, since: move(ramp.since) },
  };
}

function movedLimit(
  limit: LearnedLimit | null,
  move: Move,
): LearnedLimit | null {
  return limit === null ? null : {
    ...limit,
    since: move(limit.since),
    refusedAt: move(limit.refusedAt),
  };
}

function movedBinding(binding: Binding, move: Move): Binding {
  return {
    ...binding,
    boundAt: move(binding.boundAt),
    firstSeenAt: move(binding.firstSeenAt),
    lastUsedAt: move(binding.lastUsedAt),
    warmUntil: move(binding.warmUntil),
    elsewhere: binding.elsewhere.map((prefix) => ({
      ...prefix,
      warmUntil: move(prefix.warmUntil),
    })),
  };
}

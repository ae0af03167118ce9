/**
 * How the pool changes when an answer was judged.
 *
 * @module
 */

import type { ModelFamily } from "../account.ts";
import {
  AVAILABLE,
  type Bench,
  benchAt,
  benched,
  disproved,
} from "../quota/bench.ts";
import type { PoolEvent } from "./event.ts";
import { inFlightOf, ramped, withAccount, withOthers } from "./fold_account.ts";
import { answered, loadAt, throttled } from "./lease.ts";
import { layersOf } from "../settings.ts";
import { withoutDisproved, withRefusal } from "../quota/entitlement.ts";
import {
  concerns,
  endsAt,
  isRunning,
  isSpent,
  type QuotaWindow,
  type QuotaWindows,
} from "../quota/quota.ts";
import { sharedKey, warmed } from "./session.ts";
import type { AccountState, OpenLease, PoolState } from "./state.ts";
import { after, type Instant, later, MINUTE_MS, SECOND_MS } from "../time.ts";
import type { CapacityVerdict } from "../quota/verdict.ts";

type VerdictGiven = Extract<PoolEvent, { readonly kind: "verdict_given" }>;
type RefusedElsewhere = Extract<
  PoolEvent,
  { readonly kind: "refused_elsewhere" }
>;

/** Quarantine after a refusal of the credential that may be temporary. */
const QUARANTINE_MS = 5 * MINUTE_MS;

/**
 * Pause after a backend fails. A backend has its own origin, so its failures
 * say nothing about the provider.
 */
const BACKEND_PAUSE_MS = 30 * SECOND_MS;

/**
 * One answer with its account, the time of the request, and the time of the
 * answer.
 */
interface Answer {
  readonly lease: OpenLease;
  readonly at: Instant;
}

export function giveVerdict(pool: PoolState, event: VerdictGiven): PoolState {
  const lease = pool.leases.get(event.leaseId);
  if (lease === undefined) return pool;
  const state = pool.accounts.get(lease.accountId);
  if (state === undefined) return pool;
  const answer: Answer = { lease, at: event.at };
  if (!lease.facts.isMetered) {
    return ofLookUp(pool, state, event.verdict, answer);
  }
  return event.verdict.kind === "served"
    ? served(pool, state, answer)
    : unbound(
      refused(pool, state, { ...answer, verdict: event.verdict }),
      answer,
    );
}

/**
 * An answer about a path says nothing about the account's login or quota. It
 * only shows which paths the account may use.
 */
function ofLookUp(
  pool: PoolState,
  state: AccountState,
  verdict: CapacityVerdict,
  { lease, at }: Answer,
): PoolState {
  if (verdict.kind === "not_entitled") {
    const { lack, said } = verdict;
    const refusals = withRefusal(state.refusals, lack, { at, said });
    return withAccount(pool, { ...state, refusals });
  }
  if (verdict.kind !== "served") return pool;
  const refusals = withoutDisproved(state.refusals, lease.facts);
  return refusals === state.refusals
    ? pool
    : withAccount(pool, { ...state, refusals });
}

function served(
  pool: PoolState,
  state: AccountState,
  { lease, at }: Answer,
): PoolState {
  const { facts, openedAt, load } = lease;
  const isReturn = benchAt(state.bench, at).kind !== "available";
  const bench = disproved(state.bench, at, openedAt);
  const open: AccountState = {
    ...state,
    bench,
    familyBenches: disprovedFamilies(state, facts.families, { lease, at }),
    windows: disprovedWindows(state.windows, facts.families, openedAt),
    refusals: withoutDisproved(state.refusals, facts),
    gate: answered(state.gate, at, {
      inFlight: inFlightOf(state),
      load,
      startedAt: openedAt,
      max: pool.settings.concurrencyMax,
    }),
    sharedUntil: {
      ...state.sharedUntil,
      [sharedKey(facts)]: after(at, facts.cacheTtlMs),
    },
    credential: state.credential.kind === "quarantined"
      ? { kind: "ready" }
      : state.credential,
  };
  const isBack = isReturn && bench.kind === "available";
  const next = withAccount(pool, isBack ? ramped(open, at) : open);
  return {
    ...next,
    probesRefused: 0,
    bindings: warmedBinding(next, { lease, at }),
  };
}

function warmedBinding(
  pool: PoolState,
  { lease, at }: Answer,
): PoolState["bindings"] {
  const { conversation, isSide } = lease.facts;
  if (conversation === null || isSide) return pool.bindings;
  const binding = pool.bindings.get(conversation);
  if (binding === undefined || binding.accountId !== lease.accountId) {
    return pool.bindings;
  }
  return pool.bindings.with(conversation, warmed(binding, lease.facts, at));
}

function disprovedFamilies(
  state: AccountState,
  families: readonly ModelFamily[],
  { lease, at }: Answer,
): ReadonlyMap<ModelFamily, Bench> {
  if (state.familyBenches.size === 0) return state.familyBenches;
  const next = new Map(state.familyBenches);
  for (const family of families) {
    const bench = next.get(family);
    if (bench === undefined) continue;
    const left = disproved(bench, at, lease.openedAt);
    if (left.kind === "available") next.delete(family);
    else next.set(family, left);
  }
  return next;
}

/** A served request disproves any older "spent" reading of its window. */
function disprovedWindows(
  windows: QuotaWindows,
  families: readonly ModelFamily[],
  startedAt: Instant,
): QuotaWindows {
  let next: Record<string, QuotaWindow> | null = null;
  for (const key in windows) {
    const window = windows[key];
    if (window === undefined || window.observedAt >= startedAt) continue;
    if (!isSpent(window) || !concerns(window, families)) continue;
    next ??= { ...windows };
    next[key] = { ...window, status: null, utilization: null };
  }
  return next ?? windows;
}

function refused(
  pool: PoolState,
  state: AccountState,
  answer: Answer & { readonly verdict: CapacityVerdict },
): PoolState {
  const { verdict, at } = answer;
  switch (verdict.kind) {
    case "exhausted":
      return exhausted(pool, state, { ...answer, verdict });
    case "throttled":
      return withAccount(
        pool,
        throttledAccount(pool, state, {
          ...answer,
          verdict,
        }),
      );
    case "credential": {
      // An expired token is renewed first, and a 403 may concern this request
      // alone: the caller excludes the account by itself.
      const { fault } = verdict;
      if (fault === "expired" || fault === "forbidden") return pool;
      // The keeper of the credential has already reported why there is none.
      if (fault === "unavailable") return pool;
      if (fault === "no_inference") {
        const reason = "its login does not allow inference";
        const credential = { kind: "needs_login", since: at, reason } as const;
        return withAccount(pool, { ...state, credential });
      }
      const until = after(at, QUARANTINE_MS);
      const credential = {
        kind: "quarantined",
        fault,
        reason: null,
        until,
      } as const;
      return withAccount(pool, { ...state, credential });
    }
    case "failed":
    case "unreachable":
      if (state.account.kind !== "backend") return pool;
      return withAccount(pool, {
        ...state,
        bench: benched(state.bench, after(at, BACKEND_PAUSE_MS), {
          at,
          reason: { kind: "unreachable" },
        }),
      });
    case "not_entitled":
      return withAccount(pool, lacking(state, { ...answer, verdict }));
    case "served":
    case "overloaded":
    case "not_here":
    case "request_refused":
    case "request_throttled":
      return pool;
  }
}

/**
 * Records what the account may not do. Where paid usage is off and the plan is
 * spent, the account is closed until the plan's window refills.
 */
function lacking(
  state: AccountState,
  { verdict: { lack, said }, at }: Answer & {
    readonly verdict: Extract<
      CapacityVerdict,
      { readonly kind: "not_entitled" }
    >;
  },
): AccountState {
  const spent = lack.kind === "size" && lack.isPaid
    ? Object.values(state.windows).find((window) =>
      window.family === null && isSpent(window) && isRunning(window, at)
    )
    : undefined;
  if (spent === undefined) {
    return {
      ...state,
      refusals: withRefusal(state.refusals, lack, { at, said }),
    };
  }
  const reason = { kind: "exhausted", window: spent.key } as const;
  return {
    ...state,
    bench: benched(state.bench, endsAt(spent), { at, reason }),
    gate: { ...state.gate, isProven: false },
  };
}

/**
 * How much later the other machines try an account that one was refused on: it
 * tries first, and they hear of it.
 */
const AFTER_OTHERS_MS = 3 * SECOND_MS;

/**
 * Closes an account that another machine was refused on, and learns from it: the
 * provider counts the requests of all machines together.
 */
export function refuseElsewhere(
  pool: PoolState,
  { accountId, verdict, at }: RefusedElsewhere,
): PoolState {
  const state = pool.accounts.get(accountId);
  if (state === undefined) return pool;
  if (verdict.kind === "throttled") {
    const gate = throttled(state.gate, at, {
      // Its own count of requests in flight may hold the refused one already.
      load: loadAt(state.gate, at, inFlightOf(state) - 1),
      startedAt: at,
    });
    const reason = { kind: "throttled", streak: gate.streak } as const;
    const until = after(verdict.until, AFTER_OTHERS_MS);
    const bench = benched(state.bench, until, { at, reason });
    return withAccount(pool, { ...state, bench, gate });
  }
  const { window, family, until } = verdict;
  const cause = { at, reason: { kind: "exhausted", window } } as const;
  // Where it was closed already, the other machine has tried it for all.
  const tried = { ...state, lastProbedAt: later(state.lastProbedAt, at) };
  const next = { ...pool, lastProbedAt: later(pool.lastProbedAt, at) };
  return withAccount(
    next,
    family === null
      ? { ...tried, bench: benched(state.bench, until, cause) }
      : benchedFamily(tried, family, { ...cause, until }),
  );
}

/** Returns `state` with the bench of one model family until `until`. */
function benchedFamily(
  state: AccountState,
  family: ModelFamily,
  { until, ...cause }: Parameters<typeof benched>[2] & {
    readonly until: Instant;
  },
): AccountState {
  const familyBenches = new Map(state.familyBenches);
  const known = familyBenches.get(family) ?? AVAILABLE;
  familyBenches.set(family, benched(known, until, cause));
  return { ...state, familyBenches };
}

function exhausted(
  pool: PoolState,
  state: AccountState,
  { verdict, lease, at }: Answer & {
    readonly verdict: Extract<CapacityVerdict, { readonly kind: "exhausted" }>;
  },
): PoolState {
  const { window, family, until } = verdict;
  const probed = lease.isProbe
    ? { ...pool, probesRefused: pool.probesRefused + 1 }
    : pool;
  const cause = { at, reason: { kind: "exhausted", window } } as const;
  if (family !== null) {
    return withAccount(
      probed,
      benchedFamily(state, family, { ...cause, until }),
    );
  }
  const next = withAccount(probed, {
    ...state,
    bench: benched(state.bench, until, cause),
    gate: { ...state.gate, isProven: false },
  });
  // The account's conversations move now, so the other accounts admit them in
  // steps.
  return lease.isProbe
    ? next
    : withOthers(next, state.account.id, (other) => ramped(other, at));
}

function throttledAccount(
  pool: PoolState,
  state: AccountState,
  { verdict, lease, at }: Answer & {
    readonly verdict: Extract<CapacityVerdict, { readonly kind: "throttled" }>;
  },
): AccountState {
  const gate = throttled(state.gate, at, {
    load: lease.load,
    startedAt: lease.openedAt,
  });
  const isLadder = layersOf(pool.settings).throttleLadder &&
    !verdict.isStated;
  const laddered = isLadder
    ? after(at, ladderMs(pool, gate.streak, lease.id))
    : null;
  const longer = lease.id === state.trial ? pauseAfterTrial(state, at) : null;
  const until = later(later(verdict.until, laddered), longer) ?? verdict.until;
  return {
    ...state,
    gate,
    bench: benched(state.bench, until, {
      at,
      reason: { kind: "throttled", streak: gate.streak },
    }),
  };
}

/** Longest pause between refused trials, whatever the provider states. */
const TRIAL_PAUSE_MS_MAX = 30 * SECOND_MS;

/**
 * Returns when the next trial may be sent after one was throttled again: twice
 * the last pause. Without the doubling, a provider that says "one second" for
 * minutes would be asked every second.
 */
function pauseAfterTrial({ bench }: AccountState, at: Instant): Instant | null {
  if (bench.kind !== "benched") return null;
  const pauseMs = 2 * (bench.until - bench.since);
  return after(at, Math.min(TRIAL_PAUSE_MS_MAX, pauseMs));
}

/**
 * Returns a pause between the first rung and the rung of the streak, chosen by
 * the lease's id.
 */
function ladderMs(
  { settings }: PoolState,
  streak: number,
  seed: string,
): number {
  const { ladderStartMs, ladderFactor, ladderMaxMs } = settings;
  const rungMs = Math.min(
    ladderMaxMs,
    ladderStartMs * ladderFactor ** Math.max(0, streak - 1),
  );
  const firstMs = Math.min(ladderStartMs, rungMs);
  return Math.round(firstMs + share(seed) * (rungMs - firstMs));
}

/** Returns a number in [0, 1) that depends on `seed` alone. */
function share(seed: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < seed.length; index++) {
    hash = Math.imul(hash ^ seed.charCodeAt(index), 0x01000193);
  }
  return (hash >>> 0) / 2 ** 32;
}

/**
 * If the refused request created this binding, nothing was cached: the binding
 * goes.
 */
function unbound(pool: PoolState, { lease, at }: Answer): PoolState {
  const { conversation } = lease.facts;
  const binding = conversation === null
    ? undefined
    : pool.bindings.get(conversation);
  const isFresh = binding !== undefined &&
    binding.accountId === lease.accountId &&
    binding.boundAt === lease.openedAt && binding.warmUntil > at;
  return isFresh
    ? {
      ...pool,
      bindings: pool.bindings.with(binding.conversation, {
        ...binding,
        warmUntil: at,
      }),
    }
    : pool;
}

/**
 * The pool as one request sees it: each account with its figures, its bars and
 * its cache, and which accounts are candidates.
 *
 * @module
 */

import type { Account, AccountId } from "../account.ts";
import { type Census, census, NOBODY } from "../pool/headcount.ts";
import type { RouteQuery } from "../facts.ts";
import { type Bar, type BarContext, barOf } from "./eligible.ts";
import { type Layers, layersOf, type RouteSettings } from "../settings.ts";
import { used } from "../quota/limits.ts";
import type { QuotaWindow } from "../quota/quota.ts";
import {
  type Binding,
  cachedTokens,
  isCompacted,
  isWarm,
  sharedKey,
} from "../pool/session.ts";
import type { AccountState, Headcount, PoolSnapshot } from "../pool/state.ts";
import { type ProjectRoute, routeOf } from "./project_route.ts";
import { type Writing, writingShared } from "./siblings.ts";
import type { Instant } from "../time.ts";

/** How an account is paid for; a lower rank is used first. */
export type Rank = 0 | 1 | 2 | 3;

export interface View {
  readonly id: AccountId;
  readonly state: AccountState;
  readonly bar: Bar | null;
  readonly rank: Rank;
  /**
   * Its figures say spent, but the provider has not refused: the last choice.
   */
  readonly isDoubtful: boolean;
  /**
   * Whether its figures are at their end, and only a refusal will tell whether
   * it really is.
   */
  readonly isFull: boolean;
  readonly fiveHour: QuotaWindow | null;
  readonly week: QuotaWindow | null;
  /**
   * Utilization of both windows. An unknown one plans as 0 and is never shown
   * as 0.
   */
  readonly fiveHourUsed: number;
  readonly weekUsed: number;
  readonly heads: Headcount;
  /** Tokens of this request that it would read from its cache. */
  readonly cached: number;
  /**
   * Until when to wait here for another sub-agent that is just writing the
   * prompt that both share; null if nobody writes it.
   */
  readonly writesUntil: Instant | null;
}

export interface Scene {
  readonly snapshot: PoolSnapshot;
  readonly query: RouteQuery;
  readonly at: Instant;
  readonly settings: RouteSettings;
  /** The user's rule for the project of the request, or null. */
  readonly rule: ProjectRoute | null;
  readonly layers: Layers;
  readonly census: Census;
  readonly binding: Binding | null;
  /**
   * The binding of the conversation that this request belongs to, for a
   * sub-agent.
   */
  readonly parent: Binding | null;
  /** The warm conversation that this unknown one is a copy of, or null. */
  readonly kin: Binding | null;
  readonly isWarm: boolean;
  readonly isCompacted: boolean;
  /** Best estimate of the prompt size, in tokens. */
  readonly contextTokens: number;
  readonly views: readonly View[];
  /** The cheapest candidates that may serve now; gates are checked later. */
  readonly open: readonly View[];
  /** When the first blocked account becomes available; null if never. */
  readonly soonest: Instant | null;
}

/** Returns the pool as `query` sees it at the snapshot's instant. */
export function survey(snapshot: PoolSnapshot, query: RouteQuery): Scene {
  const { at, bindings } = snapshot;
  const rule = routeOf(snapshot.routes, query.project ?? null);
  const settings = settingsFor(snapshot, query, rule);
  const binding = query.conversation === null || query.isSide
    ? null
    : bindings.get(query.conversation) ?? null;
  const heads = census(snapshot);
  const views: View[] = [];
  const kin = query.kin === null || query.isSide
    ? null
    : bindings.get(query.kin.conversation) ?? null;
  const { paid } = snapshot;
  const writing = writingShared(snapshot, query, binding);
  const context = {
    query,
    settings,
    rule,
    paid,
    at,
    binding,
    kin,
    heads,
    writing,
  };
  snapshot.accounts.forEach((state) => views.push(viewOf(state, context)));
  const isFirstTry = query.excluded.size === 0;
  const { open, soonest } = inQuestion(views, { settings, at, isFirstTry });
  return {
    snapshot,
    query,
    at,
    settings,
    rule,
    layers: layersOf(settings),
    census: heads,
    binding,
    parent: parentOf(snapshot, query),
    kin: binding === null && kin !== null && isWarm(kin, query, at)
      ? kin
      : null,
    isWarm: binding !== null && isWarm(binding, query, at),
    isCompacted: binding !== null && isCompacted(binding, query),
    contextTokens: contextOf(query, binding),
    views,
    open,
    soonest,
  };
}

/** A query with its own policy gets the layers of that policy. */
function settingsFor(
  { settings }: PoolSnapshot,
  query: RouteQuery,
  rule: ProjectRoute | null,
): RouteSettings {
  const policy = query.policy ?? rule?.policy ?? null;
  return policy === null || policy === settings.policy
    ? settings
    : { ...settings, policy };
}

function parentOf(
  { bindings }: PoolSnapshot,
  query: RouteQuery,
): Binding | null {
  const near = query.isSide ? query.conversation : query.parent;
  return near === null ? null : bindings.get(near) ?? null;
}

function contextOf(query: RouteQuery, binding: Binding | null): number {
  if (binding === null || isCompacted(binding, query)) {
    return query.contextTokens;
  }
  return Math.max(query.contextTokens, binding.contextTokens);
}

function viewOf(
  state: AccountState,
  context: BarContext & {
    readonly binding: Binding | null;
    readonly kin: Binding | null;
    readonly heads: Census;
    readonly writing: Writing;
  },
): View {
  const { query, settings, at, binding, kin, heads, writing } = context;
  const { account } = state;
  const { bar, limits } = barOf(state, context);
  const place = { accountId: account.id, at };
  const own = binding !== null
    ? cachedTokens(binding, query, place)
    : kin === null
    ? 0
    : sharedWith(kin, query, cachedTokens(kin, query, place));
  const isShared = (state.sharedUntil[sharedKey(query)] ?? 0) > at;
  const writesUntil = isShared ? null : writing.get(account.id) ?? null;
  const shares = isShared || writesUntil !== null;
  return {
    id: account.id,
    state,
    bar,
    rank: rankOf(account, limits.spent.kind === "paid"),
    isDoubtful: limits.spent.kind === "doubtful",
    isFull: limits.spent.kind === "doubtful" && limits.spent.isFull,
    fiveHour: limits.fiveHour,
    week: limits.week,
    fiveHourUsed: used(limits.fiveHour),
    weekUsed: used(limits.week),
    heads: heads.byAccount.get(account.id) ?? NOBODY,
    cached: Math.max(own, shares ? settings.sharedPrefixTokens : 0),
    writesUntil,
  };
}

/** A copy finds the other conversation's cache up to where the two differ. */
function sharedWith(
  { estimatedTokens }: Binding,
  { kin }: RouteQuery,
  cached: number,
): number {
  const share = (kin?.tokens ?? 0) / Math.max(1, estimatedTokens);
  return cached * Math.min(1, share);
}

function rankOf({ kind }: Account, isPaid: boolean): Rank {
  switch (kind) {
    case "subscription":
    case "setup_token":
      return isPaid ? 1 : 0;
    case "api_key":
      return 2;
    case "backend":
      return 3;
  }
}

/**
 * Returns when the account is back. A refused right does not end by time: asked
 * again, it is most likely refused again.
 */
function endOf({ bar }: View): Instant | null {
  return bar === null || bar.reason === "not_entitled" ? null : bar.until;
}

/**
 * Returns the cheapest kind of account that may serve. A dearer kind is used
 * only if no cheaper one may serve soon; within a kind, doubtful accounts come
 * last.
 */
function inQuestion(
  views: readonly View[],
  { settings, at, isFirstTry }: {
    readonly settings: RouteSettings;
    readonly at: Instant;
    /**
     * Whether no account was excluded because it refused this request already.
     */
    readonly isFirstTry: boolean;
  },
): Pick<Scene, "open" | "soonest"> {
  let soonest: Instant | null = null;
  // The client is owed the provider's own refusal, from one account.
  const lastAsked = isFirstTry
    ? views.filter(({ bar }) => bar?.reason === "not_entitled")
    : [];
  for (const rank of [0, 1, 2, 3] as const) {
    const isSoon = soonest !== null && soonest - at <= settings.keyAfterMs;
    if (isSoon) break;
    const clear: View[] = [];
    const doubtful: View[] = [];
    for (const view of views) {
      if (view.rank !== rank) continue;
      if (view.bar === null) (view.isDoubtful ? doubtful : clear).push(view);
      else soonest = sooner(soonest, endOf(view));
    }
    if (clear.length > 0) return { open: clear, soonest };
    if (doubtful.length > 0) return { open: doubtful, soonest };
  }
  return { open: soonest === null ? lastAsked : [], soonest };
}

function sooner(a: Instant | null, b: Instant | null): Instant | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? a : b;
}

/**
 * Why a session is where it is, and where its next request would go: the
 * router's own answer, asked without any effect. Pure.
 *
 * @module
 */

import type { ConversationId } from "../core/account.ts";
import type { PoolSnapshot } from "../core/pool.ts";
import { type Considered, route, type RouteQuery } from "../core/route.ts";
import { type Binding, cachedTokens } from "../core/session.ts";
import { MINUTE_MS } from "../core/time.ts";
import { barText } from "../wire/bar_text.ts";
import type { ActivityView, TimeView } from "./protocol.ts";
import { timeView } from "./status_view.ts";

/** One account as the decision saw it. */
export interface ConsideredView {
  readonly account: string;
  readonly mayServe: boolean;
  /** Why not, in words; null where it may. */
  readonly reason: string | null;
  readonly until: TimeView | null;
  /** The policy's cost, lower is better; null where it was not scored. */
  readonly cost: number | null;
  /** The parts of the cost by name. */
  readonly terms: Readonly<Record<string, number>>;
  /** Prompt tokens that it would read from its cache. */
  readonly cachedTokens: number;
  readonly isChosen: boolean;
}

export interface ExplainView {
  readonly schema: "tc.explain/v1";
  readonly at: TimeView;
  /** Null asks for a session that nobody has seen. */
  readonly session: string | null;
  readonly policy: string;
  /** Where it is now; null before its first request. */
  readonly binding: {
    readonly account: string;
    readonly since: TimeView;
    readonly warmUntil: TimeView;
    readonly contextTokens: number;
    readonly requests: number;
  } | null;
  /** What would happen to its next request. */
  readonly decision: {
    readonly kind: "use" | "wait" | "refuse";
    readonly account: string | null;
    readonly reason: string;
    readonly until: TimeView | null;
  };
  readonly considered: readonly ConsideredView[];
  /** Its last requests, newest first. */
  readonly recent: readonly ActivityView[];
}

const SHORT_TTL_MS = 5 * MINUTE_MS;
const LONG_TTL_MS = 60 * MINUTE_MS;

/** The conversation whose id is `wanted` or begins with it; null if none. */
export function findBinding(
  { bindings }: PoolSnapshot,
  wanted: string,
): Binding | null {
  const exact = bindings.get(wanted as ConversationId);
  if (exact !== undefined) return exact;
  let found: Binding | null = null;
  bindings.forEach((binding) => {
    if (!binding.conversation.startsWith(wanted)) return;
    // The session itself before its sub-agents, the latest before the rest.
    const isBetter = found === null ||
      binding.conversation.length < found.conversation.length ||
      (binding.conversation.length === found.conversation.length &&
        binding.lastUsedAt > found.lastUsedAt);
    if (isBetter) found = binding;
  });
  return found;
}

/** What the router says of `session`'s next request at this instant. */
export function explainView(
  snapshot: PoolSnapshot,
  session: string | null,
  recent: readonly ActivityView[],
): ExplainView {
  const binding = session === null ? null : findBinding(snapshot, session);
  const query = queryOf(binding, session);
  const decision = route(snapshot, query);
  const chosen = decision.kind === "use" ? decision.accountId : null;
  const id = binding?.conversation ?? session;
  return {
    schema: "tc.explain/v1",
    at: timeView(snapshot.at),
    session: id,
    policy: snapshot.settings.policy,
    binding: binding === null ? null : {
      account: labelOf(snapshot, binding.accountId),
      since: timeView(binding.boundAt),
      warmUntil: timeView(binding.warmUntil),
      contextTokens: binding.contextTokens,
      requests: binding.requests,
    },
    decision: {
      kind: decision.kind,
      account: chosen === null ? null : labelOf(snapshot, chosen),
      reason: decision.reason,
      until: decision.kind === "wait" && decision.until !== null
        ? timeView(decision.until)
        : null,
    },
    considered: decision.considered.map((one) =>
      consideredView(snapshot, one, {
        isChosen: one.accountId === chosen,
        cached: binding === null ? 0 : cachedTokens(binding, query, {
          accountId: one.accountId,
          at: snapshot.at,
        }),
      })
    ),
    recent: recent.filter((entry) => entry.session === id?.split("/")[0])
      .slice(0, RECENT_MAX),
  };
}

const RECENT_MAX = 10;

function queryOf(binding: Binding | null, session: string | null): RouteQuery {
  const isLong = binding !== null &&
    binding.warmUntil - binding.lastUsedAt > SHORT_TTL_MS;
  return {
    conversation: binding?.conversation ?? session as ConversationId | null,
    parent: binding?.parent ?? null,
    families: binding === null || binding.family === null
      ? []
      : [binding.family],
    contextTokens: binding?.estimatedTokens ?? 0,
    cacheTtlMs: isLong ? LONG_TTL_MS : SHORT_TTL_MS,
    isCompacted: false,
    isSide: false,
    isPrompt: true,
    excluded: new Set(),
    only: null,
    waitedMs: 0,
    ticket: null,
  };
}

function labelOf({ accounts }: PoolSnapshot, id: Considered["accountId"]) {
  return accounts.get(id)?.account.label ?? id;
}

function consideredView(
  snapshot: PoolSnapshot,
  { accountId, ineligible, until, cost, terms }: Considered,
  { isChosen, cached }: {
    readonly isChosen: boolean;
    readonly cached: number;
  },
): ConsideredView {
  const state = snapshot.accounts.get(accountId);
  return {
    account: labelOf(snapshot, accountId),
    mayServe: ineligible === null,
    reason: ineligible === null
      ? null
      : state === undefined
      ? ineligible.replaceAll("_", " ")
      : barText(ineligible, state, snapshot.at),
    until: until === null ? null : timeView(until),
    cost,
    terms,
    cachedTokens: cached,
    isChosen,
  };
}

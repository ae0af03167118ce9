/**
 * Which profile a new session should start in: the pool's own policy over real
 * quota where it is known, and over the sessions that run now. Pure.
 *
 * @module
 */

import { ANY_REQUEST } from "../core/quota/capacity.ts";
import type {
  Account,
  AccountId,
  ConversationId,
  LeaseId,
} from "../core/account.ts";
import {
  emptyPool,
  type PoolState,
  reduce,
  snapshot,
} from "../core/pool/pool.ts";
import type { QuotaObservation } from "../core/quota/quota.ts";
import { route, type RouteQuery } from "../core/route/route.ts";
import type { RouteSettings } from "../core/settings.ts";
import { HOUR_MS, type Instant } from "../core/time.ts";

export interface PickFacts {
  readonly accounts: readonly Account[];
  /** What the usage endpoint says, of those that it could be had of. */
  readonly observations: readonly QuotaObservation[];
  /** The account of each session that runs. */
  readonly sessions: readonly AccountId[];
  readonly settings: RouteSettings;
  readonly at: Instant;
}

/** The account to launch with; null where there is none. */
export function pickAccount(facts: PickFacts): AccountId | null {
  const { accounts, observations, sessions, settings, at } = facts;
  let pool = emptyPool(settings);
  for (const account of accounts) {
    pool = reduce(pool, { kind: "account_put", account, at });
  }
  for (const observation of observations) {
    pool = reduce(pool, { kind: "quota_observed", observation });
  }
  sessions.forEach((accountId, index) => {
    pool = withSession(pool, { accountId, index, at });
  });
  const decision = route(snapshot(pool, at), query(null));
  if (decision.kind === "use") return decision.accountId;
  // All are closed: a person who launches wants one all the same.
  return fallback(facts);
}

function withSession(
  pool: PoolState,
  { accountId, index, at }: {
    readonly accountId: AccountId;
    readonly index: number;
    readonly at: Instant;
  },
): PoolState {
  const name = `session-${index}`;
  const leaseId = name as LeaseId;
  const opened = reduce(pool, {
    kind: "lease_opened",
    leaseId,
    accountId,
    query: query(name as ConversationId),
    at,
  });
  return reduce(opened, { kind: "lease_closed", leaseId, usage: null, at });
}

function fallback(
  { accounts, sessions, observations }: PickFacts,
): AccountId | null {
  const load = ({ id }: Account) =>
    sessions.filter((session) => session === id).length;
  const used = ({ id }: Account) =>
    Math.max(
      0,
      ...observations.filter(({ accountId }) => accountId === id)
        .flatMap(({ windows }) => windows)
        .filter(({ family }) => family === null)
        .map(({ utilization }) => utilization ?? 0),
    );
  const [best] = accounts.toSorted((a, b) =>
    a.priority - b.priority || used(a) - used(b) || load(a) - load(b)
  );
  return best?.id ?? null;
}

function query(conversation: ConversationId | null): RouteQuery {
  return { ...ANY_REQUEST, conversation, cacheTtlMs: HOUR_MS, isPrompt: true };
}

/**
 * Makes the control plane's views of requests and sessions from the proxy's
 * records.
 *
 * @module
 */

import type { AccountId, ConversationId } from "../../core/account.ts";
import { cacheWritten } from "../../core/usage.ts";
import type { PoolState } from "../../core/pool/pool.ts";
import type {
  ActivityView,
  RequestView,
  SessionView,
} from "../../control/protocol.ts";
import {
  errorMarkView,
  timeView,
  usageView,
} from "../../control/status_view.ts";
import type { RequestRecord } from "../../ports.ts";
import type { OpenRequest } from "../../proxy/proxy.ts";
import type { SessionTally } from "../../records/tally.ts";

/** Sessions in one view. */
const SESSIONS_SHOWN_MAX = 500;

function labelOf(id: AccountId | null, { accounts }: PoolState): string | null {
  return id === null ? null : accounts.get(id)?.account.label ?? id;
}

/** Returns the view of an open request, with its account's name. */
export function requestView(
  open: Readonly<OpenRequest>,
  state: PoolState,
): RequestView {
  const usage = open.usage?.() ?? null;
  return {
    id: open.id,
    session: open.session,
    agent: open.agent,
    model: open.model,
    project: open.project,
    account: labelOf(open.accountId, state),
    state: open.state,
    reason: open.reason,
    input: usage?.input ?? null,
    cacheRead: usage?.cacheRead ?? null,
    cacheWrite: usage === null ? null : cacheWritten(usage),
    since: timeView(open.startedAt),
  };
}

/**
 * Makes views once: a request that has ended, and a session that nobody used
 * since, look as they did a second ago, and a watcher asks every second.
 */
export class ViewBook {
  readonly #ended = new WeakMap<RequestRecord, ActivityView>();
  readonly #sessions = new WeakMap<SessionTally, SessionView>();

  /** Returns the views of finished requests, with their accounts' names. */
  ended(
    records: readonly RequestRecord[],
    state: PoolState,
  ): readonly ActivityView[] {
    return records.map((record) => {
      const known = this.#ended.get(record);
      // Of what it shows an account's name alone may change.
      if (
        known?.account === labelOf(record.accountId, state) &&
        known.movedFrom === labelOf(record.movedFrom, state)
      ) return known;
      const view = activityView(record, state);
      this.#ended.set(record, view);
      return view;
    });
  }

  /** Returns the sessions seen so far, each with its open requests. */
  sessions(
    sessions: readonly SessionTally[],
    open: readonly Readonly<OpenRequest>[],
    state: PoolState,
  ): readonly SessionView[] {
    const inHand = new Map<string, number>();
    for (const { session } of open) {
      if (session !== null) {
        inHand.set(session, (inHand.get(session) ?? 0) + 1);
      }
    }
    return sessions.slice(0, SESSIONS_SHOWN_MAX).map((tally) => {
      const account = labelOf(tally.accountId, state);
      const inFlight = inHand.get(tally.session) ?? 0;
      const policy = policyOf(tally.session, state);
      const known = this.#sessions.get(tally);
      if (
        known?.account === account && known.inFlight === inFlight &&
        known.policy === policy
      ) return known;
      const view: SessionView = {
        id: tally.session,
        account,
        usage: usageView(tally.usage),
        inFlight,
        policy,
        project: tally.project,
        firstSeenAt: timeView(tally.firstSeenAt),
        lastUsedAt: timeView(tally.lastUsedAt),
        lastError: errorMarkView(tally.lastError),
      };
      this.#sessions.set(tally, view);
      return view;
    });
  }
}

function policyOf(session: string, { bindings }: PoolState): string | null {
  // The session's id names its main conversation.
  return bindings.get(session as ConversationId)?.policy ?? null;
}

/** Returns the view of a finished request, with its account's name. */
export function activityView(
  record: RequestRecord,
  state: PoolState,
): ActivityView {
  const { usage } = record;
  return {
    id: record.id,
    at: timeView(record.endedAt),
    session: record.session,
    agent: record.agent,
    model: record.modelAnswered ?? record.modelAsked,
    project: record.project,
    account: labelOf(record.accountId, state),
    status: record.status,
    durationMs: Math.round(record.durationMs),
    firstByteMs: record.firstByteMs === null
      ? null
      : Math.round(record.firstByteMs),
    input: usage?.input ?? null,
    cacheRead: usage?.cacheRead ?? null,
    cacheWrite: usage === null ? null : cacheWritten(usage),
    output: usage?.output ?? null,
    reason: record.reason,
    movedFrom: labelOf(record.movedFrom, state),
    movedWhy: record.movedWhy,
    why: record.why ?? null,
    attempts: record.attempts.length,
    triedFirst: triedFirst(record).map(({ accountId, status }) => ({
      account: labelOf(accountId, state) ?? accountId,
      status,
    })),
    end: record.end,
  };
}

/** Tries that a view tells of; a request held for long has many. */
const TRIES_SHOWN_MAX = 12;

/** Returns the tries before the answer; all of them where tc answered. */
function triedFirst(
  { attempts, accountId }: RequestRecord,
): RequestRecord["attempts"] {
  const before = accountId === null ? attempts : attempts.slice(0, -1);
  return before.slice(-TRIES_SHOWN_MAX);
}

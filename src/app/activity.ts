/**
 * From the proxy's own records to the views of the control plane.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import { cacheWritten } from "../core/usage.ts";
import type { PoolState } from "../core/pool.ts";
import type { ActivityView, RequestView } from "../control/protocol.ts";
import { timeView } from "../control/status_view.ts";
import type { RequestRecord } from "../ports.ts";
import type { OpenRequest } from "../proxy/request_book.ts";

function labelOf(id: AccountId | null, { accounts }: PoolState): string | null {
  return id === null ? null : accounts.get(id)?.account.label ?? id;
}

/** A request in hand, with its account's name. */
export function requestView(
  open: Readonly<OpenRequest>,
  state: PoolState,
): RequestView {
  return {
    id: open.id,
    session: open.session,
    agent: open.agent,
    model: open.model,
    account: labelOf(open.accountId, state),
    state: open.state,
    reason: open.reason,
    since: timeView(open.startedAt),
  };
}

/** A request that has ended, with its account's name. */
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
    attempts: record.attempts.length,
    end: record.end,
  };
}

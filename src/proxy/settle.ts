/**
 * After the end: closes the lease with what was read, and writes the one row
 * of the request.
 *
 * @module
 */

import type { AnswerBytes, RequestEnd, RequestRecord } from "../ports.ts";
import type { AccountId } from "../core/account.ts";
import { after } from "../core/time.ts";
import { NO_USAGE } from "../core/usage.ts";
import type { MeterReading } from "../wire/answer/usage.ts";
import type { Chosen, Inbound, Proxy } from "./proxy.ts";

/** A line of the log stays a line. */
const WHY_LENGTH_MAX = 400;

export interface Settlement {
  /** The account that answered, or null where tc answered by itself. */
  readonly chosen: Chosen | null;
  readonly status: number;
  readonly end: RequestEnd;
  readonly firstByteMs: number | null;
  readonly reading: MeterReading | null;
  /** Why tc answered by itself; else null. */
  readonly reason: string | null;
  /** What went wrong, in words for the log; else null. */
  readonly why: string | null;
  /** What was relayed; null where tc answered by itself. */
  readonly answer: AnswerBytes | null;
}

/** Closes what the request held and tells everyone who counts. */
export function settle(
  inbound: Inbound,
  settlement: Settlement,
  proxy: Proxy,
): void {
  const { chosen, reading } = settlement;
  chosen?.lease.close(reading?.usage ?? null);
  if (chosen !== null && reading !== null) {
    ownFromMessage(inbound, chosen.lease.accountId, { reading, proxy });
  }
  proxy.budget.give(inbound.body.length);
  const record = recordOf(inbound, settlement, proxy);
  proxy.book.end(record);
  proxy.log.finished(record);
  proxy.exchanges?.finished({
    record,
    target: inbound.target,
    requestHeaders: inbound.headers,
    requestBody: inbound.body,
    answer: settlement.answer,
  });
  journal(record, settlement.why, proxy);
}

/** A container, and a message that a thread may continue from, have one account. */
function ownFromMessage(
  { peek }: Inbound,
  accountId: AccountId,
  { reading, proxy }: {
    readonly reading: MeterReading;
    readonly proxy: Proxy;
  },
): void {
  const { containerId, messageId } = reading;
  const ids = [containerId, peek.thread === "none" ? null : messageId];
  for (const id of ids) {
    if (id === null) continue;
    const at = proxy.clock.now();
    proxy.pool.dispatch({ kind: "id_seen", id, accountId, at });
  }
}

function recordOf(
  inbound: Inbound,
  settlement: Settlement,
  proxy: Proxy,
): RequestRecord {
  const { chosen, reading } = settlement;
  const { peek, facts } = inbound;
  const endedAt = proxy.clock.now();
  const durationMs = proxy.clock.monotonicMs() - inbound.startedMs;
  return {
    id: inbound.id,
    // A clock that was set back meanwhile would have it end before it began.
    startedAt: inbound.startedAt <= endedAt
      ? inbound.startedAt
      : after(endedAt, -durationMs),
    endedAt,
    method: inbound.method,
    path: inbound.target.split("?", 1)[0] ?? inbound.target,
    session: peek.sessionId,
    agent: peek.agentId,
    conversation: facts.conversation,
    modelAsked: peek.model,
    modelAnswered: reading?.model ?? null,
    isStream: peek.isStream,
    isPrompt: facts.isPrompt,
    isSide: facts.isSide,
    accountId: chosen?.lease.accountId ?? null,
    reason: settlement.reason ?? chosen?.reason ?? "none",
    movedFrom: chosen?.movedFrom ?? null,
    policy: facts.policy ?? proxy.pool.snapshot().settings.policy,
    attempts: inbound.attempts,
    status: settlement.status,
    waitedMs: inbound.hold.waitedMs,
    firstByteMs: settlement.firstByteMs,
    durationMs,
    usage: reading?.usage ?? null,
    stopReason: reading?.stopReason ?? null,
    isCompaction: peek.isCompaction,
    isCompacted: facts.isCompacted,
    end: settlement.end,
    errorType: reading?.errorType ?? null,
  };
}

function journal(
  record: RequestRecord,
  why: string | null,
  { journal, pool }: Proxy,
): void {
  const account = record.accountId === null
    ? null
    : pool.snapshot().accounts.get(record.accountId)?.account.label ?? null;
  const usage = record.usage ?? NO_USAGE;
  const level = record.status >= 500 || record.end === "upstream_failed"
    ? "warn"
    : "info";
  journal.log(level, "request", {
    session: record.session?.slice(0, 8) ?? null,
    agent: record.agent?.slice(0, 8) ?? null,
    account,
    model: record.modelAsked,
    status: record.status,
    ms: Math.round(record.durationMs),
    ttft: record.firstByteMs === null ? null : Math.round(record.firstByteMs),
    waited: record.waitedMs < 1 ? null : Math.round(record.waitedMs),
    in: record.usage === null ? null : usage.input,
    read: record.usage === null ? null : usage.cacheRead,
    write: record.usage === null
      ? null
      : usage.cacheWrite5m + usage.cacheWrite1h,
    out: record.usage === null ? null : usage.output,
    tries: record.attempts.length > 1 ? record.attempts.length : null,
    reason: record.reason,
    end: record.end === "complete" ? null : record.end,
    error: record.errorType,
    why: why === null ? null : why.slice(0, WHY_LENGTH_MAX),
  });
}

/**
 * Everything that one request holds, from its first byte to its end: memory for
 * its body, a place in the queue, an account's lease, and its line in the book
 * of open requests. Leaving the scope gives all of it back and writes the
 * ledger row and the log line, once, however the request ends.
 *
 * @module
 */

import type { AccountId, TicketId } from "../core/account.ts";
import type { Payment } from "../core/pool/event.ts";
import type { PoolSnapshot, RouteFacts } from "../core/pool/pool.ts";
import { PLAIN_TERMS } from "../core/pricing.ts";
import { isPaidFor } from "../core/quota/spending.ts";
import type { CapacityVerdict } from "../core/quota/verdict.ts";
import { routeOf } from "../core/route/project_route.ts";
import type { RouteDecision, UseReason } from "../core/route/route.ts";
import type { PolicyName } from "../core/settings.ts";
import { after, type Instant } from "../core/time.ts";
import { NO_USAGE, type TokenUsage } from "../core/usage.ts";
import { stackOf } from "../errors.ts";
import type {
  AnswerBytes,
  AttemptRecord,
  Lease,
  RequestEnd,
  RequestRecord,
} from "../ports.ts";
import { barText } from "../wire/answer/bar_text.ts";
import type { MeterReading } from "../wire/answer/usage.ts";
import { headerValue } from "../wire/header_list.ts";
import type { BodyShare } from "./body.ts";
import { Hold, type HoldManner } from "./hold.ts";
import type { Inbound, OpenRequest, Proxy } from "./proxy.ts";

/** The account that serves a request, and why it was chosen. */
export interface Choice {
  readonly accountId: AccountId;
  readonly reason: UseReason;
  /** The account that the conversation leaves by this, or null. */
  readonly movedFrom: AccountId | null;
  /** Why that account did not serve, in words; null if it could have. */
  readonly movedWhy: string | null;
}

/** How a request ended. */
export interface Ending {
  /** The account that answered, or null if tc answered by itself. */
  readonly choice: Choice | null;
  readonly status: number;
  readonly end: RequestEnd;
  readonly firstByteMs: number | null;
  readonly reading: MeterReading | null;
  /** Why tc answered by itself; else null. */
  readonly reason: string | null;
  /** What went wrong, in words for the log; else null. */
  readonly why: string | null;
  /** What was relayed; null if tc answered by itself. */
  readonly answer: AnswerBytes | null;
}

/** Longer explanations are cut in the log. */
const WHY_LENGTH_MAX = 400;

/** What there is of a request once it was read. */
interface Begun {
  readonly inbound: Inbound;
  readonly manner: HoldManner;
  readonly line: OpenRequest;
}

/** The obligations of one request. Bind it with `await using`. */
export class RequestScope implements AsyncDisposable {
  readonly proxy: Proxy;
  /** The memory of its body. */
  readonly share: BodyShare;
  readonly #attempts: AttemptRecord[] = [];
  readonly #ended = Promise.withResolvers<Ending>();
  #hasEnded = false;
  readonly #opened = Promise.withResolvers<void>();
  #begun: Begun | null = null;
  #hold: Hold | null = null;
  #lease: Lease | null = null;
  #leasedAt: Instant;
  #isQueued = false;

  constructor(proxy: Proxy) {
    this.proxy = proxy;
    this.share = proxy.budget.share();
    this.#leasedAt = proxy.clock.now();
  }

  /** Enters the request in the book; from here on it gets a row at its end. */
  begin(inbound: Inbound): void {
    const { id, startedAt, peek, facts } = inbound;
    const line: OpenRequest = {
      id,
      startedAt,
      session: peek.sessionId,
      agent: peek.agentId,
      model: peek.model,
      project: facts.project ?? null,
      state: "waiting",
      accountId: null,
      reason: null,
      usage: null,
    };
    // Only a request that spends quota waits for it.
    const manner = !facts.isMetered
      ? "none"
      : peek.isStream
      ? "pings"
      : "silent";
    this.#begun = { inbound, manner, line };
    this.proxy.book.add(line);
  }

  get inbound(): Inbound {
    return this.#parts().inbound;
  }

  /** How the request waits if it must. */
  get hold(): Hold {
    const { holds, clock } = this.proxy;
    const open = () => this.#opened.resolve();
    return this.#hold ??= new Hold(holds, this.#parts().manner, {
      clock,
      open,
    });
  }

  /** The time that the request has waited so far. */
  get waitedMs(): number {
    return this.#hold?.waitedMs ?? 0;
  }

  /**
   * Resolves if the client's stream must be opened before there is an answer;
   * null for a request whose answer cannot begin so.
   */
  get opened(): Promise<void> | null {
    return this.#parts().manner === "pings" ? this.#opened.promise : null;
  }

  /** The tries so far, oldest first. */
  get attempts(): readonly AttemptRecord[] {
    return this.#attempts;
  }

  /** The parts of a request that was read; it is a fault to ask before that. */
  #parts(): Begun {
    if (this.#begun === null) throw new Error("the request was not read");
    return this.#begun;
  }

  /** Opens a lease on the account of `decision`. */
  lease(decision: RouteDecision & { readonly kind: "use" }): Choice {
    const { accountId, reason, movedFrom } = decision;
    const { inbound, line } = this.#parts();
    this.#lease = this.proxy.pool.openLease(accountId, inbound.facts);
    this.#leasedAt = this.proxy.clock.now();
    line.state = "sent";
    line.accountId = accountId;
    line.reason = reason;
    // Not the decision itself: it keeps the whole pool of that moment alive.
    return {
      accountId,
      reason,
      movedFrom,
      movedWhy: leftText(decision, this.proxy.pool),
    };
  }

  /** Tells the pool how a try on the leased account went. */
  judge(verdict: CapacityVerdict, status: number | null): void {
    const lease = this.#lease;
    if (lease === null) throw new Error("a verdict needs a lease");
    this.proxy.pool.judge(lease, verdict);
    const { accountId } = lease;
    this.#attempts.push({
      accountId,
      verdict: verdict.kind,
      status,
      startedAt: this.#leasedAt,
      judgedAt: this.proxy.clock.now(),
    });
  }

  /** Closes the lease before the request goes to another account or waits. */
  closeLease(): void {
    this.#closeLease(null, null);
  }

  #closeLease(usage: TokenUsage | null, paid: Payment | null): void {
    this.#lease?.close(usage, paid);
    this.#lease = null;
  }

  /** Queues the request, or notes why it still waits. */
  queue(decision: RouteDecision & { readonly kind: "wait" }): void {
    const { pool, clock } = this.proxy;
    const { inbound, line } = this.#parts();
    const { reason } = decision;
    if (line.state !== "held") line.state = "waiting";
    line.reason = reason;
    line.accountId = null;
    this.#isQueued = true;
    pool.dispatch({
      kind: "waiting_changed",
      ticket: inbound.id as TicketId,
      query: inbound.facts,
      only: inbound.only,
      reason,
      at: clock.now(),
    });
    const { conversation } = inbound.facts;
    if (reason !== "parked" || conversation === null) return;
    const turnAt = decision.backAt ?? clock.now();
    pool.dispatch({ kind: "parked", conversation, turnAt, at: clock.now() });
  }

  /** Takes the request out of the queue and ends its hold. */
  leaveQueue(): void {
    this.#hold?.end();
    if (!this.#isQueued) return;
    this.#isQueued = false;
    const { pool, clock } = this.proxy;
    const { inbound } = this.#parts();
    const ticket = inbound.id as TicketId;
    pool.dispatch({ kind: "waiting_ended", ticket, at: clock.now() });
  }

  /** Notes that the client's stream is open while the request still waits. */
  noteHeld(): void {
    this.#parts().line.state = "held";
  }

  /** Notes that the answer streams; `usage` returns its tokens so far. */
  noteStreaming(usage: () => TokenUsage | null): void {
    const { line } = this.#parts();
    line.state = "streaming";
    line.usage = usage;
  }

  /** Notes how the request ended; only the first call counts. */
  end(ending: Ending): void {
    this.#hasEnded = true;
    this.#ended.resolve(ending);
  }

  /** Ends the request for a failure: the client has left, or tc has a fault. */
  fail(cause: unknown): void {
    const { inbound } = this.#parts();
    if (this.#hasEnded) return;
    const isGone = inbound.signal.aborted;
    if (!isGone) {
      const fault = stackOf(cause);
      this.proxy.journal.log("error", "fault", { request: inbound.id, fault });
    }
    this.end({
      choice: null,
      status: isGone ? 499 : 500,
      end: isGone ? "client_gone" : "refused",
      firstByteMs: null,
      reading: null,
      reason: isGone ? "client_gone" : "fault",
      why: null,
      answer: null,
    });
  }

  /** Waits for the end of a request that began, and gives everything back. */
  async [Symbol.asyncDispose](): Promise<void> {
    const begun = this.#begun;
    try {
      if (begun !== null) this.#settle(begun, await this.#ended.promise);
    } finally {
      this.share[Symbol.dispose]();
    }
  }

  #settle(begun: Begun, ending: Ending): void {
    this.leaveQueue();
    const record = this.#recordOf(begun.inbound, ending);
    this.#closeLease(record.usage, paymentFor(record, this.proxy));
    noteOwnedIds(begun.inbound, ending, this.proxy);
    this.#record(begun, ending, record);
  }

  #recordOf(inbound: Inbound, ending: Ending): RequestRecord {
    const { proxy, waitedMs } = this;
    const attempts = this.#attempts;
    return recordOf(inbound, { ...ending, attempts, waitedMs }, proxy);
  }

  /** Writes the row of the ledger and the line of the log. */
  #record(
    { inbound, line }: Begun,
    ending: Ending,
    record: RequestRecord,
  ): void {
    const { proxy } = this;
    proxy.book.end(line, record);
    proxy.log.finished(record);
    proxy.exchanges?.finished({
      record,
      target: inbound.target,
      requestHeaders: inbound.headers,
      requestBody: inbound.body,
      answer: ending.answer,
    });
    logRecord(record, ending.why, proxy);
  }
}

/** Returns what was paid for the request, or null if it was not paid for. */
function paymentFor(
  { isPaid, usage, terms, modelAnswered, modelAsked, endedAt }: RequestRecord,
  { prices }: Proxy,
): Payment | null {
  if (!isPaid || usage === null) return null;
  const model = modelAnswered ?? modelAsked;
  const nano = prices.cost(usage, { model, at: endedAt, terms });
  return nano === null ? null : { nano, ends: prices.periodEnds() };
}

/** Notes which account owns the container and the thread of an answer. */
function noteOwnedIds(
  { peek }: Inbound,
  { choice, reading }: Ending,
  { pool, clock }: Proxy,
): void {
  if (choice === null || reading === null) return;
  const { accountId } = choice;
  const { containerId, messageId } = reading;
  for (const id of [containerId, peek.thread === "none" ? null : messageId]) {
    if (id === null) continue;
    pool.dispatch({ kind: "id_seen", id, accountId, at: clock.now() });
  }
}

function recordOf(
  inbound: Inbound,
  ending: Ending & Pick<RequestRecord, "attempts" | "waitedMs">,
  { clock, pool, projects }: Proxy,
): RequestRecord {
  const { choice, reading } = ending;
  const { peek, facts } = inbound;
  const endedAt = clock.now();
  const durationMs = clock.monotonicMs() - inbound.startedMs;
  return {
    id: inbound.id,
    // After a clock was set back, the request must not end before it began.
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
    accountId: choice?.accountId ?? null,
    reason: ending.reason ?? choice?.reason ?? "none",
    movedFrom: choice?.movedFrom ?? null,
    movedWhy: choice?.movedWhy ?? null,
    why: ending.why,
    policy: policyOf(facts, pool.snapshot()),
    attempts: ending.attempts,
    status: ending.status,
    waitedMs: ending.waitedMs,
    firstByteMs: ending.firstByteMs,
    durationMs,
    usage: reading?.usage ?? null,
    terms: reading?.terms ?? PLAIN_TERMS,
    isPaid: isPaid(choice?.accountId ?? null, pool.snapshot()),
    stopReason: reading?.stopReason ?? null,
    isCompaction: peek.isCompaction,
    isCompacted: facts.isCompacted,
    end: ending.end,
    errorType: reading?.errorType ?? null,
    providerId: ending.answer === null
      ? null
      : headerValue(ending.answer.headers, "request-id"),
    project: facts.project ?? projects.of(null, peek.sessionId),
    traceParent: headerValue(inbound.headers, "traceparent"),
  };
}

/** Returns the policy that routed the request. */
function policyOf(
  { policy, project = null }: RouteFacts,
  { settings, routes }: PoolSnapshot,
): PolicyName {
  return policy ?? routeOf(routes, project)?.policy ?? settings.policy;
}

/** Whether tokens of the account cost real money now. */
function isPaid(id: AccountId | null, { accounts }: PoolSnapshot): boolean {
  const state = id === null ? undefined : accounts.get(id);
  return state !== undefined && isPaidFor(state);
}

function logRecord(
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
    id: record.id,
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

/** Returns why the account that a conversation leaves may not serve it. */
function leftText(
  { movedFrom, considered }: RouteDecision & { readonly kind: "use" },
  pool: Pick<Proxy["pool"], "snapshot">,
): string | null {
  if (movedFrom === null) return null;
  const snapshot = pool.snapshot();
  const state = snapshot.accounts.get(movedFrom);
  const left = considered.find(({ accountId }) => accountId === movedFrom);
  const reason = left?.ineligible ?? null;
  if (state === undefined) return "removed";
  return reason === null ? null : barText(reason, state, snapshot);
}

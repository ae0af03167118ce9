/**
 * The answers that tc gives by itself, in the API's shape. They name the facts.
 * Only the answer to a spent pool makes Claude Code stop, until the reset.
 *
 * @module
 */

import type { CredentialState, PoolSnapshot } from "../core/pool/pool.ts";
import type { RouteDecision } from "../core/route/route.ts";
import {
  apiError,
  type ApiErrorAnswer,
  threadNotFound,
  threadUnsupported,
} from "../wire/answer/api_error.ts";
import { limitAnswer } from "../wire/answer/limit_answer.ts";
import { closedText, retryAfterSec, returnOf } from "./closed.ts";
import type { Outcome } from "./handler.ts";
import type { Inbound, Proxy } from "./proxy.ts";
import { settle } from "./settle.ts";

/** An error of our own, as a whole answer and as the parts of an event. */
export interface OwnError {
  readonly answer: ApiErrorAnswer;
  readonly type:
    | "rate_limit_error"
    | "api_error"
    | "authentication_error"
    | "invalid_request_error"
    | "not_found_error";
  readonly message: string;
  readonly reason: string;
  /** The cause in words, for the log. */
  readonly why: string;
}

/** What tc answers where no upstream answer can be relayed. */
export function ownError(
  inbound: Inbound,
  outcome: Outcome,
  proxy: Proxy,
): OwnError {
  const requestId = inbound.id;
  switch (outcome.kind) {
    case "thread":
      return threadError(inbound);
    case "not_entitled":
      return notEntitledError(requestId, outcome.said);
    case "closed":
      return closedError(inbound, outcome.decision, proxy);
    case "unreachable":
    case "relay": {
      const message = outcome.kind === "unreachable" && !outcome.sent
        ? unreachedText(outcome.failure)
        : "tc lost the connection to the API after the request was sent; it was not sent again.";
      const type = "api_error";
      const answer = apiError({
        status: 502,
        type,
        message,
        retryAfterSec: null,
        requestId,
      });
      const why = (outcome.kind === "unreachable" ? outcome.failure : null) ??
        "the connection to the API was lost";
      return { answer, type, message, reason: "unreachable", why };
    }
  }
}

/** Each client gets the refusal after which it sends the whole conversation. */
function threadError({ id, peek }: Inbound): OwnError {
  const isClaudeCode = peek.client === "claude-cli";
  return {
    answer: isClaudeCode ? threadUnsupported(id) : threadNotFound(id),
    type: isClaudeCode ? "invalid_request_error" : "not_found_error",
    message: "The thread belongs to another account",
    reason: "thread_moved",
    why: "the thread belongs to another account",
  };
}

function notEntitledError(requestId: string, said: string | null): OwnError {
  const type = "invalid_request_error";
  const message = `No account of the pool may serve this request${
    said === null ? "" : ` (${said})`
  }. tc accounts -v lists what each may not use.`;
  const answer = apiError({
    status: 400,
    type,
    message,
    retryAfterSec: null,
    requestId,
  });
  const why = said ?? message;
  return { answer, type, message, reason: "not_entitled", why };
}

function unreachedText(failure: string | null): string {
  const why = failure === null ? "" : ` (${failure})`;
  return `tc cannot reach the API${why}. tc doctor looks for the cause.`;
}

function closedError(
  inbound: Inbound,
  decision: RouteDecision,
  proxy: Proxy,
): OwnError {
  const requestId = inbound.id;
  const snapshot = proxy.pool.snapshot();
  const message = closedText(decision, snapshot);
  if (isLoginNeeded(inbound, decision, snapshot)) {
    return loginError(inbound, message);
  }
  const type = "rate_limit_error";
  const isParked = decision.kind === "wait" && decision.reason === "parked";
  const reason = isParked ? "parked" : "all_closed";
  const back = inbound.speaksLimits ? returnOf(decision, snapshot) : null;
  if (back !== null) {
    const { at: resetsAt, window, windows } = back;
    const { at: now } = snapshot;
    const pool = { message, resetsAt, window, windows, now, requestId };
    const answer = limitAnswer(pool);
    return { answer, type, message, reason, why: message };
  }
  const answer = apiError({
    status: 429,
    type,
    message,
    retryAfterSec: retryAfterSec(decision, snapshot.at),
    requestId,
  });
  return { answer, type, message, reason, why: message };
}

/** Whether nothing is wrong with the pool but its logins. */
function isLoginNeeded(
  { attempts }: Inbound,
  { considered }: RouteDecision,
  { accounts }: PoolSnapshot,
): boolean {
  const refused = new Set(
    // Without a status it was a renewal that failed, which may pass.
    attempts.filter(({ verdict, status }) =>
      verdict === "credential" && status !== null
    ).map(({ accountId }) => accountId),
  );
  const counted = considered.filter(({ ineligible }) =>
    ineligible !== "disabled" && ineligible !== "not_asked_for"
  );
  return counted.length > 0 &&
    counted.every(({ accountId, ineligible }) => {
      const isRefused = ineligible === "excluded" && refused.has(accountId);
      return isDead(accounts.get(accountId)?.credential ?? null, isRefused);
    });
}

/** Whether only a sign-in helps: a renewal that failed may come through later. */
function isDead(
  credential: CredentialState | null,
  isRefused: boolean,
): boolean {
  switch (credential?.kind) {
    case "needs_login":
      return true;
    case "quarantined":
      // With a reason of ours it could not be renewed for now.
      return credential.reason === null;
    default:
      return isRefused;
  }
}

/**
 * The truth is a sign-in. A program gets the provider's own status for it;
 * Claude Code would take a 401 for a refusal of its own login and drop it.
 */
function loginError(inbound: Inbound, closed: string): OwnError {
  const isClaudeCode = inbound.peek.client === "claude-cli";
  const type = isClaudeCode ? "api_error" : "authentication_error";
  const message = `tc has no account whose login works. ${closed}`;
  const answer = apiError({
    status: isClaudeCode ? 503 : 401,
    type,
    message,
    retryAfterSec: null,
    requestId: inbound.id,
    isFinal: true,
  });
  return { answer, type, message, reason: "login_needed", why: closed };
}

/** Books a request that tc answered by itself. */
export function settleOwn(inbound: Inbound, own: OwnError, proxy: Proxy): void {
  settle(inbound, {
    chosen: null,
    status: own.answer.status,
    end: "refused",
    firstByteMs: null,
    reading: null,
    reason: own.reason,
    why: own.why,
    answer: null,
  }, proxy);
}

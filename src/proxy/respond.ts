/**
 * The answers that tc gives by itself, in the shape of the API. They name each
 * account's reason and when to come again. Only the answer of a pool that is
 * used up makes Claude Code stop, until the reset.
 *
 * @module
 */

import type {
  AccountState,
  CredentialState,
  PoolSnapshot,
} from "../core/pool/pool.ts";
import { ANY_REQUEST } from "../core/quota/capacity.ts";
import type { QuotaWindow, WindowKey } from "../core/quota/quota.ts";
import { barOf, type Ineligible } from "../core/route/eligible.ts";
import { returnOf } from "../core/route/patience.ts";
import { routeOf } from "../core/route/project_route.ts";
import type { Considered, RouteDecision } from "../core/route/route.ts";
import { earlier, type Instant, SECOND_MS } from "../core/time.ts";
import type { ClientAnswer } from "../http/response.ts";
import {
  apiError,
  type ApiErrorAnswer,
  type ClosedAccount,
  closedMessage,
  type ClosedMessageOptions,
  parkedMessage,
  RETRY_AFTER_SEC_MAX,
  threadNotFound,
  threadUnsupported,
} from "../wire/answer/api_error.ts";
import { barText, spentWindow } from "../wire/answer/bar_text.ts";
import { limitAnswer } from "../wire/answer/limit_answer.ts";
import type { Outcome } from "./attempt.ts";
import type { Inbound } from "./proxy.ts";
import type { RequestScope } from "./request_scope.ts";

/** An error of tc itself, as a whole answer and as the parts of an event. */
interface OwnError {
  readonly answer: ApiErrorAnswer;
  readonly type:
    | "rate_limit_error"
    | "api_error"
    | "authentication_error"
    | "invalid_request_error"
    | "not_found_error";
  readonly message: string;
  /** A word for the ledger. */
  readonly reason: string;
  /** The cause in words, for the log. */
  readonly why: string;
}

/** Returns the answer of tc itself, since there is none to relay. */
export function ownAnswer(scope: RequestScope, outcome: Outcome): ClientAnswer {
  const own = ownError(scope, outcome);
  endWith(scope, own);
  return own.answer;
}

/** Ends a request that tc answered by itself. */
export function endWith(scope: RequestScope, own: OwnError): void {
  scope.end({
    choice: null,
    status: own.answer.status,
    end: "refused",
    firstByteMs: null,
    reading: null,
    reason: own.reason,
    why: own.why,
    answer: null,
  });
}

/** Returns the answer to a request that met a fault of tc. */
export function faultAnswer(): ClientAnswer {
  return apiError({
    status: 500,
    type: "api_error",
    message: "tc could not serve this request: see its log",
    retryAfterSec: null,
  });
}

/** Returns the error that `outcome` amounts to. */
export function ownError(scope: RequestScope, outcome: Outcome): OwnError {
  const { inbound } = scope;
  const requestId = inbound.id;
  switch (outcome.kind) {
    case "thread":
      return threadError(inbound);
    case "not_entitled":
      return notEntitledError(requestId, outcome.said);
    case "closed":
      return closedError(scope, outcome.decision);
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

/** Returns the refusal after which the client sends the whole conversation. */
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

function closedError(scope: RequestScope, decision: RouteDecision): OwnError {
  const { inbound } = scope;
  const requestId = inbound.id;
  const snapshot = scope.proxy.pool.snapshot();
  const ruled = routeError(inbound, decision, snapshot);
  if (ruled !== null) return ruled;
  const message = closedText(
    decision,
    snapshot,
    inbound.facts.costNanoMax ?? 0,
  );
  if (isLoginNeeded(scope, decision, snapshot)) {
    return loginError(inbound, message);
  }
  const type = "rate_limit_error";
  const isParked = decision.kind === "wait" && decision.reason === "parked";
  const reason = isParked ? "parked" : "all_closed";
  const back = inbound.speaksLimits ? poolReturn(decision, snapshot) : null;
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

/**
 * Returns the refusal of a request that the user's rule for its project keeps
 * from every account; null if the rule is not the reason.
 */
function routeError(
  { id, facts }: Inbound,
  { considered }: RouteDecision,
  { routes }: PoolSnapshot,
): OwnError | null {
  const project = facts.project ?? null;
  const rule = routeOf(routes, project);
  const isRuled = rule !== null && rule.accounts !== null &&
    considered.some(({ ineligible }) => ineligible === "not_in_route") &&
    considered.every(({ ineligible }) =>
      ineligible !== null && NOT_COUNTED.includes(ineligible)
    );
  if (!isRuled) return null;
  const type = "invalid_request_error";
  const what = project === null
    ? "requests of no known project"
    : `project ${project}`;
  const message = [
    `The rule of tc for ${what} allows only ${rule.accounts?.join(", ")}:`,
    "not in the pool, switched off, or not the account asked for.",
    "Nothing was sent. tc config get routes shows the rule.",
  ].join(" ");
  const answer = apiError({
    status: 400,
    type,
    message,
    retryAfterSec: null,
    requestId: id,
  });
  return { answer, type, message, reason: "route_closed", why: message };
}

/** Whether the pool lacks only working logins. */
function isLoginNeeded(
  { attempts }: RequestScope,
  { considered }: RouteDecision,
  { accounts }: PoolSnapshot,
): boolean {
  const refused = new Set(
    // Without a status it was a failed renewal, which may be temporary.
    attempts.filter(({ verdict, status }) =>
      verdict === "credential" && status !== null
    ).map(({ accountId }) => accountId),
  );
  const counted = considered.filter(({ ineligible }) =>
    ineligible === null || !NOT_COUNTED.includes(ineligible)
  );
  return counted.length > 0 &&
    counted.every(({ accountId, ineligible }) => {
      const isRefused = ineligible === "excluded" && refused.has(accountId);
      return isDead(accounts.get(accountId)?.credential ?? null, isRefused);
    });
}

/** Whether only a sign-in helps; a failed renewal may succeed later. */
function isDead(
  credential: CredentialState | null,
  isRefused: boolean,
): boolean {
  switch (credential?.kind) {
    case "needs_login":
      return true;
    case "quarantined":
      // A reason means that it could not be renewed for now.
      return credential.reason === null;
    default:
      return isRefused;
  }
}

/**
 * Returns the error that asks for a sign-in. Programs get the provider's own
 * status for it; Claude Code would take a 401 as a refusal of its own login and
 * drop that.
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

/** The wait between tries of a client if no reset is known. */
const UNKNOWN_WAIT_SEC = 30;

/** Not counted as closed: only a person can end these reasons. */
const NOT_COUNTED: readonly Ineligible[] = [
  "disabled",
  "not_asked_for",
  "not_in_route",
];

/** Reasons for which an account is busy, not closed. */
const BUSY: readonly Ineligible[] = ["full", "probation"];

/**
 * Returns `All 4 accounts are closed: …`, with the reason and return of each;
 * for a parked conversation, when its turn comes.
 */
function closedText(
  decision: RouteDecision,
  snapshot: PoolSnapshot,
  costNanoMax: number,
): string {
  if (decision.kind === "wait" && decision.reason === "parked") {
    return parkedMessage(decision.backAt, optionsAt(snapshot));
  }
  const accounts = decision.considered
    .filter(({ ineligible }) =>
      ineligible === null || !NOT_COUNTED.includes(ineligible)
    )
    .map((considered) => closedAccount(considered, snapshot, costNanoMax));
  return closedMessage(accounts, optionsAt(snapshot));
}

function optionsAt({ at }: PoolSnapshot): ClosedMessageOptions {
  return {
    now: at,
    offsetMsAt: (then) => -new Date(then).getTimezoneOffset() * 60 * SECOND_MS,
    holdingSec: null,
  };
}

function closedAccount(
  considered: Considered,
  snapshot: PoolSnapshot,
  costNanoMax: number,
): ClosedAccount {
  const { accountId } = considered;
  const state = snapshot.accounts.get(accountId);
  if (state === undefined || considered.ineligible === null) {
    const label = state?.account.label ?? accountId;
    const { until } = considered;
    return { label, reason: "full", until, isBusy: true };
  }
  const { ineligible, until } = standingReason(
    considered.ineligible,
    considered.until,
    { state, snapshot },
  );
  return {
    label: state.account.label,
    reason: barText(ineligible, state, snapshot, costNanoMax),
    until,
    isBusy: BUSY.includes(ineligible),
    isTried: ineligible === "excluded",
  };
}

/**
 * Returns why an account that this request has tried is closed to every other
 * request as well, if it is: a person must know that rather than "tried".
 */
function standingReason(
  ineligible: Ineligible,
  until: Instant | null,
  { state, snapshot }: {
    readonly state: AccountState;
    readonly snapshot: PoolSnapshot;
  },
): { readonly ineligible: Ineligible; readonly until: Instant | null } {
  if (ineligible !== "excluded") return { ineligible, until };
  const { settings, paid, at } = snapshot;
  const { bar } = barOf(state, { query: ANY_REQUEST, settings, paid, at });
  return bar === null
    ? { ineligible, until }
    : { ineligible: bar.reason, until: bar.until };
}

/** The windows of the account that serves again first, and its return. */
interface PoolReturn {
  readonly at: Instant;
  readonly window: WindowKey;
  readonly windows: readonly QuotaWindow[];
}

/**
 * Returns when the pool serves again, if it lacks quota; null if its return is
 * unknown or it lacks something else.
 */
function poolReturn(
  decision: RouteDecision,
  snapshot: PoolSnapshot,
): PoolReturn | null {
  const back = returnOf(decision, snapshot.at);
  if (back === null) return null;
  const { at, accountId } = back;
  if (accountId === null) return { at, window: "5h", windows: [] };
  const state = snapshot.accounts.get(accountId);
  if (state === undefined) return null;
  return {
    at,
    window: spentWindow(state, snapshot.at) ?? "5h",
    windows: Object.values(state.windows),
  };
}

/** Returns the seconds to the soonest return, at most what a client waits for. */
function retryAfterSec(decision: RouteDecision, now: Instant): number {
  let soonest: Instant | null = null;
  for (const { until } of decision.considered) {
    if (until !== null && until > now) soonest = earlier(soonest, until);
  }
  if (soonest === null) return UNKNOWN_WAIT_SEC;
  const seconds = Math.ceil((soonest - now) / SECOND_MS);
  return Math.min(RETRY_AFTER_SEC_MAX, Math.max(1, seconds));
}

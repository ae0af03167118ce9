/**
 * What to do after an answer: relay it, try another account, wait, or give up.
 *
 * @module
 */

import type { RouteSettings } from "../settings.ts";
import type { PoolSnapshot, RetryBudget } from "../pool/state.ts";
import { type Instant, SECOND_MS } from "../time.ts";
import type { CapacityVerdict } from "./verdict.ts";

/** What to do after one try of a request. */
export type NextStep =
  /** Pass this answer on to the client. */
  | { readonly kind: "relay" }
  /**
   * Route again. With `exclude`, leave out the account just tried, because the
   * pool itself does not know that it cannot serve this request. Without
   * `mayWait`, another account must be free at once; otherwise this answer is
   * relayed.
   */
  | {
    readonly kind: "reroute";
    readonly exclude: boolean;
    readonly mayWait: boolean;
  }
  /** Try the same account again after a pause, without a lease. */
  | { readonly kind: "retry_same"; readonly afterMs: number }
  /** Force one refresh of the credential, then try the same account again. */
  | { readonly kind: "renew" }
  /** There is no answer to relay and no safe way to get one. */
  | { readonly kind: "give_up" };

/** The state of a request when an answer arrived. */
export interface Attempt {
  readonly now: Instant;
  /** Earlier failures of this request, without the answer at hand. */
  readonly failures: number;
  readonly renewals: number;
  readonly unsent: number;
  /** Moves so far that no spent account or credential forced. */
  readonly hops: number;
  /**
   * How often the client itself has sent it again. Its tries and ours multiply.
   */
  readonly clientRetries: number;
  /**
   * Repeated sends that the pool's budget allows; see {@linkcode retriesLeft}.
   */
  readonly retriesLeft: number;
  /** Uniform in [0, 1), drawn by the caller. */
  readonly jitter: number;
}

/** An attempt before anything went wrong. */
export const FIRST_ATTEMPT: Omit<Attempt, "now"> = {
  failures: 0,
  renewals: 0,
  unsent: 0,
  hops: 0,
  clientRetries: 0,
  retriesLeft: 0,
  jitter: 0,
};

const BACKOFF_MS = 500;
const BACKOFF_MAX_MS = 8 * SECOND_MS;

/** Tries on one account before another is asked. */
const FAILURES_ON_SAME = 2;

/**
 * Returns what to do after `verdict`. A request that was sent and got no answer
 * is never sent again, because it may have been served.
 */
export function nextStep(verdict: CapacityVerdict, attempt: Attempt): NextStep {
  switch (verdict.kind) {
    case "served":
    case "request_refused":
      return { kind: "relay" };
    case "exhausted":
    case "throttled":
      // The pool knows how long the account is closed, and decides who waits.
      return { kind: "reroute", exclude: false, mayWait: true };
    case "not_here":
    case "not_entitled":
      // Each account is asked once: the pool remembers its answer.
      return { kind: "reroute", exclude: true, mayWait: false };
    case "request_throttled":
      return hopOrRelay(attempt);
    case "overloaded":
      return afterFailure(verdict.retryAt, attempt);
    case "failed":
      return afterFailure(null, attempt);
    case "credential":
      return verdict.fault === "expired" && attempt.renewals === 0
        ? { kind: "renew" }
        : { kind: "reroute", exclude: true, mayWait: true };
    case "unreachable":
      return verdict.sent ? { kind: "give_up" } : afterUnsent(attempt);
  }
}

function hopOrRelay(attempt: Attempt): NextStep {
  return attempt.hops === 0
    ? { kind: "reroute", exclude: true, mayWait: false }
    : { kind: "relay" };
}

function afterFailure(
  retryAt: Instant | null,
  attempt: Attempt,
): NextStep {
  // The client and tc share one budget: if the client sends again, tc does not.
  if (attempt.retriesLeft < 1 || attempt.clientRetries > 0) {
    return { kind: "relay" };
  }
  const askedMs = retryAt === null ? 0 : retryAt - attempt.now;
  if (attempt.failures < FAILURES_ON_SAME && askedMs <= BACKOFF_MAX_MS) {
    return {
      kind: "retry_same",
      afterMs: Math.max(askedMs, backoffMs(attempt.failures, attempt.jitter)),
    };
  }
  return hopOrRelay(attempt);
}

function afterUnsent(attempt: Attempt): NextStep {
  if (attempt.retriesLeft < 1) return { kind: "give_up" };
  if (attempt.unsent === 0) {
    return { kind: "retry_same", afterMs: backoffMs(0, attempt.jitter) };
  }
  return attempt.hops === 0
    ? { kind: "reroute", exclude: true, mayWait: false }
    : { kind: "give_up" };
}

/**
 * Half of the pause is fixed and half is random, so that retries spread out.
 */
function backoffMs(failures: number, jitter: number): number {
  const stepMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** failures);
  return Math.round(stepMs * (0.5 + 0.5 * jitter));
}

/** Most whole sends that shares of requests may accumulate, or owe. */
const BUDGET_SLACK = 10;

type BudgetSettings = Pick<RouteSettings, "retriesPerSecond" | "retryShare">;

/** Returns the budget at `at`, refilled since it was last touched. */
function refilled(
  budget: RetryBudget,
  at: Instant,
  { retriesPerSecond }: BudgetSettings,
): RetryBudget {
  if (budget.at === null) return { ...budget, tokens: retriesPerSecond, at };
  const seconds = Math.max(0, at - budget.at) / SECOND_MS;
  const tokens = budget.tokens + seconds * retriesPerSecond;
  return { ...budget, tokens: Math.min(retriesPerSecond, tokens), at };
}

/** Returns the budget after a request was sent. */
export function credited(
  before: RetryBudget,
  at: Instant,
  settings: BudgetSettings,
): RetryBudget {
  const budget = refilled(before, at, settings);
  const shares = Math.min(BUDGET_SLACK, budget.shares + settings.retryShare);
  return { ...budget, shares };
}

/** Returns the budget after one repeated send was decided on. */
export function debited(
  before: RetryBudget,
  at: Instant,
  settings: BudgetSettings,
): RetryBudget {
  const { tokens, shares } = refilled(before, at, settings);
  return {
    tokens: Math.max(-BUDGET_SLACK, tokens - 1),
    // The repeated send is credited later like any other, so that share is
    // taken back.
    shares: Math.max(-BUDGET_SLACK, shares - 1 - settings.retryShare),
    at,
  };
}

/** Returns the repeated sends that the pool's budget allows now. */
export function retriesLeft({ retries, at, settings }: PoolSnapshot): number {
  const { tokens, shares } = refilled(retries, at, settings);
  return Math.max(0, Math.floor(Math.max(tokens, shares)));
}

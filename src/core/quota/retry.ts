/**
 * What to do after an answer: relay it, go elsewhere, wait, or give up.
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
   * Route again. Where `exclude` is set, without the account just tried: the
   * pool does not know by itself that it cannot serve this request. Where
   * `mayWait` is not set, another account must be free at once, else this
   * answer is relayed.
   */
  | {
    readonly kind: "reroute";
    readonly exclude: boolean;
    readonly mayWait: boolean;
  }
  /** The same account again, after a pause without a lease. */
  | { readonly kind: "retry_same"; readonly afterMs: number }
  /** One forced refresh of the credential, then the same account again. */
  | { readonly kind: "renew" }
  /** There is no answer to relay and no safe way to get one. */
  | { readonly kind: "give_up" };

/** Where a request stands when an answer has come. */
export interface Attempt {
  readonly now: Instant;
  /** Earlier answers to this request by kind; the one at hand is not counted. */
  readonly failures: number;
  readonly renewals: number;
  readonly unsent: number;
  /** Reroutes so far that were not forced by a spent account or credential. */
  readonly hops: number;
  /** How often the client itself has sent it again: its tries and ours multiply. */
  readonly clientRetries: number;
  /** Repeated sends that the pool's budget allows; {@linkcode retriesLeft}. */
  readonly retriesLeft: number;
  /** Uniform in [0, 1), drawn by the caller. */
  readonly jitter: number;
}

/** The attempt after which nothing has gone wrong yet. */
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

/** Tries on the account at hand before another is asked. */
const FAILURES_ON_SAME = 2;

/**
 * What to do after `verdict`. A request that was sent and got no answer is
 * never sent again: it may have been served.
 */
export function nextStep(verdict: CapacityVerdict, attempt: Attempt): NextStep {
  switch (verdict.kind) {
    case "served":
    case "request_refused":
      return { kind: "relay" };
    case "exhausted":
    case "throttled":
      // The pool knows until when the account is closed, and decides who waits.
      return { kind: "reroute", exclude: false, mayWait: true };
    case "not_here":
    case "not_entitled":
      // Each account is asked once: the pool remembers what it said.
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
  // One budget for both: we did our part when the client sent it first.
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

/** Half of it fixed, half of it drawn, so that a herd spreads. */
function backoffMs(failures: number, jitter: number): number {
  const stepMs = Math.min(BACKOFF_MAX_MS, BACKOFF_MS * 2 ** failures);
  return Math.round(stepMs * (0.5 + 0.5 * jitter));
}

/** Shares of requests may gather up to so many whole sends, or be owed so many. */
const BUDGET_SLACK = 10;

type BudgetSettings = Pick<RouteSettings, "retriesPerSecond" | "retryShare">;

/** The budget at `at`, refilled since it was last touched. */
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

/** The budget after a request was sent. */
export function credited(
  before: RetryBudget,
  at: Instant,
  settings: BudgetSettings,
): RetryBudget {
  const budget = refilled(before, at, settings);
  const shares = Math.min(BUDGET_SLACK, budget.shares + settings.retryShare);
  return { ...budget, shares };
}

/** The budget once one more send of the same request is decided on. */
export function debited(
  before: RetryBudget,
  at: Instant,
  settings: BudgetSettings,
): RetryBudget {
  const { tokens, shares } = refilled(before, at, settings);
  return {
    tokens: Math.max(-BUDGET_SLACK, tokens - 1),
    // The send itself will be credited as any is.
    shares: Math.max(-BUDGET_SLACK, shares - 1 - settings.retryShare),
    at,
  };
}

/** Repeated sends that the pool's budget allows now. */
export function retriesLeft({ retries, at, settings }: PoolSnapshot): number {
  const { tokens, shares } = refilled(retries, at, settings);
  return Math.max(0, Math.floor(Math.max(tokens, shares)));
}

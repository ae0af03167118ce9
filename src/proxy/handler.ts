/**
 * The life of one request, on one screen: choose, try, judge, and relay or go
 * round. Nothing is sent to the client until the verdict is known; after the
 * first byte there is no second try.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import {
  type Attempt as Standing,
  FIRST_ATTEMPT,
  type NextStep,
  nextStep,
  retriesLeft,
} from "../core/quota/retry.ts";
import { acquire, decide, type Wish } from "./acquire.ts";
import { type Attempt, tryOnce } from "./attempt.ts";
import type { RouteDecision } from "../core/route/route.ts";
import type { Chosen, Inbound, Proxy } from "./proxy.ts";
import { reasonOf } from "../errors.ts";

/** What the pursuit of an answer came to. */
export type Outcome =
  /** An upstream answer to relay; its lease is still open. */
  | {
    readonly kind: "relay";
    readonly attempt: Attempt;
    readonly chosen: Chosen;
  }
  /** No account can serve it in time. */
  | { readonly kind: "closed"; readonly decision: RouteDecision }
  /** It was sent, or could not be, and there is no answer. */
  | {
    readonly kind: "unreachable";
    readonly sent: boolean;
    /** What failed, in words. */
    readonly failure: string | null;
  }
  /** Every account was refused what the request asks for. */
  | { readonly kind: "not_entitled"; readonly said: string | null }
  /** The account it would move to does not know its thread. */
  | { readonly kind: "thread" };

/** Tries of one request at most, whatever the verdicts say. */
const ATTEMPTS_MAX = 24;

type Counts = Omit<
  Standing,
  "now" | "retriesLeft" | "jitter" | "clientRetries"
>;

/** Throws the signal's reason when the client leaves; nothing is held then. */
export async function pursue(inbound: Inbound, proxy: Proxy): Promise<Outcome> {
  const last = new LastAnswer();
  try {
    const outcome = await rounds(inbound, last, proxy);
    if (outcome !== last.outcome) last.drop();
    return outcome;
  } catch (cause) {
    last.drop();
    throw cause;
  }
}

/** What the client is told if no better answer comes. */
class LastAnswer {
  outcome: Outcome | null = null;

  /** Gives up what is left of its body, so that its connection is free. */
  drop(): void {
    if (this.outcome?.kind === "relay") dropBody(this.outcome.attempt);
    this.outcome = null;
  }
}

async function rounds(
  inbound: Inbound,
  last: LastAnswer,
  proxy: Proxy,
): Promise<Outcome> {
  const excluded = new Set<AccountId>();
  // The client can send the whole conversation at once, to any account.
  const isThread = inbound.peek.thread === "continue";
  let wish: Wish = { excluded, preferred: null, mayWait: !isThread };
  let counts: Counts = FIRST_ATTEMPT;
  const renewedOnce = new Set<AccountId>();
  for (let count = 1;; count++) {
    const acquired = await acquire(inbound, wish, proxy);
    if (acquired.kind === "closed") {
      if (isThread && last.outcome === null) return { kind: "thread" };
      return last.outcome ?? { kind: "closed", decision: acquired.decision };
    }
    const { chosen } = acquired;
    if (leavesItsThread(inbound, chosen)) {
      chosen.lease.close(null);
      return { kind: "thread" };
    }
    last.drop();
    const attempt = await attemptWith(inbound, chosen, proxy);
    if (attempt.verdict.kind === "served") {
      return { kind: "relay", attempt, chosen };
    }
    if (inbound.upload?.isBegun === true) {
      // What has come in is gone: no other account can be asked.
      if (attempt.response !== null) return { kind: "relay", attempt, chosen };
      chosen.lease.close(null);
      return unreachable(attempt);
    }
    const step = nextStep(
      attempt.verdict,
      standing(
        {
          ...counts,
          renewals: renewedOnce.has(chosen.lease.accountId) ? 1 : 0,
        },
        inbound,
        proxy,
      ),
    );
    if (step.kind === "renew") renewedOnce.add(chosen.lease.accountId);
    if (step.kind === "relay") return { kind: "relay", attempt, chosen };
    chosen.lease.close(null);
    if (isRelayable(attempt, step, inbound)) {
      last.outcome = { kind: "relay", attempt, chosen };
    } else dropBody(attempt);
    if (attempt.verdict.kind === "unreachable") {
      last.outcome = unreachable(attempt);
    }
    if (inbound.facts.isMetered && isAboutAccounts(attempt)) {
      last.outcome ??= notEntitled(attempt);
    }
    if (step.kind === "give_up") return unreachable(attempt);
    if (count === ATTEMPTS_MAX) {
      const decision = decide(inbound, wish, proxy);
      return last.outcome ?? { kind: "closed", decision };
    }
    counts = counted(counts, attempt, step);
    wish = await prepared(step, { attempt, excluded, inbound, proxy });
  }
}

function dropBody({ response }: Attempt): void {
  response?.body.cancel();
}

/** A thread continues on the account that holds it, or starts over. */
function leavesItsThread(
  { peek, owner }: Inbound,
  { reason, lease }: Chosen,
): boolean {
  return peek.thread === "continue" && reason !== "bound" &&
    lease.accountId !== owner;
}

async function attemptWith(
  inbound: Inbound,
  { lease }: Chosen,
  proxy: Proxy,
): Promise<Attempt> {
  try {
    const attempt = await tryOnce(inbound, lease, proxy);
    proxy.pool.judge(lease, attempt.verdict);
    inbound.attempts.push({
      accountId: lease.accountId,
      verdict: attempt.verdict.kind,
      status: attempt.response?.status ?? null,
    });
    return attempt;
  } catch (cause) {
    lease.close(null);
    throw cause;
  }
}

function standing(
  counts: Counts,
  { peek }: Inbound,
  proxy: Proxy,
): Standing {
  const snapshot = proxy.pool.snapshot();
  return {
    ...counts,
    now: snapshot.at,
    clientRetries: peek.retryCount,
    retriesLeft: retriesLeft(snapshot),
    jitter: proxy.entropy.random(),
  };
}

/** Verdicts that the pool keeps: going elsewhere after one of them is no guess. */
const TOLD_TO_THE_POOL: ReadonlySet<Attempt["verdict"]["kind"]> = new Set([
  "exhausted",
  "throttled",
  "credential",
  "not_entitled",
  "not_here",
]);

/** Counts of what went wrong, by the verdict that was given. */
function counted(counts: Counts, { verdict }: Attempt, step: NextStep): Counts {
  const isHop = step.kind === "reroute" && !TOLD_TO_THE_POOL.has(verdict.kind);
  const isUnsent = verdict.kind === "unreachable" && !verdict.sent;
  const isFailure = verdict.kind === "failed" || verdict.kind === "overloaded";
  return {
    failures: counts.failures + (isFailure ? 1 : 0),
    renewals: counts.renewals,
    unsent: counts.unsent + (isUnsent ? 1 : 0),
    hops: counts.hops + (isHop ? 1 : 0),
  };
}

/** Whether the answer may still be the one to relay, if no other comes. */
function isRelayable(
  { response, verdict }: Attempt,
  step: NextStep,
  { facts }: Inbound,
): boolean {
  // A look-up is owed the provider's own word, whatever it is.
  if (!facts.isMetered) return response !== null;
  return response !== null && step.kind === "reroute" && !step.mayWait &&
    verdict.kind !== "credential" && !isAboutAccounts({ response, verdict });
}

/**
 * Whether the answer is a 403 about our account. The client would take it for
 * a refusal of its own login.
 */
function isAboutAccounts(
  { response, verdict }: Pick<Attempt, "response" | "verdict">,
): boolean {
  return verdict.kind === "not_entitled" && response?.status === 403;
}

function notEntitled({ verdict }: Attempt): Outcome {
  const said = verdict.kind === "not_entitled" ? verdict.said : null;
  return { kind: "not_entitled", said };
}

function unreachable({ verdict, failure }: Attempt): Outcome {
  const sent = verdict.kind !== "unreachable" || verdict.sent;
  return { kind: "unreachable", sent, failure };
}

interface Turn {
  readonly attempt: Attempt;
  readonly excluded: Set<AccountId>;
  readonly inbound: Inbound;
  readonly proxy: Proxy;
}

/** Carries out what a step asks before the next choice, and says what to wish. */
async function prepared(step: NextStep, turn: Turn): Promise<Wish> {
  const { attempt, excluded, inbound, proxy } = turn;
  const { accountId } = attempt.lease;
  switch (step.kind) {
    case "reroute":
      if (step.exclude) excluded.add(accountId);
      payFor(turn);
      return { excluded, preferred: null, mayWait: step.mayWait };
    case "retry_same": {
      payFor(turn);
      const isPaused = await inbound.hold.pause(step.afterMs, inbound.signal);
      return isPaused
        ? { excluded, preferred: accountId, mayWait: true }
        : { excluded, preferred: null, mayWait: false };
    }
    case "renew": {
      const isRenewed = await renewed(attempt, inbound, proxy);
      if (!isRenewed) excluded.add(accountId);
      const preferred = isRenewed ? accountId : null;
      return { excluded, preferred, mayWait: true };
    }
    case "relay":
    case "give_up":
      return { excluded, preferred: null, mayWait: false };
  }
}

/** One more send for the provider's fault comes out of the budget. */
function payFor({ attempt, proxy }: Turn): void {
  switch (attempt.verdict.kind) {
    case "failed":
    case "overloaded":
    case "unreachable":
      return proxy.pool.dispatch({ kind: "retry_sent", at: proxy.clock.now() });
    case "served":
    case "exhausted":
    case "throttled":
    case "credential":
    case "request_refused":
    case "request_throttled":
    case "not_entitled":
    case "not_here":
      return;
  }
}

/** Whether there is a newer credential of the account to try. */
async function renewed(
  { authorization }: Attempt,
  { signal }: Inbound,
  { credentials, journal }: Proxy,
): Promise<boolean> {
  if (authorization === null) return false;
  try {
    return await credentials.renew(authorization, signal) !== null;
  } catch (cause) {
    signal.throwIfAborted();
    // Another account may serve what this one cannot for now.
    const { accountId } = authorization;
    const reason = reasonOf(cause);
    journal.log("warn", "renewal_failed", { account: accountId, reason });
    return false;
  }
}

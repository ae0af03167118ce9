/**
 * What follows a try that did not serve the request: counts, a pause, a renewed
 * credential, what the next choice must avoid or prefer, and the answer to give
 * if there is no next one.
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
import { reasonOf } from "../errors.ts";
import type { Wish } from "./acquire.ts";
import { type Attempt, type Outcome, outcomeOf } from "./attempt.ts";
import type { Choice, RequestScope } from "./request_scope.ts";

/**
 * Verdicts that the pool remembers. After one of them the router chooses
 * another account by what it knows.
 */
const KEPT_VERDICTS: readonly Attempt["verdict"]["kind"][] = [
  "exhausted",
  "throttled",
  "credential",
  "not_entitled",
  "not_here",
];

/** The tries of one request so far, and what they allow next. */
export class Tries {
  readonly #scope: RequestScope;
  readonly #excluded = new Set<AccountId>();
  readonly #renewed = new Set<AccountId>();
  #counts: Pick<Standing, "failures" | "unsent" | "hops"> = FIRST_ATTEMPT;
  #fallback: Outcome | null = null;

  constructor(scope: RequestScope) {
    this.#scope = scope;
  }

  /** Returns what to do after `attempt`. */
  stepAfter({ accountId, verdict }: Attempt): NextStep {
    const { inbound, proxy } = this.#scope;
    const snapshot = proxy.pool.snapshot();
    const step = nextStep(verdict, {
      ...this.#counts,
      renewals: this.#renewed.has(accountId) ? 1 : 0,
      now: snapshot.at,
      clientRetries: inbound.peek.retryCount,
      retriesLeft: retriesLeft(snapshot),
      jitter: proxy.entropy.random(),
    });
    if (step.kind === "renew") this.#renewed.add(accountId);
    return step;
  }

  /** Carries out `step` and returns the wish for the next choice. */
  async wishAfter(attempt: Attempt, step: NextStep): Promise<Wish> {
    this.#count(attempt, step);
    const { inbound, hold } = this.#scope;
    const { accountId } = attempt;
    const excluded = this.#excluded;
    switch (step.kind) {
      case "reroute":
        if (step.exclude) excluded.add(accountId);
        this.#payFor(attempt);
        return { excluded, preferred: null, mayWait: step.mayWait };
      case "retry_same": {
        this.#payFor(attempt);
        const isPaused = await hold.pause(step.afterMs, inbound.signal);
        return isPaused
          ? { excluded, preferred: accountId, mayWait: true }
          : { excluded, preferred: null, mayWait: false };
      }
      case "renew": {
        const isRenewed = await this.#renew(attempt);
        if (!isRenewed) excluded.add(accountId);
        const preferred = isRenewed ? accountId : null;
        return { excluded, preferred, mayWait: true };
      }
      case "relay":
      case "give_up":
        return { excluded, preferred: null, mayWait: false };
    }
  }

  /** Keeps what `attempt` is worth if no other account answers better. */
  keep(attempt: Attempt, choice: Choice, step: NextStep): void {
    const { verdict, response } = attempt;
    if (verdict.kind === "unreachable" || this.#mayBeRelayed(attempt, step)) {
      this.#fallback = outcomeOf(attempt, choice);
      return;
    }
    response?.body.cancel();
    const isRefused = verdict.kind === "not_entitled" && response !== null;
    if (!isRefused) return;
    this.#fallback = { kind: "not_entitled", said: verdict.said };
  }

  /** Returns what was kept, for the client, and keeps it no longer. */
  takeFallback(): Outcome | null {
    const fallback = this.#fallback;
    this.#fallback = null;
    return fallback;
  }

  /** Gives up the answer that was kept, so that its connection is free. */
  dropFallback(): void {
    const fallback = this.takeFallback();
    if (fallback?.kind === "relay") fallback.attempt.response.body.cancel();
  }

  #mayBeRelayed({ response, verdict }: Attempt, step: NextStep): boolean {
    if (response === null) return false;
    // A look-up gets the provider's own answer, whatever it is.
    if (!this.#scope.inbound.facts.isMetered) return true;
    // A 403 about our account would look like a refusal of the client's login.
    const isAboutAccount = verdict.kind === "credential" ||
      verdict.kind === "not_entitled" && response.status === 403;
    return step.kind === "reroute" && !step.mayWait && !isAboutAccount;
  }

  #count({ verdict }: Attempt, step: NextStep): void {
    const isHop = step.kind === "reroute" &&
      !KEPT_VERDICTS.includes(verdict.kind);
    const isUnsent = verdict.kind === "unreachable" && !verdict.sent;
    const isFailure = verdict.kind === "failed" ||
      verdict.kind === "overloaded";
    const { failures, unsent, hops } = this.#counts;
    this.#counts = {
      failures: failures + (isFailure ? 1 : 0),
      unsent: unsent + (isUnsent ? 1 : 0),
      hops: hops + (isHop ? 1 : 0),
    };
  }

  /** Takes one more send out of the retry budget if the provider was at fault. */
  #payFor({ verdict }: Attempt): void {
    const { pool, clock } = this.#scope.proxy;
    switch (verdict.kind) {
      case "failed":
      case "overloaded":
      case "unreachable":
        return pool.dispatch({ kind: "retry_sent", at: clock.now() });
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

  /** Whether the account now has a newer credential to try. */
  async #renew({ authorization }: Attempt): Promise<boolean> {
    if (authorization === null) return false;
    const { inbound: { signal }, proxy } = this.#scope;
    try {
      return await proxy.credentials.renew(authorization, signal) !== null;
    } catch (cause) {
      signal.throwIfAborted();
      // Another account may serve what this one cannot for now.
      const { accountId: account } = authorization;
      const reason = reasonOf(cause);
      proxy.journal.log("warn", "renewal_failed", { account, reason });
      return false;
    }
  }
}

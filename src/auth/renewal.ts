/**
 * When a credential serves, when its refresh token may not be spent, how a
 * renewal can end, and how long nothing is tried after a failed one.
 *
 * @module
 */

import { after, type Instant, MINUTE_MS, SECOND_MS } from "../core/time.ts";
import type { Clock, Secret, VaultEntry } from "../ports.ts";
import { isDead } from "../lineage.ts";
import { isOAuth, type OAuthEntry } from "./provider.ts";

/**
 * A token refused this soon after it was made does not get better by renewing
 * it again.
 */
const FLOOR_MS = 10 * SECOND_MS;
/** How long before its end a token is renewed. */
const AHEAD_MS = 5 * MINUTE_MS;
/**
 * For a short-lived token, only this part of its life is given up by renewing
 * ahead.
 */
const AHEAD_PART = 1 / 4;

/** Why an account needs a new login. */
export const DEAD_TOKEN = "the provider no longer accepts this login";

/**
 * Returns whether `entry` serves: it holds another token than `refused`, or
 * with null, a token that is not about to end.
 */
export function isGood(
  entry: VaultEntry,
  refused: Secret | null,
  now: Instant,
): boolean {
  if (!isOAuth(entry)) return refused === null;
  const { accessToken, expiresAt } = entry.credential;
  const leftMs = expiresAt - now;
  if (refused !== null) return !accessToken.equals(refused) && leftMs > 0;
  const lifeMs = Math.max(0, expiresAt - entry.savedAt);
  return leftMs > Math.min(AHEAD_MS, lifeMs * AHEAD_PART);
}

/**
 * Returns whether the access token of `entry` has ended by its own note. That
 * decides when to renew, and never whose a login is or which of two is newer.
 */
export function hasEnded(entry: OAuthEntry, now: Instant): boolean {
  return entry.credential.expiresAt <= now;
}

/** Why a refresh token may not be spent now. */
type Reluctance =
  /** Only a person can help. */
  | { readonly kind: "dead"; readonly reason: string }
  /** The token was made a moment ago: time may help, another renewal hardly. */
  | { readonly kind: "fresh"; readonly reason: string };

/** Returns why the refresh token of `entry` may not be spent now, or null. */
export function whyNotSpent(
  entry: OAuthEntry,
  refused: Secret | null,
  now: Instant,
): Reluctance | null {
  if (isDead(entry)) return { kind: "dead", reason: deadReason(entry, now) };
  const ageMs = now - entry.savedAt;
  return refused !== null && ageMs >= 0 && ageMs < FLOOR_MS
    ? {
      kind: "fresh",
      reason: "the provider refuses a token that it has just given",
    }
    : null;
}

/** Returns why a dead login is dead: its time was up, or it was refused. */
export function deadReason(entry: VaultEntry, now: Instant): string {
  const { credential } = entry;
  const endsAt = credential.kind === "oauth" ? credential.signInEndsAt : null;
  return endsAt !== null && endsAt <= now ? ENDED_SIGN_IN : DEAD_TOKEN;
}

/** Why a login needs a person again although nothing has refused it. */
export const ENDED_SIGN_IN = "its sign-in ended 30 days after its login";

/** While the provider refuses, it is asked at most this often. */
const PAUSE_MIN_MS = MINUTE_MS;
const PAUSE_MAX_MS = 15 * MINUTE_MS;
/** A token that was refused as it arrived may soon be known to all servers. */
const FRESH_PAUSE_MIN_MS = 15 * SECOND_MS;
/** A lock, a disk or an owner is asked again sooner than the provider. */
const LOCAL_PAUSE_MS = 5 * SECOND_MS;

export type Renewal =
  | { readonly kind: "usable"; readonly entry: VaultEntry }
  | { readonly kind: "needs_login"; readonly reason: string }
  /** The account was removed. */
  | { readonly kind: "gone" }
  | {
    readonly kind: "failed";
    readonly reason: string;
    readonly retryAt: Instant;
  };

export type FailedRenewal = Extract<Renewal, { readonly kind: "failed" }>;

/**
 * The pause after failures. It doubles with each failure, and a success ends
 * it.
 */
export class RenewalPause {
  readonly #clock: Clock;
  #failures = 0;
  /** New tokens that were refused at once since the last one that served. */
  #freshRefusals = 0;
  #renewal: Renewal | null = null;
  #untilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /**
   * The result to return instead of trying, or null if a renewal may be tried.
   */
  get renewal(): Renewal | null {
    return this.#clock.monotonicMs() < this.#untilMs ? this.#renewal : null;
  }

  /**
   * Notes that the provider failed; `retryAfterMs` is the pause that it asks
   * for, or null.
   */
  afterRefusal(reason: string, retryAfterMs: number | null): FailedRenewal {
    this.#failures += 1;
    const growingMs = PAUSE_MIN_MS * 2 ** (this.#failures - 1);
    const waitMs = Math.max(growingMs, retryAfterMs ?? 0);
    return this.#failed(reason, Math.min(waitMs, PAUSE_MAX_MS));
  }

  /** Notes that a token was refused a moment after it was given. */
  afterFreshRefusal(reason: string): FailedRenewal {
    const waitMs = FRESH_PAUSE_MIN_MS * 2 ** this.#freshRefusals;
    this.#freshRefusals += 1;
    return this.#failed(reason, Math.min(waitMs, PAUSE_MAX_MS));
  }

  forgetRefusals(): void {
    this.#freshRefusals = 0;
  }

  /** Notes that something on this machine failed. */
  afterFault(reason: string): FailedRenewal {
    return this.#failed(reason, LOCAL_PAUSE_MS);
  }

  /**
   * Keeps `renewal` as the best available, so that it is not requested by every
   * request.
   */
  settleFor(renewal: Renewal): void {
    this.#renewal = renewal;
    this.#untilMs = this.#clock.monotonicMs() + LOCAL_PAUSE_MS;
  }

  clear(): void {
    this.#failures = 0;
    this.#renewal = null;
    this.#untilMs = 0;
  }

  #failed(reason: string, waitMs: number): FailedRenewal {
    const retryAt = after(this.#clock.now(), waitMs);
    const renewal: FailedRenewal = { kind: "failed", reason, retryAt };
    this.#renewal = renewal;
    this.#untilMs = this.#clock.monotonicMs() + waitMs;
    return renewal;
  }
}

// Waiting for work that others also wait for: giving up does not stop the work.

interface Patience {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How long to wait; null waits until `signal` aborts. */
  readonly limitMs: number | null;
}

/** Returns the result of `work`, or null if the limit passed first. */
export async function within<Result>(
  work: Promise<Result>,
  { clock, signal, limitMs }: Patience,
): Promise<Result | null> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const end = limitMs === null
    ? aborted(either)
    : clock.sleep(limitMs, either).then(() => null, () => null);
  try {
    return await Promise.race([work, end]);
  } finally {
    stop.abort();
  }
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(null);
    signal.addEventListener("abort", () => resolve(null), { once: true });
  });
}

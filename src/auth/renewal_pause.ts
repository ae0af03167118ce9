/**
 * How a renewal can end, and how long nothing is tried after one that failed.
 *
 * @module
 */

import { after, type Instant, MINUTE_MS, SECOND_MS } from "../core/time.ts";
import type { Clock, VaultEntry } from "../ports.ts";

/** The provider is asked once a minute at most while it refuses. */
const PAUSE_MIN_MS = MINUTE_MS;
const PAUSE_MAX_MS = 15 * MINUTE_MS;
/** A token that was refused as it came may be known to all servers soon. */
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

/** The rest after failures: it doubles, and success ends it. */
export class RenewalPause {
  readonly #clock: Clock;
  #failures = 0;
  /** New tokens that were refused at once, since the last that served. */
  #freshRefusals = 0;
  #renewal: Renewal | null = null;
  #untilMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** What to answer instead of trying, or null when it may be tried. */
  get renewal(): Renewal | null {
    return this.#clock.monotonicMs() < this.#untilMs ? this.#renewal : null;
  }

  /** The provider failed; `retryAfterMs` is what it asks for, or null. */
  afterRefusal(reason: string, retryAfterMs: number | null): FailedRenewal {
    this.#failures += 1;
    const growingMs = PAUSE_MIN_MS * 2 ** (this.#failures - 1);
    const waitMs = Math.max(growingMs, retryAfterMs ?? 0);
    return this.#failed(reason, Math.min(waitMs, PAUSE_MAX_MS));
  }

  /** A token was refused a moment after it was given. */
  afterFreshRefusal(reason: string): FailedRenewal {
    const waitMs = FRESH_PAUSE_MIN_MS * 2 ** this.#freshRefusals;
    this.#freshRefusals += 1;
    return this.#failed(reason, Math.min(waitMs, PAUSE_MAX_MS));
  }

  forgetRefusals(): void {
    this.#freshRefusals = 0;
  }

  /** Something of this machine failed. */
  afterFault(reason: string): FailedRenewal {
    return this.#failed(reason, LOCAL_PAUSE_MS);
  }

  /** `renewal` is the best there is; it need not be asked for at every request. */
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

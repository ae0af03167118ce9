/**
 * The waiting of one request: silent at first, then with its stream open and
 * pings in it, and never longer than its limit.
 *
 * @module
 */

import { after, type Instant } from "../core/time.ts";
import type { Clock } from "../ports.ts";

/** How long requests may wait, and how many. */
export interface HoldLimits {
  /** Longest wait of a stream. Claude Code accepts pings for 600 s (measured). */
  readonly maxMs: number;
  /** Longest wait of a request for a plain answer, which gets no byte meanwhile. */
  readonly jsonMaxMs: number;
  /** A wait without a byte, so that most waits end in an ordinary answer. */
  readonly silentMs: number;
  readonly pingMs: number;
  /** The most requests held at once; further ones are answered at once. */
  readonly requestsMax: number;
  /** The answer to a client whose wait is longer than any hold: `hold.beyond`. */
  readonly beyond: "limit" | "retry";
}

/** Counts the held requests of the server. */
export class HoldDesk {
  readonly limits: HoldLimits;
  #held = 0;

  constructor(limits: HoldLimits) {
    this.limits = limits;
  }

  get held(): number {
    return this.#held;
  }

  get isFull(): boolean {
    return this.#held >= this.limits.requestsMax;
  }

  enter(): void {
    this.#held++;
  }

  leave(): void {
    this.#held--;
  }
}

/** How a request may wait: not at all, without a byte, or with pings. */
export type HoldManner = "none" | "silent" | "pings";

/** The waits of one request, all together within its limit. */
export class Hold {
  readonly #desk: HoldDesk;
  readonly #manner: HoldManner;
  readonly #clock: Clock;
  readonly #open: () => void;
  #waitedMs = 0;
  #since: number | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** `open` is called if the silent part ends while the request still waits. */
  constructor(
    desk: HoldDesk,
    manner: HoldManner,
    { clock, open }: { readonly clock: Clock; readonly open: () => void },
  ) {
    this.#desk = desk;
    this.#manner = manner;
    this.#clock = clock;
    this.#open = open;
  }

  /** The time that the request has waited so far, in all its waits. */
  get waitedMs(): number {
    const running = this.#since === null
      ? 0
      : this.#clock.monotonicMs() - this.#since;
    return this.#waitedMs + running;
  }

  /** Returns the instant at which the request has waited as long as it may. */
  giveUpAt(): Instant {
    return after(this.#clock.now(), this.#leftMs);
  }

  get #leftMs(): number {
    const { maxMs, jsonMaxMs } = this.#desk.limits;
    const boundMs = this.#manner === "pings"
      ? maxMs
      : this.#manner === "silent"
      ? jsonMaxMs
      : 0;
    return Math.max(0, boundMs - this.waitedMs);
  }

  get isWaiting(): boolean {
    return this.#since !== null;
  }

  /** Starts a wait or continues it; returns false if too many requests wait. */
  begin(): boolean {
    if (this.#since !== null) return true;
    if (this.#desk.isFull) return false;
    this.#desk.enter();
    this.#since = this.#clock.monotonicMs();
    if (this.#manner === "pings") {
      const silentMs = Math.max(0, this.#desk.limits.silentMs - this.#waitedMs);
      this.#timer = setTimeout(this.#open, silentMs);
    }
    return true;
  }

  /**
   * Pauses before the same account is asked again. A pause counts as a wait, so
   * that a stream gets pings. Returns false at once if the pause is a long one
   * and too many requests wait, or it would outlast the rest of the hold. Throws
   * the signal's reason.
   */
  async pause(ms: number, signal: AbortSignal): Promise<boolean> {
    const isLong = ms > this.#desk.limits.silentMs;
    if (isLong && ms > this.#leftMs) return false;
    if (!this.begin() && isLong) return false;
    try {
      await this.#clock.sleep(ms, signal);
    } finally {
      this.end();
    }
    return true;
  }

  /**
   * Opens the client's stream after the silent part although the request does
   * not wait for an account: an upstream pings and has not begun its answer.
   * Returns the function that cancels this.
   */
  openLater(): () => void {
    if (this.#manner !== "pings") return () => {};
    const timer = setTimeout(this.#open, this.#desk.limits.silentMs);
    return () => clearTimeout(timer);
  }

  /** Ends the wait; harmless if there is none. */
  end(): void {
    if (this.#since === null) return;
    this.#waitedMs = this.waitedMs;
    this.#since = null;
    this.#desk.leave();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

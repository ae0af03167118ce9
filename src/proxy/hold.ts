/**
 * The waiting of one request: silent at first, then with the stream open and
 * pings in it, and never longer than its bound.
 *
 * @module
 */

import { after, type Instant } from "../core/time.ts";
import type { Clock } from "../ports.ts";

export interface HoldLimits {
  /** Longest wait of a stream. Claude Code bears pings for 600 s (measured). */
  readonly maxMs: number;
  /** Longest wait of a request whose answer is no stream: no byte can be sent. */
  readonly jsonMaxMs: number;
  /** A wait without a byte, so that most waits still end in a plain answer. */
  readonly silentMs: number;
  readonly pingMs: number;
  /** Requests held at once; the next one is answered instead. */
  readonly requestsMax: number;
  /** What a client is told that no hold can help: `hold.beyond`. */
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

export class Hold {
  readonly #desk: HoldDesk;
  readonly #manner: HoldManner;
  readonly #clock: Clock;
  readonly #open: () => void;
  /** Resolves once the silent part is over while the request still waits. */
  readonly opened: Promise<void>;
  #waitedMs = 0;
  #since: number | null = null;
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(desk: HoldDesk, manner: HoldManner, clock: Clock) {
    this.#desk = desk;
    this.#manner = manner;
    this.#clock = clock;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.opened = promise;
    this.#open = resolve;
  }

  get manner(): HoldManner {
    return this.#manner;
  }

  /** Time spent waiting so far, all waits of the request together. */
  get waitedMs(): number {
    const running = this.#since === null
      ? 0
      : this.#clock.monotonicMs() - this.#since;
    return this.#waitedMs + running;
  }

  /** The instant at which the request has waited as long as it may. */
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

  /** Starts the wait, or goes on with it; false when too many wait already. */
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
   * A pause before the same account is asked again. It counts as a wait, so a
   * stream gets its pings in it. False, at once, when it would be a long one
   * and too many wait already, or it would outlast what is left of the hold.
   * Throws the signal's reason.
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
   * Opens the client's stream after the silent part although nothing waits for
   * an account: an upstream pings and has not begun its answer. Returns the
   * function that calls it off.
   */
  openLater(): () => void {
    if (this.#manner !== "pings") return () => {};
    const timer = setTimeout(this.#open, this.#desk.limits.silentMs);
    return () => clearTimeout(timer);
  }

  /** Ends the wait; harmless when there is none. */
  end(): void {
    if (this.#since === null) return;
    this.#waitedMs = this.waitedMs;
    this.#since = null;
    this.#desk.leave();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }
}

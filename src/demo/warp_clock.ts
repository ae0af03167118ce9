/**
 * The demo's time. The demo plays the outside world, so it has its own clock; a
 * test gives the same clock to both sides and moves it.
 *
 * @module
 */

import type { Clock } from "../ports.ts";
import { after, type Instant, instantFromMs } from "../core/time.ts";

interface WarpClockOptions {
  /** Wall time at the start; null is the machine's. */
  readonly startAt?: Instant | null;
  /** Demo milliseconds per real one: 1 is real time, 0 moves only on demand. */
  readonly scale?: number;
}

interface Sleeper {
  readonly dueMs: number;
  readonly wake: () => void;
  timer: ReturnType<typeof setTimeout> | null;
}

/** Longest delay of `setTimeout`; sleepers wait again after it. */
const TIMER_MS_MAX = 2_147_483_647;

/** A {@linkcode Clock} that can run faster, stand still, jump or be set. */
export class WarpClock implements Clock {
  #scale: number;
  #anchorRealMs: number;
  #anchorMs = 0;
  /** Wall time minus monotonic time. */
  #wallOffsetMs: number;
  readonly #sleepers = new Set<Sleeper>();

  constructor(options: WarpClockOptions = {}) {
    this.#scale = options.scale ?? 1;
    this.#anchorRealMs = performance.now();
    this.#wallOffsetMs = options.startAt ?? Date.now();
  }

  now(): Instant {
    return instantFromMs(Math.floor(this.#wallOffsetMs + this.monotonicMs()));
  }

  monotonicMs(): number {
    return this.#anchorMs +
      (performance.now() - this.#anchorRealMs) * this.#scale;
  }

  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    signal?.throwIfAborted();
    if (ms <= 0) return Promise.resolve();
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const sleeper: Sleeper = {
      dueMs: this.monotonicMs() + ms,
      wake: resolve,
      timer: null,
    };
    this.#sleepers.add(sleeper);
    this.#arm(sleeper);
    const onAbort = () => reject(signal?.reason);
    signal?.addEventListener("abort", onAbort, { once: true });
    return promise.finally(() => {
      signal?.removeEventListener("abort", onAbort);
      this.#sleepers.delete(sleeper);
      if (sleeper.timer !== null) clearTimeout(sleeper.timer);
    });
  }

  /** Lets `ms` pass at once on both clocks; sleepers that are due wake. */
  advance(ms: number): void {
    this.#anchor(this.monotonicMs() + ms);
  }

  /** Changes how fast time runs from now on. */
  setScale(scale: number): void {
    this.#anchor(this.monotonicMs());
    this.#scale = scale;
    this.#armAll();
  }

  /** Sets only the wall clock, as a person or NTP does; nobody wakes. */
  setWall(at: Instant): void {
    this.#wallOffsetMs += at - this.now();
  }

  /** The instant `ms` from now. */
  inMs(ms: number): Instant {
    return after(this.now(), ms);
  }

  /**
   * Sleepers that wait now; other than zero at rest, something was left
   * running.
   */
  get sleeperCount(): number {
    return this.#sleepers.size;
  }

  #anchor(monotonicMs: number): void {
    this.#anchorMs = monotonicMs;
    this.#anchorRealMs = performance.now();
    this.#armAll();
  }

  #armAll(): void {
    for (const sleeper of this.#sleepers) this.#arm(sleeper);
  }

  #arm(sleeper: Sleeper): void {
    if (sleeper.timer !== null) clearTimeout(sleeper.timer);
    sleeper.timer = null;
    const leftMs = sleeper.dueMs - this.monotonicMs();
    if (leftMs <= 0) return sleeper.wake();
    if (this.#scale === 0) return;
    const realMs = Math.min(TIMER_MS_MAX, Math.ceil(leftMs / this.#scale));
    sleeper.timer = setTimeout(() => this.#arm(sleeper), realMs);
  }
}

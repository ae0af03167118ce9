/**
 * Whether somebody has set the wall clock: it is held against the one that
 * nobody can set, and against what was written down.
 *
 * @module
 */

import { after, DAY_MS, type Instant } from "../core/time.ts";
import type { Clock } from "../ports.ts";

/** Less is the gentle correction that every system makes. */
const STEP_MS_MIN = 5_000;
/** More than this does not pass without a sign. */
const LEAP_MS = 2 * DAY_MS;

/**
 * How far the clock went back since it was last asked. Forward nothing can be
 * told: a machine that slept looks the same, and time has passed then.
 */
export class SetBack {
  readonly #clock: Clock;
  #offsetMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offsetMs = offsetOf(clock);
  }

  /** In milliseconds; 0 where it went on as it should. */
  since(): number {
    const offsetMs = offsetOf(this.#clock);
    const backMs = this.#offsetMs - offsetMs;
    if (backMs > 0 && backMs < STEP_MS_MIN) return 0;
    this.#offsetMs = offsetMs;
    return Math.max(0, Math.round(backMs));
  }
}

function offsetOf(clock: Clock): number {
  return clock.now() - clock.monotonicMs();
}

/**
 * A time that may be trusted with what is removed for its age: a clock that
 * leaps ahead must not make all of it old. After a long rest of the machine it
 * catches up by and by.
 */
export class SureTime {
  readonly #clock: Clock;
  readonly #beganMs: number;
  #knownAt: Instant;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#beganMs = clock.monotonicMs();
    this.#knownAt = clock.now();
  }

  /** Something was dated `at` before this run began; null: nothing was. */
  noEarlierThan(at: Instant | null): void {
    if (at !== null && at < this.#knownAt) this.#knownAt = at;
  }

  now(): Instant {
    const ranMs = this.#clock.monotonicMs() - this.#beganMs;
    const latest = after(this.#knownAt, ranMs + LEAP_MS);
    const now = this.#clock.now();
    return now < latest ? now : latest;
  }
}

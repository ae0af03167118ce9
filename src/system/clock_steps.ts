/**
 * Detects that the wall clock was set: compares it with the monotonic clock and
 * with recorded times.
 *
 * @module
 */

import { after, DAY_MS, type Instant } from "../core/time.ts";
import type { Clock } from "../ports.ts";

/** A smaller step is the usual time correction of a system. */
const STEP_MS_MIN = 5_000;
/** A longer time does not pass without any sign of it. */
const LEAP_MS = 2 * DAY_MS;

/**
 * Measures how far the clock was set back. Forward jumps are indistinguishable
 * from sleep, so they are ignored.
 */
export class SetBack {
  readonly #clock: Clock;
  #offsetMs: number;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#offsetMs = offsetOf(clock);
  }

  /**
   * Returns the step back since the last call in milliseconds; 0 if there was
   * none.
   */
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
 * A time that is safe for removing old records: a clock that jumps ahead must
 * not make all of them old. After a long sleep of the machine it catches up
 * slowly.
 */
export class SafeTime {
  readonly #clock: Clock;
  readonly #beganMs: number;
  #knownAt: Instant;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#beganMs = clock.monotonicMs();
    this.#knownAt = clock.now();
  }

  /**
   * Notes that a record was dated `at` before this run; null: there was none.
   */
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

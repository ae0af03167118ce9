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
/** Between two looks at the monotonic clock, which costs more than the time. */
const LOOK_MS = 100;
/** A longer time does not pass without any sign of it. */
const LEAP_MS = 2 * DAY_MS;

/**
 * Measures how far the clock was set back. Forward jumps are indistinguishable
 * from sleep, so they are ignored.
 */
export class SetBack {
  readonly #clock: Clock;
  #offsetMs: number;
  #lookedAt: Instant;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#lookedAt = clock.now();
    this.#offsetMs = this.#lookedAt - clock.monotonicMs();
  }

  /**
   * Returns the step back since the last call in milliseconds, if the clock
   * shows `now`; 0 if there was none. While the time grows by little, nothing is
   * compared: a step that hides there is found by the next look.
   */
  since(now: Instant): number {
    const passedMs = now - this.#lookedAt;
    if (passedMs >= 0 && passedMs < LOOK_MS) return 0;
    this.#lookedAt = now;
    const offsetMs = now - this.#clock.monotonicMs();
    const backMs = this.#offsetMs - offsetMs;
    if (backMs > 0 && backMs < STEP_MS_MIN) return 0;
    this.#offsetMs = offsetMs;
    return Math.max(0, Math.round(backMs));
  }
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

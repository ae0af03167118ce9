/**
 * Whether somebody has set the wall clock: it is held against the one that
 * nobody can set.
 *
 * @module
 */

import type { Clock } from "../ports.ts";

/** Less is the gentle correction that every system makes. */
const STEP_MS_MIN = 5_000;

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

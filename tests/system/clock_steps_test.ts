/** A wall clock that somebody sets, seen from inside. */

import { strictEqual } from "node:assert/strict";
import { SafeTime, SetBack } from "../../src/system/clock_steps.ts";
import {
  after,
  DAY_MS,
  HOUR_MS,
  type Instant,
  instantFromMs,
} from "../../src/core/time.ts";
import type { Clock } from "../../src/ports.ts";

const START = instantFromMs(1_800_000_000_000);

class SetClock implements Clock {
  wall: Instant = START;
  ranMs = 0;

  now(): Instant {
    return this.wall;
  }

  monotonicMs(): number {
    return this.ranMs;
  }

  sleep(): Promise<void> {
    return Promise.resolve();
  }

  /** Time passes, and besides the wall clock is set by `setMs`. */
  pass(ms: number, setMs = 0): void {
    this.ranMs += ms;
    this.wall = after(this.wall, ms + setMs);
  }
}

Deno.test("SetBack tells a clock that went back, once, and no other", () => {
  const clock = new SetClock();
  const setBack = new SetBack(clock);
  clock.pass(60_000);
  strictEqual(setBack.since(), 0);
  clock.pass(1_000, -8 * HOUR_MS);
  strictEqual(setBack.since(), 8 * HOUR_MS);
  strictEqual(setBack.since(), 0);
  // Ahead, as after a sleep of the machine.
  clock.pass(1_000, DAY_MS);
  strictEqual(setBack.since(), 0);
  clock.pass(1_000, -DAY_MS);
  strictEqual(setBack.since(), DAY_MS);
});

Deno.test("SetBack leaves the gentle correction of a clock alone", () => {
  const clock = new SetClock();
  const setBack = new SetBack(clock);
  clock.pass(1_000, -400);
  strictEqual(setBack.since(), 0);
});

Deno.test("SafeTime does not believe a clock that leaps ten years", () => {
  const clock = new SetClock();
  const sure = new SafeTime(clock);
  clock.pass(HOUR_MS);
  strictEqual(sure.now(), after(START, HOUR_MS));
  clock.pass(0, 3_650 * DAY_MS);
  strictEqual(sure.now(), after(START, HOUR_MS + 2 * DAY_MS));
  clock.pass(0, -3_650 * DAY_MS);
  strictEqual(sure.now(), after(START, HOUR_MS));
});

Deno.test("SafeTime holds a clock that begins wrong against what was written", () => {
  const clock = new SetClock();
  const sure = new SafeTime(clock);
  sure.noEarlierThan(null);
  sure.noEarlierThan(after(START, -3_650 * DAY_MS));
  strictEqual(sure.now(), after(START, -3_648 * DAY_MS));
});

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

Deno.test("SetBack reports a clock that was set back, once, and nothing else", () => {
  const clock = new SetClock();
  const setBack = new SetBack(clock);
  clock.pass(60_000);
  strictEqual(setBack.since(clock.now()), 0);
  clock.pass(1_000, -8 * HOUR_MS);
  strictEqual(setBack.since(clock.now()), 8 * HOUR_MS);
  strictEqual(setBack.since(clock.now()), 0);
  // Ahead, as after a sleep of the machine.
  clock.pass(1_000, DAY_MS);
  strictEqual(setBack.since(clock.now()), 0);
  clock.pass(1_000, -DAY_MS);
  strictEqual(setBack.since(clock.now()), DAY_MS);
});

Deno.test("SetBack finds a step that hid in a short time at its next look", () => {
  const clock = new SetClock();
  const setBack = new SetBack(clock);
  clock.pass(HOUR_MS + 50, -HOUR_MS);
  strictEqual(setBack.since(clock.now()), 0);
  clock.pass(50);
  strictEqual(setBack.since(clock.now()), HOUR_MS);
});

Deno.test("SetBack ignores the usual correction of a clock", () => {
  const clock = new SetClock();
  const setBack = new SetBack(clock);
  clock.pass(1_000, -400);
  strictEqual(setBack.since(clock.now()), 0);
});

Deno.test("SafeTime does not follow a clock that jumps ten years", () => {
  const clock = new SetClock();
  const sure = new SafeTime(clock);
  clock.pass(HOUR_MS);
  strictEqual(sure.now(), after(START, HOUR_MS));
  clock.pass(0, 3_650 * DAY_MS);
  strictEqual(sure.now(), after(START, HOUR_MS + 2 * DAY_MS));
  clock.pass(0, -3_650 * DAY_MS);
  strictEqual(sure.now(), after(START, HOUR_MS));
});

Deno.test("SafeTime compares a wrong clock at the start with recorded times", () => {
  const clock = new SetClock();
  const sure = new SafeTime(clock);
  sure.noEarlierThan(null);
  sure.noEarlierThan(after(START, -3_650 * DAY_MS));
  strictEqual(sure.now(), after(START, -3_648 * DAY_MS));
});

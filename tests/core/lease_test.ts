import { ok, strictEqual } from "node:assert/strict";
import {
  type ConcurrencyGate,
  newGate,
  started,
  throttled,
} from "../../src/core/lease.ts";
import { DEFAULT_ROUTE_SETTINGS } from "../../src/core/settings.ts";
import { inSeconds, NOW } from "../fixtures/pool.ts";

/** A gate with `count` starts, one every `stepSec`, then one throttle. */
function throttledAfter(count: number, stepSec: number): ConcurrencyGate {
  let gate = newGate(DEFAULT_ROUTE_SETTINGS);
  for (let index = 0; index < count; index++) {
    gate = started(gate, inSeconds(index * stepSec));
  }
  const at = inSeconds(count * stepSec);
  return throttled(gate, at, { inFlight: 5, startedAt: at });
}

Deno.test("throttled() learns a limit per minute from a minute's starts", () => {
  // 20 starts in 60 s, of which the oldest is just out of the minute.
  strictEqual(throttledAfter(20, 3).perMinuteCap, 0.95 * 19);
  // Too few to tell.
  strictEqual(throttledAfter(9, 6).perMinuteCap, null);
});

Deno.test("throttled() learns no limit per minute from a burst", () => {
  const gate = throttledAfter(40, 0.1);
  strictEqual(gate.perMinuteCap, null);
  // The limit on requests in flight learns from it all the same.
  strictEqual(gate.cap, 0.5 * 10 + 0.375 * 5);
  ok(gate.lastThrottledAt !== null && gate.lastThrottledAt > NOW);
});

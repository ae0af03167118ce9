import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import {
  type ConcurrencyGate,
  inFlightCap,
  limitAt,
  newGate,
  perMinuteCap,
  refusedAt,
  started,
  StartTimes,
  throttled,
} from "../../src/core/pool/lease.ts";
import { DEFAULT_ROUTE_SETTINGS } from "../../src/core/settings.ts";
import { after, type Instant, MINUTE_MS } from "../../src/core/time.ts";
import { inSeconds, NOW } from "../fixtures/pool.ts";
import { trials } from "../fixtures/trials.ts";

/** A minute with `count` starts that ends in a throttle, `minute` minutes on. */
function minuteWith(
  gate: ConcurrencyGate,
  count: number,
  minute: number,
): ConcurrencyGate {
  const fromSec = minute * 60;
  let next = gate;
  for (let index = 0; index < count; index++) {
    next = started(next, inSeconds(fromSec + index * 60 / count));
  }
  const at = inSeconds(fromSec + 60);
  return throttled(next, at, { inFlight: 5, startedAt: at });
}

const FRESH = newGate(DEFAULT_ROUTE_SETTINGS);

Deno.test("one throttle binds nothing, a second at a like rate binds both limits", () => {
  const once = minuteWith(FRESH, 20, 0);
  const at = inSeconds(60);
  strictEqual(perMinuteCap(once, at), Infinity);
  strictEqual(inFlightCap(once, at), FRESH.cap);
  const twice = minuteWith(once, 20, 1);
  const later = inSeconds(120);
  // 20 starts in 60 s, of which the oldest is just out of the minute.
  strictEqual(perMinuteCap(twice, later), 0.95 * 19);
  strictEqual(inFlightCap(twice, later), 0.75 * 5);
});

Deno.test("throttles at unlike rates, or long after each other, bind nothing", () => {
  const unlike = minuteWith(minuteWith(FRESH, 60, 0), 20, 1);
  strictEqual(perMinuteCap(unlike, inSeconds(120)), Infinity);
  const late = minuteWith(minuteWith(FRESH, 20, 0), 20, 15);
  strictEqual(perMinuteCap(late, inSeconds(16 * 60)), Infinity);
  strictEqual(inFlightCap(late, inSeconds(16 * 60)), FRESH.cap);
});

Deno.test("few starts, a burst, and one request in flight say nothing of limits", () => {
  const few = minuteWith(minuteWith(FRESH, 9, 0), 9, 1);
  strictEqual(few.perMinute, null);
  let burst = FRESH;
  for (const second of [0, 100]) {
    for (let index = 0; index < 40; index++) {
      burst = started(burst, inSeconds(second + index / 10));
    }
    const at = inSeconds(second + 4);
    burst = throttled(burst, at, { inFlight: 1, startedAt: at });
  }
  strictEqual(burst.perMinute, null);
  strictEqual(burst.inFlight, null);
  ok(burst.lastThrottledAt !== null && burst.lastThrottledAt > NOW);
});

Deno.test("a learned limit opens by half of the way each minute without a refusal", () => {
  const rule = { share: 0.75, least: 2, evidence: 3 };
  const first = refusedAt(null, 8, { at: NOW, rule });
  const known = refusedAt(first, 8, { at: NOW, rule });
  const limits = [0, 1, 2, 3, 4, 5].map((minutes) =>
    limitAt(known, 30, after(NOW, minutes * MINUTE_MS))
  );
  strictEqual(limits[0], 6);
  strictEqual(limits[1], 18);
  strictEqual(limits[2], 24);
  strictEqual(limits[3], 27);
  strictEqual(limits[5], Infinity);
});

Deno.test("a limit that binds is confirmed by a refusal at any level", () => {
  const rule = { share: 0.75, least: 2, evidence: 3 };
  let known = refusedAt(null, 8, { at: NOW, rule });
  known = refusedAt(known, 8, { at: NOW, rule });
  for (const level of [3, 30]) {
    const after = refusedAt(known, level, { at: NOW, rule });
    ok(limitAt(after, 64, NOW) <= limitAt(known, 64, NOW), String(level));
  }
});

Deno.test("StartTimes counts the starts of a minute, and copies share nothing", () => {
  const gap = fc.integer({ min: 0, max: 20_000 });
  fc.assert(
    fc.property(fc.array(gap, { maxLength: 80 }), gap, (gaps, branchMs) => {
      let at = NOW;
      let times = StartTimes.of([]);
      let list: Instant[] = [];
      let other: { times: StartTimes; list: readonly Instant[] } | null = null;
      for (const [index, ms] of gaps.entries()) {
        at = after(at, ms);
        // Two copies of one list go on in different ways.
        if (index === 10) {
          const apart = after(at, branchMs);
          other = { times: times.with(apart), list: [...list, apart] };
        }
        times = times.with(at);
        list = [...list, at];
        deepStrictEqual(times.within(at), plainWithin(list, at));
        strictEqual(times.newest, at);
      }
      if (other === null) return;
      deepStrictEqual(other.times.within(at), plainWithin(other.list, at));
    }),
    { numRuns: trials(300, 3_000) },
  );
});

Deno.test("StartTimes remembers the last 600 starts of a minute", () => {
  let times = StartTimes.of([]);
  for (let index = 0; index < 5_000; index++) {
    times = times.with(after(NOW, index));
  }
  const at = after(NOW, 4_999);
  deepStrictEqual(times.within(at), { count: 600, oldest: after(NOW, 4_400) });
});

function plainWithin(
  list: readonly Instant[],
  at: Instant,
): ReturnType<StartTimes["within"]> {
  const recent = list.filter((time) => time > at - MINUTE_MS);
  return { count: recent.length, oldest: recent[0] ?? null };
}

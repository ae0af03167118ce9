import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import {
  answered,
  type ConcurrencyGate,
  inFlightCap,
  limitAt,
  type LimitRule,
  type Load,
  loadAt,
  newGate,
  overflowStepMs,
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
  return throttled(next, at, { load: loadAt(next, at, 4), startedAt: at });
}

/** The gate after a request that started under `load` was served. */
function servedUnder(
  gate: ConcurrencyGate,
  load: Load,
  seconds: number,
): ConcurrencyGate {
  const at = inSeconds(seconds);
  return answered(gate, at, {
    inFlight: load.inFlight,
    load,
    startedAt: at,
    max: 64,
  });
}

/** The gate after a request that started under `load` was refused. */
function refusedUnder(
  gate: ConcurrencyGate,
  load: Load,
  seconds: number,
): ConcurrencyGate {
  const at = inSeconds(seconds);
  return throttled(gate, at, { load, startedAt: at });
}

const FRESH = newGate(DEFAULT_ROUTE_SETTINGS);
const MINUTE = 60;
const HOUR = 60 * MINUTE;

Deno.test("one throttle of few requests binds nothing, a second at a like rate binds both limits", () => {
  const once = minuteWith(FRESH, 20, 0);
  const at = inSeconds(60);
  strictEqual(perMinuteCap(once, at), Infinity);
  strictEqual(inFlightCap(once, at), FRESH.cap);
  const twice = minuteWith(once, 20, 1);
  const later = inSeconds(120);
  // 20 starts in 60 s, of which the oldest is just out of the minute.
  strictEqual(perMinuteCap(twice, later), 0.95 * 20);
  // Four were in flight besides the one that was refused.
  strictEqual(inFlightCap(twice, later), 4);
});

Deno.test("throttles at unlike rates, or long after each other, bind nothing", () => {
  const unlike = minuteWith(minuteWith(FRESH, 60, 0), 20, 1);
  strictEqual(perMinuteCap(unlike, inSeconds(120)), Infinity);
  const late = minuteWith(minuteWith(FRESH, 20, 0), 20, 15);
  strictEqual(perMinuteCap(late, inSeconds(16 * 60)), Infinity);
  strictEqual(inFlightCap(late, inSeconds(16 * 60)), FRESH.cap);
});

Deno.test("few starts, a burst, and one request in flight say nothing of limits", () => {
  const few = minuteWith(minuteWith(FRESH, 8, 0), 8, 1);
  strictEqual(few.perMinute, null);
  let burst = FRESH;
  for (const second of [0, 100]) {
    for (let index = 0; index < 40; index++) {
      burst = started(burst, inSeconds(second + index / 10));
    }
    const at = inSeconds(second + 4);
    burst = throttled(burst, at, { load: loadAt(burst, at, 0), startedAt: at });
  }
  strictEqual(burst.perMinute, null);
  strictEqual(burst.inFlight, null);
  ok(burst.lastThrottledAt !== null && burst.lastThrottledAt > NOW);
});

Deno.test("a fleet's first throttle keeps it just below what was refused, not below what was served", () => {
  const gate = refusedUnder({ ...FRESH, cap: 20 }, fleetOf(15), 0);
  strictEqual(inFlightCap(gate, inSeconds(1)), 14);
  strictEqual(inFlightCap(gate, inSeconds(9 * MINUTE)), 14);
});

/** What the last of `inFlight` requests at once finds, at no certain rate. */
function fleetOf(inFlight: number): Load {
  return { inFlight, perMinute: null };
}

Deno.test("a learned limit opens within minutes to what was served, and its level is tried ever more rarely", () => {
  let gate: ConcurrencyGate = { ...FRESH, cap: 20 };
  const at = (seconds: number) => inFlightCap(gate, inSeconds(seconds));
  gate = refusedUnder(gate, fleetOf(15), 0);
  // After ten minutes one more may try, and is refused: a pause of 40 minutes.
  strictEqual(at(10 * MINUTE), 14);
  const known = gate.inFlight;
  ok(known !== null);
  strictEqual(limitAt(known, inSeconds(10 * MINUTE), RULE), 15);
  gate = refusedUnder({ ...gate, cap: 20 }, fleetOf(15), 10 * MINUTE);
  gate = { ...gate, cap: 20 };
  strictEqual(at(10 * MINUTE + 1), 0.75 * 15 + 2.75 * (1 - 0.5 ** (1 / 60)));
  strictEqual(at(13 * MINUTE), 14);
  strictEqual(at(49 * MINUTE), 14);
  strictEqual(at(50 * MINUTE), 15);
  // The next pauses are of 160 and 640 minutes, and then of twelve hours.
  for (const hours of [3, 11, 12, 12]) {
    const last = gate.inFlight?.refusedAt ?? NOW;
    const after = (last - NOW) / 1_000 + hours * HOUR;
    gate = { ...refusedUnder(gate, fleetOf(15), after), cap: 20 };
  }
  const last = ((gate.inFlight?.refusedAt ?? NOW) - NOW) / 1_000;
  strictEqual(at(last + 11 * HOUR), 14);
  strictEqual(at(last + 12 * HOUR), 15);
  // Two days without a refusal are forgotten.
  strictEqual(at(last + 48 * HOUR), 20);
});

Deno.test("as much served together as was refused lifts the limit, and less does not", () => {
  const gate = refusedUnder({ ...FRESH, cap: 20 }, fleetOf(15), 0);
  strictEqual(servedUnder(gate, fleetOf(14), 5).inFlight?.level, 15);
  strictEqual(servedUnder(gate, fleetOf(15), 5).inFlight, null);
  // It started before the refusal, when there were other requests.
  const early = answered(gate, inSeconds(5), {
    inFlight: 15,
    load: fleetOf(15),
    startedAt: inSeconds(-1),
    max: 64,
  });
  strictEqual(early.inFlight?.level, 15);
});

Deno.test("a refusal is about what was not served lately: too many at once, or too many a minute", () => {
  const busy = { inFlight: 14, perMinute: 70 };
  const served = servedUnder({ ...FRESH, cap: 20 }, busy, 0);
  const atOnce = refusedUnder(served, { inFlight: 15, perMinute: 60 }, 9);
  deepStrictEqual(
    [atOnce.inFlight?.level, atOnce.perMinute?.level],
    [15, undefined],
  );
  const fast = refusedUnder(served, { inFlight: 13, perMinute: 81 }, 9);
  deepStrictEqual([fast.inFlight?.level, fast.perMinute?.level], [
    undefined,
    81,
  ]);
  strictEqual(fast.cap, 20);
  // Neither is more than was served: another cause, and both may be it.
  const other = refusedUnder(served, { inFlight: 13, perMinute: 60 }, 9);
  deepStrictEqual([other.inFlight?.level, other.perMinute?.level], [13, 60]);
});

Deno.test("a limit that a request passed explains its refusal", () => {
  const known = refusedUnder({ ...FRESH, cap: 20 }, fleetOf(15), 0);
  const again = refusedUnder(known, { inFlight: 15, perMinute: 60 }, 700);
  strictEqual(again.inFlight?.trials, 1);
  strictEqual(again.perMinute, null);
});

Deno.test("requests that pass a learned limit pass it more rarely with each refusal", () => {
  let gate = refusedUnder(FRESH, fleetOf(15), 0);
  const steps = [overflowStepMs(gate)];
  for (let trial = 1; trial < 9; trial++) {
    gate = refusedUnder(gate, fleetOf(15), trial);
    steps.push(overflowStepMs(gate));
  }
  deepStrictEqual(
    steps.map((ms) => ms / 1_000),
    [1, 2, 4, 8, 16, 32, 60, 60, 60],
  );
});

const RULE: LimitRule = { share: 0.75, least: 2, evidence: 3, bindsAt: 7 };

Deno.test("a limit that binds is confirmed by a refusal at any level", () => {
  let known = refusedAt(null, 8, { at: NOW, rule: RULE });
  known = refusedAt(known, 8, { at: NOW, rule: RULE });
  for (const level of [3, 30]) {
    const after = refusedAt(known, level, { at: NOW, rule: RULE });
    ok(
      limitAt(after, NOW, RULE) <= limitAt(known, NOW, RULE),
      String(level),
    );
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

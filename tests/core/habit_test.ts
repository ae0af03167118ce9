/** habitOf(), and what forecast() makes of a person's usual week. */

import { ok, strictEqual } from "node:assert/strict";
import { Zone } from "../../src/core/calendar.ts";
import { forecast } from "../../src/core/quota/forecast.ts";
import { type Habit, habitOf, usualPace } from "../../src/core/quota/habit.ts";
import { snapshot } from "../../src/core/pool/pool.ts";
import { DAY_MS, HOUR_MS, instantFromMs } from "../../src/core/time.ts";
import { account, poolOf } from "../fixtures/pool.ts";

const BERLIN = new Zone("Europe/Berlin");
/** A Monday, 08:00 in Berlin. */
const MONDAY = Date.parse("2026-11-30T08:00:00+01:00");

/** Weeks of heavy mornings, from 9 to 12 on weekdays, before `now`. */
function mornings(weeks: number, tokensAnHour: number, now = MONDAY) {
  const work: { at: number; tokens: number }[] = [];
  for (let day = 1; day <= weeks * 7; day++) {
    for (const hour of [9, 10, 11]) {
      const noon = new Date(now - day * DAY_MS);
      const at = BERLIN.instantOf({
        year: noon.getUTCFullYear(),
        month: noon.getUTCMonth() + 1,
        day: noon.getUTCDate(),
      }, hour * HOUR_MS);
      if ([0, 6].includes(noon.getUTCDay())) continue;
      work.push({ at, tokens: tokensAnHour });
    }
  }
  return work;
}

function habit(weeks: number, tokensAnHour: number): Habit | null {
  return habitOf(mornings(weeks, tokensAnHour), { now: MONDAY, zone: BERLIN });
}

Deno.test("habitOf() finds the hours of a week, across the change of clocks", () => {
  // The eight weeks begin in summer time.
  const found = habit(8, 40_000);
  ok(found);
  strictEqual(found.weeks, 8);
  for (const [hours, expected] of [[0, 0], [1, 40_000], [3, 40_000], [4, 0]]) {
    const pace = usualPace(found, MONDAY + Number(hours) * HOUR_MS);
    ok(Math.abs(pace - Number(expected)) <= 800, `${hours}: ${pace}`);
  }
  strictEqual(usualPace(found, MONDAY + 5 * DAY_MS + 2 * HOUR_MS), 0);
  // It goes on week after week.
  strictEqual(
    usualPace(found, MONDAY + 7 * DAY_MS + 2 * HOUR_MS),
    usualPace(found, MONDAY + 2 * HOUR_MS),
  );
});

Deno.test("habitOf() finds none in less than two weeks or a few days of work", () => {
  strictEqual(habit(1, 40_000), null);
  const few = [20, 10, 5].map((days) => ({
    at: MONDAY - days * DAY_MS,
    tokens: 1,
  }));
  strictEqual(habitOf(few, { now: MONDAY, zone: BERLIN }), null);
  strictEqual(habitOf([], { now: MONDAY, zone: BERLIN }), null);
});

/** A pool on its first day: nothing used, nothing learned. */
function firstDay(atMs: number, usual: Habit | null) {
  const pool = poolOf([{ account: account("a", { tier: "pro" }) }]);
  return forecast(snapshot(pool, instantFromMs(atMs)), usual);
}

Deno.test("a pool on its first day knows the heavy mornings before it", () => {
  const usual = habit(8, 10_000_000);
  const monday = firstDay(MONDAY, usual);
  // The pace of the last hour knows nothing.
  strictEqual(monday.tokensPerHour, 0);
  strictEqual(monday.lastsUntil, null);
  const end = Number(monday.usual?.lastsUntil);
  ok(end > MONDAY + HOUR_MS && end < MONDAY + 4 * HOUR_MS, String(end));
  strictEqual(monday.usual?.weeks, 8);
  // On Friday night the next heavy morning is Monday's.
  const friday = firstDay(MONDAY + 4 * DAY_MS + 12 * HOUR_MS, usual);
  const next = Number(friday.usual?.lastsUntil);
  ok(next > MONDAY + 7 * DAY_MS, String(next));
});

Deno.test("a usual week that the pool can carry runs out of nothing", () => {
  const light = firstDay(MONDAY, habit(8, 1_000));
  strictEqual(light.usual?.lastsUntil, null);
  strictEqual(firstDay(MONDAY, null).usual, null);
});

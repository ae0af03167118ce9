/** scheduledOpenings(): learned hours, and windows around them. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { snapshot } from "../../src/core/pool/pool.ts";
import {
  firstOpening,
  scheduledOpenings,
  workingHours,
} from "../../src/core/quota/schedule.ts";
import {
  DAY_MS,
  HOUR_MS,
  type Instant,
  instantFromMs,
} from "../../src/core/time.ts";
import { account, poolOf, quotaWindow } from "../fixtures/pool.ts";

/** Monday 5 January 2026, midnight UTC. */
const MONDAY = Date.UTC(2026, 0, 5);

function at(day: number, hour: number): Instant {
  return instantFromMs(MONDAY + day * DAY_MS + hour * HOUR_MS);
}

/** Prompts from `from` to `to` o'clock on the days given. */
function worked(days: readonly number[], from: number, to: number): number[] {
  return days.flatMap((day) => {
    const hours: number[] = [];
    for (let hour = from; hour < to; hour++) {
      hours.push(Math.floor(at(day, hour) / HOUR_MS));
    }
    return hours;
  });
}

Deno.test("workingHours() takes the middle of days of the same kind", () => {
  const hours = [
    ...worked([0], 9, 18),
    ...worked([1], 8, 17),
    ...worked([2], 10, 19),
  ];
  deepStrictEqual(workingHours(hours, at(3, 6), 0), { start: 9, end: 18 });
  strictEqual(workingHours(hours, at(5, 6), 0), null, "a Saturday");
});

Deno.test("workingHours() sees no habit in one day", () => {
  strictEqual(workingHours(worked([0], 9, 18), at(1, 6), 0), null);
});

Deno.test("workingHours() counts the local day", () => {
  // 23 to 3 o'clock UTC is 9 to 13 o'clock ten hours east.
  const east = [0, 1].flatMap((day) => {
    const hours: number[] = [];
    for (let hour = 23; hour < 27; hour++) {
      hours.push(Math.floor(at(day - 1, hour) / HOUR_MS));
    }
    return hours;
  });
  deepStrictEqual(workingHours(east, at(1, 20), 600), { start: 9, end: 13 });
});

Deno.test("firstOpening() lays the windows evenly around the day", () => {
  // Nine hours: three windows, 6:00, 11:00 and 16:00.
  strictEqual(firstOpening({ start: 9, end: 18 }, 0.5), 6);
});

Deno.test("firstOpening() never opens after work begins", () => {
  for (const end of [10, 12, 14, 16, 18, 20, 23]) {
    for (const spread of [0, 0.5, 1]) {
      const hour = firstOpening({ start: 9, end }, spread);
      ok(hour <= 9 && hour >= 4.5, `${end} ${spread}: ${hour}`);
    }
  }
});

Deno.test("scheduledOpenings() leaves out running clocks, keys and a spent week", () => {
  const morning = at(3, 5);
  const window = { observedAt: morning, resetsAt: at(3, 8) };
  const pool = {
    ...poolOf([
      { account: account("idle") },
      { account: account("on"), windows: [quotaWindow("5h", 0.2, window)] },
      { account: account("key", { kind: "api_key" }) },
      {
        account: account("spent"),
        windows: [quotaWindow("7d", 1, {
          observedAt: morning,
          resetsAt: at(5, 0),
          status: "rejected",
        })],
      },
    ]),
    activeHours: worked([0, 1, 2], 9, 18),
  };
  const openings = scheduledOpenings(snapshot(pool, morning), 0);
  deepStrictEqual(openings.map((o) => o.accountId), ["idle"]);
  const hour = (Number(openings[0]?.at) - at(3, 0)) / HOUR_MS;
  ok(hour >= 4.5 && hour < 9, `${hour}`);
});

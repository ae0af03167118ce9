/** When something runs out, in words. */

import { strictEqual } from "node:assert/strict";
import type { TimeView } from "../../src/control/protocol.ts";
import { lastsText, spentText } from "../../src/control/words.ts";

const NOW = Date.UTC(2026, 10, 21, 12);
const TIME = { now: NOW, timeZone: "UTC" };

function at(hours: number): TimeView {
  const ms = NOW + hours * 3_600_000;
  return { iso: new Date(ms).toISOString(), ms };
}

Deno.test("spentText() says when a window runs out, and how certain that is", () => {
  const window = { key: "5h", spentAt: at(3) };
  const words = (soonest: number | null, latest: number | null) =>
    spentText({
      ...window,
      spentBetween: {
        soonest: soonest === null ? null : at(soonest),
        latest: latest === null ? null : at(latest),
      },
    }, TIME);
  strictEqual(words(2, 4.5), "5h spent 15:00 (14:00 to 16:30) at this pace");
  strictEqual(
    words(2, null),
    "5h spent 15:00 (14:00 at the soonest, or it lasts) at this pace",
  );
  strictEqual(
    spentText({ ...window, spentBetween: null }, TIME),
    "5h spent 15:00 at this pace",
  );
  strictEqual(
    spentText({ ...window, spentAt: at(0), spentBetween: null }, TIME),
    "5h spent",
  );
});

Deno.test("spentText() of a window that lasts says only how soon it may run out", () => {
  const window = { key: "7d", spentAt: null };
  strictEqual(spentText({ ...window, spentBetween: null }, TIME), null);
  const never = { soonest: null, latest: null };
  strictEqual(spentText({ ...window, spentBetween: never }, TIME), null);
  strictEqual(
    spentText({
      ...window,
      spentBetween: { soonest: at(30), latest: null },
    }, TIME),
    "7d lasts, at worst to Sun 18:00",
  );
});

Deno.test("lastsText() says how long the pool lasts", () => {
  const forecast = { tokensPerHour: 1, isGuess: false, lastsUntil: at(6) };
  const between = { soonest: at(5), latest: null };
  strictEqual(
    lastsText({ ...forecast, lastsBetween: between }, TIME),
    "lasts until 18:00 (17:00 at the soonest, or a week and more)",
  );
  strictEqual(
    lastsText({ ...forecast, lastsBetween: null }, TIME),
    "lasts until 18:00",
  );
  strictEqual(
    lastsText({ ...forecast, lastsUntil: null, lastsBetween: null }, TIME),
    null,
  );
});

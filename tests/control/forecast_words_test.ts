/** When something runs out, in words. */

import { strictEqual } from "node:assert/strict";
import type { TimeView } from "../../src/control/protocol.ts";
import { lastsText, spentText, verdictText } from "../../src/control/words.ts";

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
  strictEqual(
    words(2, 4.5),
    "5h: at this pace empty about 15:00 (14:00 to 16:30)",
  );
  // A range within a third of the time that is left says nothing more.
  strictEqual(words(2.7, 3.4), "5h: at this pace empty about 15:00");
  strictEqual(
    words(2, null),
    "5h: at this pace empty about 15:00 (earliest about 14:00, may last)",
  );
  strictEqual(
    spentText({ ...window, spentBetween: null }, TIME),
    "5h: at this pace empty about 15:00",
  );
  strictEqual(
    spentText({ ...window, spentAt: at(0), spentBetween: null }, TIME),
    "5h used up",
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
    "7d: enough until its reset (worst case: empty about Sun 18:00)",
  );
});

Deno.test("lastsText() says how long the pool lasts, as exactly as that is known", () => {
  const forecast = {
    tokensPerHour: 1,
    isGuess: false,
    lastsUntil: at(6.02),
    usual: null,
  };
  const between = { soonest: at(5), latest: null };
  strictEqual(
    lastsText({ ...forecast, lastsBetween: between }, TIME),
    "lasts until about 18:00 (earliest about 17:00, or a week and more)",
  );
  strictEqual(
    lastsText({ ...forecast, lastsBetween: null }, TIME),
    "lasts until about 18:00",
  );
  strictEqual(
    lastsText({ ...forecast, lastsUntil: null, lastsBetween: null }, TIME),
    null,
  );
  const far = { ...forecast, lastsUntil: at(75), lastsBetween: null };
  strictEqual(lastsText(far, TIME), "lasts until Tue");
});

Deno.test("lastsText() is never flat where it rests on a guess", () => {
  const guess = {
    tokensPerHour: 1,
    isGuess: true,
    lastsBetween: null,
    usual: null,
  };
  strictEqual(
    lastsText({ ...guess, lastsUntil: at(1) }, TIME),
    "may run out today, uncertain",
  );
  strictEqual(
    lastsText({ ...guess, lastsUntil: at(40) }, TIME),
    "may run out Mon, uncertain",
  );
});

Deno.test("lastsText() tells the usual week by its day, where the pace says a later one", () => {
  const words = (pace: number | null, usual: number | null) =>
    lastsText({
      tokensPerHour: 1,
      isGuess: false,
      lastsBetween: null,
      lastsUntil: pace === null ? null : at(pace),
      usual: { weeks: 6, lastsUntil: usual === null ? null : at(usual) },
    }, TIME);
  const usual = "in your usual week it may run out Mon, uncertain";
  strictEqual(words(null, 40), usual);
  strictEqual(words(100, 40), `lasts until Wed; ${usual}`);
  // The pace of now is evidence, and says as much.
  strictEqual(words(20, 40), "lasts until about Sun 08:00");
  strictEqual(words(44, 40), "lasts until about Mon 08:00");
  strictEqual(words(null, null), null);
});

Deno.test("verdictText() says what limits the pool, or until when it is closed", () => {
  const base = { account: null, window: null, until: null };
  strictEqual(verdictText({ ...base, color: "green", kind: "open" }, TIME), "");
  strictEqual(
    verdictText({
      color: "yellow",
      kind: "nearly_full",
      account: "work",
      window: "7d",
      until: at(45),
    }, TIME),
    "7d of work nearly full; refills Mon 09:00",
  );
  strictEqual(
    verdictText({
      ...base,
      color: "red",
      kind: "closed",
      until: at(2),
    }, TIME),
    "nothing left until 14:00",
  );
});

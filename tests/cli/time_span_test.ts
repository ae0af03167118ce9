/** parseMoment(): dates and ages as people write them. */

import { ok, strictEqual, throws } from "node:assert/strict";
import { parseMoment } from "../../src/cli/report/time_span.ts";
import {
  periodName,
  periodStart,
  type Weekday,
  WEEKDAYS,
  Zone,
} from "../../src/core/calendar.ts";
import { DAY_MS, HOUR_MS } from "../../src/core/time.ts";
import { UsageError } from "../../src/errors.ts";

const NOW_MS = Date.parse("2026-11-21T12:30:00Z");
const BERLIN = new Zone("Europe/Berlin");

function moment(text: string, edge: "start" | "end" = "start"): string {
  return new Date(parseMoment(text, { nowMs: NOW_MS, zone: BERLIN, edge }))
    .toISOString();
}

Deno.test("parseMoment() takes ages, names and dates of the zone", () => {
  strictEqual(moment("12h"), "2026-11-21T00:30:00.000Z");
  strictEqual(moment("2w"), "2026-11-07T12:30:00.000Z");
  strictEqual(moment("today"), "2026-11-20T23:00:00.000Z");
  strictEqual(moment("today", "end"), "2026-11-21T23:00:00.000Z");
  strictEqual(moment("yesterday"), "2026-11-19T23:00:00.000Z");
  strictEqual(moment("2026-07-01"), "2026-06-30T22:00:00.000Z");
  strictEqual(moment("2026-07-01", "end"), "2026-07-01T22:00:00.000Z");
  strictEqual(moment("2026-07-01T09:30"), "2026-07-01T07:30:00.000Z");
});

Deno.test("parseMoment() handles the day on which the clocks change", () => {
  strictEqual(moment("2026-03-29"), "2026-03-28T23:00:00.000Z");
  strictEqual(moment("2026-03-29", "end"), "2026-03-29T22:00:00.000Z");
  strictEqual(moment("2026-10-25", "end"), "2026-10-25T23:00:00.000Z");
});

Deno.test("parseMoment() refuses text that is not a time", () => {
  const days = ["", "soon", "2026-02-30", "2026-13-01", "7y", "-7d"];
  const hours = ["2026-11-01T24:00", "2026-11-01T09:60", "2026-11-01 99:99"];
  for (const text of [...days, ...hours]) {
    throws(() => moment(text), UsageError, text);
  }
});

Deno.test("periodName() of a week follows ISO 8601 at the turn of the year", () => {
  const utc = new Zone("UTC");
  const week = (iso: string) => periodName(Date.parse(iso), "week", utc);
  strictEqual(week("2027-01-03T12:00:00Z"), "2026-W53");
  strictEqual(week("2027-01-04T12:00:00Z"), "2027-W01");
  strictEqual(week("2024-12-30T12:00:00Z"), "2025-W01");
});

Deno.test("a week that begins on another day has that day's date, by the zone's clocks", () => {
  const zone = new Zone("America/New_York");
  const week = (iso: string, day: Weekday) =>
    periodName(Date.parse(iso), "week", zone, day);
  // Saturday evening in New York; its clocks go back on this Sunday.
  strictEqual(week("2026-11-01T03:59:59Z", "sunday"), "2026-10-25");
  strictEqual(week("2026-11-01T04:00:00Z", "sunday"), "2026-11-01");
  strictEqual(week("2026-11-08T04:59:59Z", "sunday"), "2026-11-01");
  strictEqual(week("2026-11-08T05:00:00Z", "sunday"), "2026-11-08");
  strictEqual(week("2026-11-08T05:00:00Z", "monday"), "2026-W45");
  for (const day of WEEKDAYS) {
    for (let at = Date.UTC(2026, 9, 20); at < Date.UTC(2026, 10, 20);) {
      const start = periodStart(at, "week", zone, day);
      ok(start <= at && at - start < 7 * DAY_MS + HOUR_MS);
      strictEqual(
        new Intl.DateTimeFormat("en-US", {
          weekday: "long",
          timeZone: zone.name,
        }).format(start).toLowerCase(),
        day,
      );
      at += 7 * HOUR_MS;
    }
  }
});

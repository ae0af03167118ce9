/** Limits in dollars, as the core keeps them. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { periodEnd, periodStart, Zone } from "../../src/core/calendar.ts";
import type { AccountId } from "../../src/core/account.ts";
import {
  NOTHING_PAID,
  type PaidBook,
  passedLimit,
  recalled,
  reserved,
  settled,
  spendingOf,
  spendLimit,
  spendLimitText,
} from "../../src/core/quota/spending.ts";
import { instantFromMs } from "../../src/core/time.ts";

const KEY = "key-1" as AccountId;
const OTHER = "key-2" as AccountId;
const NOW = instantFromMs(Date.UTC(2026, 10, 29, 12));
const ENDS = {
  day: instantFromMs(Date.UTC(2026, 10, 30)),
  week: instantFromMs(Date.UTC(2026, 10, 30)),
  month: instantFromMs(Date.UTC(2026, 11, 1)),
};
const DOLLAR = 1_000_000_000;

Deno.test("a limit is dollars a day, week or month, and nothing else", () => {
  deepStrictEqual(spendLimit("20/day"), { dollars: 20, per: "day" });
  deepStrictEqual(spendLimit("$0.50/week"), { dollars: 0.5, per: "week" });
  strictEqual(spendLimitText({ dollars: 7.25, per: "month" }), "7.25/month");
  for (const text of ["", "20", "0/day", "-1/day", "20/year", "1.234/day"]) {
    strictEqual(spendLimit(text), null, text);
  }
});

Deno.test("requests in flight never pass a limit together, whatever they cost within their worst case", () => {
  const asked = fc.record({
    key: fc.constantFrom(KEY, OTHER),
    worst: fc.integer({ min: 1, max: 3 * DOLLAR }),
    part: fc.double({ min: 0, max: 1, noNaN: true }),
    isEnding: fc.boolean(),
  });
  fc.assert(fc.property(fc.array(asked, { maxLength: 60 }), (requests) => {
    let book: PaidBook = {
      ...NOTHING_PAID,
      max: { dollars: 8, per: "month" },
    };
    const account = (id: AccountId) => ({
      id,
      costMax: id === KEY ? { dollars: 5, per: "day" } as const : null,
    });
    const open: { key: AccountId; worst: number; part: number }[] = [];
    const end = () => {
      const one = open.shift();
      if (one === undefined) return;
      book = reserved(book, one.key, -one.worst);
      const nano = Math.round(one.worst * one.part);
      book = settled(book, one.key, { nano, ends: ENDS });
    };
    for (const { key, worst, part, isEnding } of requests) {
      const passed = passedLimit(book, account(key), {
        costNanoMax: worst,
        at: NOW,
      });
      if (passed === null) {
        book = reserved(book, key, worst);
        open.push({ key, worst, part });
      }
      if (isEnding) end();
      const day = spendingOf(book, KEY, { per: "day", at: NOW });
      const month = spendingOf(book, null, { per: "month", at: NOW });
      ok(day.paidNano + day.reservedNano <= 5 * DOLLAR);
      ok(month.paidNano + month.reservedNano <= 8 * DOLLAR);
    }
    while (open.length > 0) end();
    strictEqual(
      spendingOf(book, null, { per: "day", at: NOW }).reservedNano,
      0,
    );
  }));
});

Deno.test("the reason says which limit, and when it is over", () => {
  const account = { id: KEY, costMax: { dollars: 1, per: "day" } as const };
  const asked = { costNanoMax: DOLLAR / 2, at: NOW };
  const paid = settled(NOTHING_PAID, KEY, { nano: 0.6 * DOLLAR, ends: ENDS });
  deepStrictEqual(passedLimit(paid, account, asked), {
    reason: "spend_limit",
    until: ENDS.day,
  });
  const busy = reserved(NOTHING_PAID, KEY, 0.6 * DOLLAR);
  const waiting = passedLimit(busy, account, asked);
  strictEqual(waiting?.reason, "spend_limit");
  ok(waiting.until !== null && waiting.until < ENDS.day);
  const pool = { ...paid, max: { dollars: 1, per: "week" } as const };
  strictEqual(
    passedLimit(pool, { id: OTHER, costMax: null }, asked)?.reason,
    "paid_max",
  );
  deepStrictEqual(passedLimit(paid, account, { ...asked, costNanoMax: null }), {
    reason: "unpriced",
    until: null,
  });
  strictEqual(
    passedLimit(paid, { id: OTHER, costMax: null }, asked),
    null,
  );
  // The next day begins with nothing paid.
  strictEqual(passedLimit(paid, account, { ...asked, at: ENDS.day }), null);
});

Deno.test("what the ledger knows is never less than before, and never another period's", () => {
  const paid = settled(NOTHING_PAID, KEY, { nano: 5, ends: ENDS });
  const sums = new Map([[KEY, { day: 3, week: 9, month: 9 }]]);
  const known = recalled(paid, sums, ENDS);
  const of = (per: "day" | "week") =>
    spendingOf(known, KEY, { per, at: NOW }).paidNano;
  strictEqual(of("day"), 5);
  strictEqual(of("week"), 9);
  strictEqual(recalled(known, sums, ENDS), known);
});

Deno.test("days, weeks and months begin and end with the calendar of the zone", () => {
  const zone = new Zone("Europe/Berlin");
  // Summer time ends on Sunday, 25 October 2026.
  const at = Date.UTC(2026, 9, 25, 10);
  const text = (ms: number) => new Date(ms).toISOString();
  strictEqual(text(periodStart(at, "day", zone)), "2026-10-24T22:00:00.000Z");
  strictEqual(text(periodEnd(at, "day", zone)), "2026-10-25T23:00:00.000Z");
  strictEqual(text(periodStart(at, "week", zone)), "2026-10-18T22:00:00.000Z");
  strictEqual(text(periodEnd(at, "week", zone)), "2026-10-25T23:00:00.000Z");
  strictEqual(text(periodStart(at, "month", zone)), "2026-09-30T22:00:00.000Z");
  strictEqual(text(periodEnd(at, "month", zone)), "2026-10-31T23:00:00.000Z");
});

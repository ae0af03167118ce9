import { ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { after, HOUR_MS, instantFromMs } from "../../src/core/time.ts";
import { resetInstant, retryAt } from "../../src/wire/answer/limit_headers.ts";
import { trials } from "../fixtures/trials.ts";

/** Sun, 06 Nov 1994 08:49:00 GMT */
const NOW = instantFromMs(784_111_740_000);

function waitMs(value: string | null): number | null {
  const at = retryAt(value, NOW, HOUR_MS);
  return at === null ? null : at - NOW;
}

Deno.test("retryAt() reads seconds", () => {
  strictEqual(waitMs("1"), 1_000);
  strictEqual(waitMs("54"), 54_000);
  strictEqual(waitMs(" 5 "), 5_000);
  strictEqual(waitMs("0"), 0);
  strictEqual(waitMs("0.25"), 250);
  strictEqual(waitMs("007"), 7_000);
});

Deno.test("retryAt() reads the three forms of a date", () => {
  strictEqual(waitMs("Sun, 06 Nov 1994 08:49:37 GMT"), 37_000);
  strictEqual(waitMs("Sun Nov  6 08:49:37 1994"), 37_000);
  const now = instantFromMs(Date.UTC(2026, 10, 21, 12, 30, 0));
  const at = retryAt("Saturday, 21-Nov-26 12:30:40 GMT", now, HOUR_MS);
  strictEqual(at, after(now, 40_000));
});

Deno.test("retryAt() takes a date that has passed as now", () => {
  strictEqual(waitMs("Sun, 06 Nov 1994 08:48:00 GMT"), 0);
  strictEqual(waitMs("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
});

Deno.test("retryAt() caps what the server says", () => {
  strictEqual(waitMs("3601"), HOUR_MS);
  strictEqual(waitMs("1000000000000"), HOUR_MS);
  strictEqual(waitMs("9".repeat(400)), HOUR_MS);
  strictEqual(waitMs("Fri, 31 Dec 9999 23:59:59 GMT"), HOUR_MS);
});

Deno.test("retryAt() is null for an absent or unparseable value", () => {
  const senseless = [
    "",
    " ",
    "-5",
    "+5",
    "1e3",
    "0x10",
    ".5",
    "5.",
    "5s",
    "NaN",
    "Infinity",
    "null",
    "soon",
    "5, 6",
    "2026-11-21",
    "Nov 6",
    "Sun, 06 Nov 1994 08:49:37 PST",
    "Sun, 06 Nov 1994 25:49:37 GMT",
    "Sun, 00 Nov 1994 08:49:37 GMT",
    "Sun, 06 Foo 1994 08:49:37 GMT",
    "sun, 06 nov 1994 08:49:37 gmt",
  ];
  for (const value of senseless) strictEqual(waitMs(value), null, value);
  strictEqual(waitMs(null), null);
});

Deno.test("retryAt() is never before now or over the cap, and never throws", () => {
  const value = fc.oneof(
    fc.string(),
    fc.double().map(String),
    fc.bigInt().map(String),
    fc.date({ noInvalidDate: true }).map((date) => date.toUTCString()),
    fc.stringMatching(/^[\d., eE+-]{0,12}$/),
  );
  fc.assert(
    fc.property(value, fc.nat(1e9), (value, maxMs) => {
      const at = retryAt(value, NOW, maxMs);
      if (at === null) return;
      ok(at >= NOW && at <= after(NOW, maxMs), value);
    }),
    { numRuns: trials(2_000, 50_000) },
  );
});

Deno.test("resetInstant() reads seconds, milliseconds and RFC 3339 alike", () => {
  const at = Date.UTC(2026, 6, 27, 20, 0, 0);
  strictEqual(resetInstant("1785182400"), at);
  strictEqual(resetInstant(1785182400), at);
  strictEqual(resetInstant(1785182400000), at);
  strictEqual(resetInstant("1785182400000"), at);
  strictEqual(resetInstant("2026-07-27T20:00:00Z"), at);
  strictEqual(resetInstant("2026-07-27T22:00:00+02:00"), at);
  strictEqual(resetInstant("2026-07-27 20:00:00z"), at);
});

Deno.test("resetInstant() merges the jitter of the same reset", () => {
  const at = Date.UTC(2026, 3, 11, 7, 0, 0);
  for (const text of ["07:00:00.400743", "06:59:59.931", "07:00:00.000001"]) {
    strictEqual(resetInstant(`2026-04-11T${text}+00:00`), at, text);
  }
});

Deno.test("resetInstant() is null for what is not an instant", () => {
  const senseless = [
    "",
    "0",
    0,
    -1,
    NaN,
    Infinity,
    null,
    undefined,
    true,
    {},
    "null",
    "1e9",
    "-5",
    "tomorrow",
    "2026-07-27",
    "2026-13-27T20:00:00Z",
    "2026-07-27T20:00:00",
  ];
  for (const value of senseless) {
    strictEqual(resetInstant(value), null, String(value));
  }
});

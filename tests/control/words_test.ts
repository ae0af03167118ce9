/** Figures as people read them. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import {
  clockText,
  countText,
  durationText,
  elapsedText,
  inert,
  percentText,
} from "../../src/control/words.ts";

Deno.test("elapsedText() never says longer than it was", () => {
  const table: readonly (readonly [number, string])[] = [
    [900, "0s"],
    [5_900, "5s"],
    [119_000, "1m"],
    [3_599_999, "59m"],
    [7_259_000, "2h"],
    [90_000_000 - 1, "1d"],
  ];
  for (const [ms, text] of table) strictEqual(elapsedText(ms), text, `${ms}`);
});

Deno.test("durationText() gives two units at most", () => {
  const table: readonly (readonly [number, string])[] = [
    [-5, "0s"],
    [400, "1s"],
    [59_000, "59s"],
    [60_000, "1m"],
    [61_000, "2m"],
    [3_599_000, "60m"],
    [3_600_000, "1h"],
    [5_640_000, "1h 34m"],
    [86_399_000, "24h"],
    [86_400_000, "1d"],
    [273_600_000, "3d 4h"],
  ];
  for (const [ms, text] of table) strictEqual(durationText(ms), text, `${ms}`);
});

Deno.test("countText() keeps two figures", () => {
  const table: readonly (readonly [number, string])[] = [
    [0, "0"],
    [999, "999"],
    [1_234, "1.2k"],
    [9_949, "9.9k"],
    [12_345, "12k"],
    [999_499, "999k"],
    [999_500, "1.0M"],
    [12_345_678, "12M"],
  ];
  for (const [count, text] of table) {
    strictEqual(countText(count), text, `${count}`);
  }
});

Deno.test("percentText() says ? for unknown, never 0%", () => {
  deepStrictEqual([null, 0, 0.644, 1.02].map(percentText), [
    "?",
    "0%",
    "64%",
    "102%",
  ]);
});

Deno.test("clockText() names the day only when it is another", () => {
  const now = Date.UTC(2026, 10, 21, 12, 0);
  strictEqual(clockText(Date.UTC(2026, 10, 21, 14, 5), now, "UTC"), "14:05");
  strictEqual(clockText(Date.UTC(2026, 10, 24, 9, 0), now, "UTC"), "Tue 09:00");
  strictEqual(
    clockText(Date.UTC(2026, 11, 3, 9, 0), now, "UTC"),
    "3 Dec 09:00",
  );
});

Deno.test("inert() takes control bytes and direction marks out", () => {
  strictEqual(inert("a\u001b]52;c;AA\u0007b\u202ec"), "a]52;c;AAbc");
});

/** Blocks of five hours, by the rule of ccusage. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import {
  BLOCK_MS,
  blockAround,
  blockForecast,
  blockStarts,
} from "../../src/core/blocks.ts";
import { HOUR_MS, MINUTE_MS } from "../../src/core/time.ts";

const at = (iso: string) => Date.parse(`2026-11-29T${iso}Z`);
const isos = (times: readonly number[]) =>
  times.map((ms) => new Date(ms).toISOString().slice(11, 16));

Deno.test("a block begins at the full hour of its first answer and lasts five hours", () => {
  const times = ["03:59", "07:59", "08:59", "09:00", "12:59", "20:10"]
    .map((time) => at(`${time}:00`));
  // From 08:00 the next one begins, at the hour of its own first answer.
  deepStrictEqual(isos(blockStarts(times)), ["03:00", "08:00", "20:00"]);
});

Deno.test("between blocks there is none, and their end belongs to the next", () => {
  const starts = [at("03:00:00"), at("20:00:00")];
  strictEqual(blockAround(at("02:59:59"), starts), null);
  strictEqual(blockAround(at("07:59:59"), starts), starts[0]);
  strictEqual(blockAround(at("08:00:00"), starts), null);
  strictEqual(blockAround(at("23:00:00"), starts), starts[1]);
});

Deno.test("blocks of quarters of an hour are the blocks of the answers", () => {
  const times = fc.array(fc.nat(40 * HOUR_MS), { maxLength: 60 });
  fc.assert(fc.property(times, (some) => {
    const sorted = some.toSorted((a, b) => a - b);
    const quarter = 15 * MINUTE_MS;
    const starts = blockStarts(sorted);
    deepStrictEqual(
      blockStarts(sorted.map((ms) => Math.floor(ms / quarter) * quarter)),
      starts,
    );
    for (const ms of sorted) {
      const start = blockAround(ms, starts);
      ok(start !== null && ms >= start && ms < start + BLOCK_MS);
    }
  }));
});

Deno.test("the rate is that of first to last answer, and goes on to the end", () => {
  const use = { tokens: 3_000, costNano: 600 };
  const edges = { firstAt: 0, lastAt: 90 * MINUTE_MS };
  deepStrictEqual(blockForecast(use, edges, 2 * HOUR_MS), {
    perHour: { tokens: 2_000, costNano: 400 },
    atEnd: { tokens: 7_000, costNano: 1_400 },
  });
  deepStrictEqual(blockForecast(use, edges, -1)?.atEnd, use);
  strictEqual(blockForecast(use, { firstAt: 5, lastAt: 5 }, HOUR_MS), null);
});

/** reportLines(): as wide as the terminal, and honest about prices. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { Output } from "../../src/cli/output.ts";
import {
  reportLines,
  type ReportLook,
} from "../../src/cli/report/report_text.ts";
import {
  type ReportKind,
  reportView,
} from "../../src/control/history/report_view.ts";
import { widthOf } from "../../src/deck/terminal/grapheme.ts";
import { Zone } from "../../src/core/calendar.ts";
import { NO_SPEND, type Spend, type SpendRow } from "../../src/core/usage.ts";
import { MANUAL_SHELL } from "../../src/shell_words.ts";

const OUTPUT = new Output({
  environment: {},
  person: MANUAL_SHELL,
  color: "never",
  isJson: false,
  isTerminal: false,
});
const UTC = new Zone("UTC");

function row(key: string | null, parts: Partial<Spend>): SpendRow {
  return { key, firstAt: 0, lastAt: 0, spend: { ...NO_SPEND, ...parts } };
}

function lines(
  rows: readonly SpendRow[],
  by: ReportKind = "account",
  look: Partial<ReportLook> = {},
): readonly string[] {
  const view = reportView(rows, {
    pricesAsOf: "2026-11-29",
    by,
    nowMs: 1e12,
    sinceMs: 0,
    untilMs: 1e12,
    zone: UTC,
    labelOf: (key) => key === "a1" ? "work" : null,
  });
  return reportLines(view, OUTPUT, {
    rowsMax: 40,
    hasCost: true,
    width: Infinity,
    ...look,
  });
}

Deno.test("a report in full", () => {
  deepStrictEqual(
    lines([
      row("a1", {
        requests: 1_200,
        failed: 3,
        input: 900,
        cacheRead: 812_000,
        cacheWrite1h: 20_000,
        output: 14_000,
        costNano: 14_200_000_000,
        paidNano: 4_200_000_000,
        coldRebuilds: 4,
        switches: 2,
        switchRebuild: 40_000,
      }),
      row(null, { requests: 1, failed: 1 }),
      row("glm", { requests: 1, input: 5, unpriced: 1 }),
    ]),
    [
      "account   req  fail   in  read    ✎  out  hit  cold     moves     worth   paid",
      "work     1.2k     3  900  812k  20k  14k  97%     4  2 (40k✎)    $10.00  $4.20",
      "(none)      1     1    0     0    0    0    ?     0         0         –      –",
      "glm         1     0    5     0    0    0   0%     0         0  unpriced      –",
      "total    1.2k     4  905  812k  20k  14k  97%     4  2 (40k✎)   $10.00*  $4.20",
      "* without 1 answers of models that have no price",
      "worth: covered by plans, at list prices of 2026-11-29",
      "paid: by API keys and extra usage · ✎ written to cache",
    ],
  );
});

Deno.test("no line of a report is wider than the terminal, from 40 to 200 columns", () => {
  const big = fc.nat(2 ** 40);
  const rows = fc.array(
    fc.record({
      key: fc.option(fc.string({ minLength: 1, maxLength: 60 })),
      requests: big,
      input: big,
      cacheRead: big,
      output: big,
      switches: fc.nat(99_999),
      switchRebuild: big,
      costNano: fc.nat({ max: 9_000_000_000_000 }),
    }).map(({ key, ...parts }) => row(key, parts)),
    { maxLength: 5 },
  );
  const widths = fc.integer({ min: 40, max: 200 });
  fc.assert(fc.property(rows, widths, fc.boolean(), (some, width, hasCost) => {
    for (const line of lines(some, "day", { width, hasCost })) {
      const isNote = /^(no room|and|worth:|paid:|\*) /.test(line);
      ok(isNote || widthOf(line) <= width, line);
    }
  }));
});

Deno.test("rows past the limit are counted, not hidden", () => {
  const rows = Array.from(
    { length: 5 },
    (_, i) => row(`s${i}`, { requests: 1 }),
  );
  const some = lines(rows, "session", { rowsMax: 2 });
  strictEqual(some[3], "and 3 more: --limit 5 or --json");
  ok(some[4]?.startsWith("total      5"), some[4]);
});

Deno.test("of days past the limit the latest are shown, in either order", () => {
  const days = Array.from({ length: 5 }, (_, day) => ({
    ...row(`2026-11-0${day + 1}`, { requests: 1 }),
    firstAt: day * 86_400_000,
  }));
  const some = lines(days, "day", { rowsMax: 2 });
  strictEqual(some[1], "3 earlier ones: --limit 5 or --json");
  ok(some[2]?.startsWith("2026-11-04"), some[2]);
  const turned = lines(days.toReversed(), "day", { rowsMax: 2 });
  ok(turned[1]?.startsWith("2026-11-05"), turned[1]);
  strictEqual(turned[3], "and 3 more: --limit 5 or --json");
});

/** csvLines(): RFC 4180, and no text that a spreadsheet would compute. */

import { deepStrictEqual } from "node:assert/strict";
import { csvLines } from "../../src/control/history/report_csv.ts";
import { reportView } from "../../src/control/history/report_view.ts";
import { Zone } from "../../src/core/calendar.ts";
import { NO_SPEND } from "../../src/core/usage.ts";

Deno.test("a cell is quoted where it must be, and unknown is empty", () => {
  const labels: Readonly<Record<string, string>> = {
    a: 'Ann, "home"',
    b: "=1+1",
  };
  const view = reportView(
    ["a", "b", null].map((key) => ({
      key,
      firstAt: 0,
      lastAt: 0,
      spend: { ...NO_SPEND, requests: 1, input: 5, unpriced: 1 },
    })),
    {
      by: "account",
      nowMs: 1e12,
      sinceMs: 0,
      untilMs: 1e12,
      zone: new Zone("UTC"),
      pricesAsOf: "2026-11-29",
      labelOf: (key) => labels[key] ?? null,
    },
  );
  const time = "1970-01-01T00:00:00.000Z";
  const rest = `${time},${time},1,0,5,0,0,0,0,0,0,0,0,0`;
  deepStrictEqual(csvLines([view], { hasCost: false }).slice(1), [
    `account,a,"Ann, ""home""",${rest}`,
    `account,b,'=1+1,${rest}`,
    `account,,,${rest}`,
  ]);
  deepStrictEqual(
    csvLines([view], { hasCost: true })[1],
    `account,a,"Ann, ""home""",${rest},,,,1,`,
  );
});

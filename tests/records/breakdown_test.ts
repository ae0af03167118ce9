/** spendReport() with the models of each row: parts add up to their row. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { csvLines } from "../../src/control/history/report_csv.ts";
import type { ReportView } from "../../src/control/history/report_view.ts";
import { type Weekday, Zone } from "../../src/core/calendar.ts";
import { DAY_MS } from "../../src/core/time.ts";
import {
  BREAKDOWN_KINDS,
  spendReport,
} from "../../src/records/spend_report.ts";
import { openDatabase } from "../../src/store/ledger/database.ts";
import { Ledger } from "../../src/store/ledger/ledger.ts";
import { at, ledgerEntry } from "../fixtures/ledger_rows.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const NOW_MS = at("2026-11-22T20:00:00Z");

async function views(
  more: { readonly weekStart?: Weekday } = {},
): Promise<readonly ReportView[]> {
  await using folder = new TempFolder();
  const ledger = openDatabase(folder.join("state.db"), "read_write");
  try {
    const put = (iso: string, model: string | null, session: string) =>
      ledgerEntry({
        endedAt: at(iso),
        modelAsked: model,
        modelAnswered: model,
        session,
      });
    new Ledger(ledger).write([
      // Begins before the report: the block and its parts are whole.
      put("2026-11-21T19:10:00Z", "claude-opus-5-5", "a"),
      put("2026-11-21T21:10:00Z", "claude-haiku-4-5", "a"),
      put("2026-11-22T09:10:00Z", "claude-opus-5-5", "b"),
      put("2026-11-22T09:20:00Z", "claude-opus-5-5", "b"),
      put("2026-11-22T10:20:00Z", null, "b"),
    ]);
    return BREAKDOWN_KINDS.map((by) =>
      spendReport({ ledger, history: null }, {
        by,
        nowMs: NOW_MS,
        span: { fromMs: NOW_MS - DAY_MS, untilMs: NOW_MS },
        zone: new Zone("UTC"),
        pricesAsOf: "2026-11-29",
        hasModels: true,
        ...more,
      }, new Map())
    );
  } finally {
    ledger.close();
  }
}

Deno.test("the models of every row add up to it, in every kind of report", async () => {
  for (const { by, rows } of await views()) {
    for (const row of rows) {
      for (
        const name of ["requests", "input", "cacheRead", "output"] as const
      ) {
        const sum = (row.models ?? [])
          .reduce((all, part) => all + part[name], 0);
        strictEqual(sum, row[name], `${by} ${row.key}: ${name}`);
      }
    }
  }
});

Deno.test("weeks that begin on sunday have the models of their days", async () => {
  const weeks = (await views({ weekStart: "sunday" }))
    .find(({ by }) => by === "week");
  strictEqual(weeks?.weekStart, "sunday");
  deepStrictEqual(
    weeks.rows.map(({ key, models = [] }) => [
      key,
      models.map(({ model, requests }) => [model, requests]),
    ]),
    [
      // The 21st of November 2026 is a Saturday.
      ["2026-11-15", [["claude-haiku-4-5", 1]]],
      ["2026-11-22", [["claude-opus-5-5", 2], [null, 1]]],
    ],
  );
});

Deno.test("a block has the models of all its answers, also those before the report", async () => {
  const block = (await views()).find(({ by }) => by === "block");
  deepStrictEqual(
    block?.rows.map(({ key, models = [] }) => [
      key,
      models.map(({ model, requests }) => [model, requests]),
    ]),
    [
      ["2026-11-21T19:00:00.000Z", [
        // Of two that cost the same, the later one first.
        ["claude-haiku-4-5", 1],
        ["claude-opus-5-5", 1],
      ]],
      ["2026-11-22T09:00:00.000Z", [["claude-opus-5-5", 2], [null, 1]]],
    ],
  );
});

Deno.test("in CSV the sum has no model, and its parts have one", async () => {
  const day = (await views()).filter(({ by }) => by === "day");
  const rows = csvLines(day, { hasCost: true, hasModels: true })
    .map((line) => line.split(","));
  const places = ["key", "model"].map((name) => rows[0]?.indexOf(name) ?? -1);
  const lines = rows.map((row) => places.map((at) => row[at]));
  deepStrictEqual(lines, [
    ["key", "model"],
    ["2026-11-21", ""],
    ["2026-11-21", "claude-haiku-4-5"],
    ["2026-11-22", ""],
    ["2026-11-22", "claude-opus-5-5"],
    ["2026-11-22", "(none)"],
  ]);
});

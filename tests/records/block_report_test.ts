/** spendReport() by block: from the ledger, whole blocks, and the running one. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { ReportView } from "../../src/control/history/report_view.ts";
import { Zone } from "../../src/core/calendar.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../src/core/time.ts";
import { spendReport } from "../../src/records/spend_report.ts";
import { openDatabase } from "../../src/store/ledger/database.ts";
import { Ledger } from "../../src/store/ledger/ledger.ts";
import { at, ledgerEntry } from "../fixtures/ledger_rows.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

async function reportOf(
  ended: readonly string[],
  { now, sinceMs }: { readonly now: string; readonly sinceMs: number },
): Promise<ReportView> {
  await using folder = new TempFolder();
  const ledger = openDatabase(folder.join("state.db"), "read_write");
  try {
    new Ledger(ledger).write(ended.map((iso) =>
      ledgerEntry({
        endedAt: at(iso),
      })
    ));
    const nowMs = at(now);
    return spendReport({ ledger, history: null }, {
      by: "block",
      nowMs,
      span: { fromMs: sinceMs, untilMs: nowMs },
      zone: new Zone("UTC"),
      pricesAsOf: "2026-11-29",
    }, new Map());
  } finally {
    ledger.close();
  }
}

Deno.test("a block that begins before the report is whole, however long the chain", async () => {
  // Three days without a pause: an answer in every hour, from 00:30 on.
  const start = at("2026-11-20T00:30:00Z");
  const hours = Array.from(
    { length: 72 },
    (_, hour) => new Date(start + hour * HOUR_MS).toISOString(),
  );
  const view = await reportOf(hours, {
    now: "2026-11-25T00:00:00Z",
    sinceMs: at("2026-11-22T18:00:00Z"),
  });
  // Every fifth hour, counted from the first answer of the chain.
  deepStrictEqual(
    view.rows.map(({ key, requests }) => [key, requests]),
    [
      ["2026-11-22T17:00:00.000Z", 5],
      ["2026-11-22T22:00:00.000Z", 2],
    ],
  );
  strictEqual(view.block, null);
});

Deno.test("the running block has its rate, its estimate and their age", async () => {
  const now = "2026-11-22T12:00:00Z";
  const view = await reportOf(
    ["2026-11-22T09:40:00Z", "2026-11-22T10:40:00Z", "2026-11-22T11:40:00Z"],
    { now, sinceMs: at(now) - DAY_MS },
  );
  const { block } = view;
  ok(block !== null);
  strictEqual(block.startsAt.iso, "2026-11-22T09:00:00.000Z");
  strictEqual(block.tokens, 3 * 1_050);
  strictEqual(block.burnRate?.tokensPerHour, 1_575);
  strictEqual(block.projection?.ageMs, 20 * MINUTE_MS);
  strictEqual(block.projection?.remainingMs, 2 * HOUR_MS);
  strictEqual(block.projection?.tokens, 3 * 1_050 + 2 * 1_575);
});

Deno.test("a request that failed begins no block", async () => {
  await using folder = new TempFolder();
  const ledger = openDatabase(folder.join("state.db"), "read_write");
  new Ledger(ledger).write([
    ledgerEntry({ endedAt: at("2026-11-22T03:10:00Z"), usage: null }),
    ledgerEntry({ endedAt: at("2026-11-22T06:10:00Z") }),
    ledgerEntry({ endedAt: at("2026-11-22T09:10:00Z"), usage: null }),
  ]);
  const nowMs = at("2026-11-22T20:00:00Z");
  const { rows } = spendReport({ ledger, history: null }, {
    by: "block",
    nowMs,
    span: { fromMs: nowMs - DAY_MS, untilMs: nowMs },
    zone: new Zone("UTC"),
    pricesAsOf: "2026-11-29",
  }, new Map());
  ledger.close();
  deepStrictEqual(
    rows.map(({ key, requests }) => [key, requests]),
    [["2026-11-22T06:00:00.000Z", 2]],
  );
});

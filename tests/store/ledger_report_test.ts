/** Reports: the same sums however they are cut. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { byPeriod, reportView } from "../../src/control/history/report_view.ts";
import { Zone } from "../../src/core/calendar.ts";
import { addSpend, NO_SPEND, type SpendRow } from "../../src/core/usage.ts";
import { instantFromMs } from "../../src/core/time.ts";
import { openDatabase } from "../../src/store/ledger/database.ts";
import { Ledger } from "../../src/store/ledger/ledger.ts";
import { spendBy, spendByTime } from "../../src/store/ledger/ledger_report.ts";
import { at, ledgerEntry } from "../fixtures/ledger_rows.ts";
import { accountId } from "../fixtures/pool.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const ALL = { fromMs: 0, untilMs: Date.UTC(2100, 0) };

function total(rows: readonly SpendRow[]): typeof NO_SPEND {
  return rows.reduce((sum, { spend }) => addSpend(sum, spend), NO_SPEND);
}

Deno.test("every cut of the ledger has the same total", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  const ledger = new Ledger(database);
  const tokens = fc.nat(1_000_000);
  const entries = fc.array(
    fc.record({
      endedAt: fc.integer({
        min: Date.UTC(2026, 0),
        max: Date.UTC(2026, 11),
      }).map(instantFromMs),
      session: fc.constantFrom("a", "b", null),
      accountId: fc.constantFrom(accountId("work"), accountId("home"), null),
      modelAnswered: fc.constantFrom("claude-opus-5-5", null),
      modelAsked: fc.constantFrom("claude-opus-5-5", null),
      usage: fc.option(fc.record({
        input: tokens,
        cacheRead: tokens,
        cacheWrite5m: tokens,
        cacheWrite1h: tokens,
        output: tokens,
      })),
    }).map((parts) => ledgerEntry(parts)),
    { maxLength: 20 },
  );
  let input = 0;
  let requests = 0;
  fc.assert(
    fc.property(entries, (batch) => {
      ledger.write(batch);
      requests += batch.length;
      for (const { record } of batch) input += record.usage?.input ?? 0;
      const byTime = spendByTime(database, ALL);
      strictEqual(total(byTime).requests, requests);
      strictEqual(total(byTime).input, input);
      for (const zone of ["UTC", "Asia/Kathmandu", "America/New_York"]) {
        deepStrictEqual(
          total(byPeriod(byTime, "day", new Zone(zone))),
          total(byTime),
        );
      }
      for (const key of ["session", "account", "model"] as const) {
        deepStrictEqual(total(spendBy(database, key, ALL)), total(byTime));
      }
    }),
    { numRuns: 20 },
  );
  database.close();
});

Deno.test("a day is the zone's own, also where the clocks change", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  new Ledger(database).write([
    ledgerEntry({ endedAt: at("2026-03-28T22:30:00Z") }),
    ledgerEntry({ endedAt: at("2026-03-28T23:30:00Z") }),
    ledgerEntry({ endedAt: at("2026-03-29T21:45:00Z") }),
    ledgerEntry({ endedAt: at("2026-03-29T22:15:00Z") }),
  ]);
  const rows = spendByTime(database, ALL);
  const days = (zone: string, unit: "day" | "week" | "month" = "day") =>
    byPeriod(rows, unit, new Zone(zone))
      .map(({ key, spend }) => [key, spend.requests]);
  deepStrictEqual(days("Europe/Berlin"), [
    ["2026-03-28", 1],
    ["2026-03-29", 2],
    ["2026-03-30", 1],
  ]);
  deepStrictEqual(days("UTC"), [["2026-03-28", 2], ["2026-03-29", 2]]);
  deepStrictEqual(days("Europe/Berlin", "week"), [
    ["2026-W13", 3],
    ["2026-W14", 1],
  ]);
  deepStrictEqual(days("UTC", "month"), [["2026-03", 4]]);
  database.close();
});

Deno.test("reportView() says unpriced where nothing has a price", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  new Ledger(database).write([
    ledgerEntry({ modelAnswered: "glm-5" }, null),
    ledgerEntry({}, 2_500_000_000),
    ledgerEntry({ modelAnswered: null, modelAsked: null, usage: null }),
  ]);
  const view = reportView(spendBy(database, "model", ALL), {
    pricesAsOf: "2026-11-29",
    by: "model",
    nowMs: Date.UTC(2030, 0),
    sinceMs: 0,
    untilMs: Date.UTC(2030, 0),
    zone: new Zone("UTC"),
    labelOf: () => null,
  });
  const costs = new Map(view.rows.map((row) => [row.key, row.costUsd]));
  strictEqual(costs.get("glm-5"), null);
  strictEqual(costs.get("claude-opus-5-5"), 2.5);
  strictEqual(costs.get(null), 0);
  deepStrictEqual([view.total.costUsd, view.total.unpriced], [2.5, 1]);
  database.close();
});

Deno.test("a session's row has its true first and last times", async () => {
  await using folder = new TempFolder();
  const database = openDatabase(folder.join("state.db"), "read_write");
  const ledger = new Ledger(database);
  const session = "s";
  ledger.write([
    ledgerEntry({
      session,
      startedAt: at("2026-03-28T09:59:50.123Z"),
      endedAt: at("2026-03-28T10:00:07.456Z"),
    }),
    ledgerEntry({ session, endedAt: at("2026-03-28T11:20:00.001Z") }),
  ]);
  ledger.write([
    ledgerEntry({ session, endedAt: at("2026-03-28T11:21:33.789Z") }),
  ]);
  const [row] = spendBy(database, "session", ALL);
  strictEqual(row?.firstAt, at("2026-03-28T09:59:50.123Z"));
  strictEqual(row?.lastAt, at("2026-03-28T11:21:33.789Z"));
  // A day begins with its first answer, never before the day itself.
  const [first] = spendByTime(database, ALL);
  strictEqual(first?.firstAt, at("2026-03-28T10:00:00Z"));
  // Sums of an older tc have no times: those of the quarter hold.
  database.exec("UPDATE quarters SET first_at = 0, last_at = 0");
  const [old] = spendBy(database, "session", ALL);
  strictEqual(old?.firstAt, at("2026-03-28T10:00:00Z"));
  strictEqual(old?.lastAt, at("2026-03-28T11:30:00Z"));
  database.close();
});

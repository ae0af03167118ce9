/** spendReport() with plans: what they cost beside what they covered. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import {
  plansText,
  unknownPlans,
} from "../../src/control/history/plan_view.ts";
import type {
  ReportKind,
  ReportView,
} from "../../src/control/history/report_view.ts";
import { Zone } from "../../src/core/calendar.ts";
import type { PlanAccount } from "../../src/core/plans.ts";
import { spendReport } from "../../src/records/spend_report.ts";
import { openDatabase } from "../../src/store/ledger/database.ts";
import { Ledger } from "../../src/store/ledger/ledger.ts";
import { noteWindows } from "../../src/store/ledger/window_history.ts";
import { accountId } from "../fixtures/pool.ts";
import { at, ledgerEntry } from "../fixtures/ledger_rows.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const NOW_MS = at("2026-12-01T00:00:00Z");
const FROM_MS = at("2026-11-01T00:00:00Z");
const DOLLAR = 1_000_000_000;

function plan(
  id: string,
  parts: Partial<PlanAccount> = {},
): PlanAccount {
  return {
    id,
    label: id,
    kind: "subscription",
    tier: "max_5x",
    ownUsdPerMonth: null,
    ...parts,
  };
}

const ACCOUNTS: readonly PlanAccount[] = [
  // Used before November: all of it counts.
  plan("old"),
  // First used on the 16th: half of it counts.
  plan("new", { tier: "max_20x" }),
  // Never used, and its windows are known since the 28th.
  plan("idle", { tier: "pro" }),
  plan("firm", { tier: "team" }),
  plan("never", { tier: "pro" }),
  plan("key", { kind: "api_key", tier: "unknown" }),
];

async function report(
  by: ReportKind,
  accounts: readonly PlanAccount[],
  more: { readonly machine?: string } = {},
): Promise<ReportView> {
  await using folder = new TempFolder();
  const ledger = openDatabase(folder.join("state.db"), "read_write");
  try {
    const put = (
      iso: string,
      account: string,
      dollars: number,
      isPaid = false,
    ) =>
      ledgerEntry(
        {
          startedAt: at(iso),
          endedAt: at(iso),
          accountId: accountId(account),
          isPaid,
        },
        dollars * DOLLAR,
      );
    new Ledger(ledger).write([
      put("2026-10-20T10:00:00Z", "old", 50),
      put("2026-11-05T10:00:00Z", "old", 300),
      put("2026-11-16T00:00:00Z", "new", 500),
      put("2026-11-17T00:00:00Z", "firm", 70),
      put("2026-11-18T00:00:00Z", "key", 9, true),
      put("2026-11-19T00:00:00Z", "gone", 11),
    ]);
    noteWindows(ledger, [
      { account: "idle", window: "5h", utilization: 0, resetsAt: null },
    ], at("2026-11-28T00:00:00Z"));
    return spendReport({ ledger, history: null }, {
      by,
      nowMs: NOW_MS,
      span: { fromMs: FROM_MS, untilMs: NOW_MS, ...more },
      zone: new Zone("UTC"),
      pricesAsOf: "2026-11-29",
      accounts,
    }, new Map());
  } finally {
    ledger.close();
  }
}

Deno.test("plans cost what falls into their time in the pool, beside what those accounts alone covered", async () => {
  const { plans } = await report("month", ACCOUNTS);
  deepStrictEqual(
    plans?.accounts.map(({ id, plan, since, costUsd, worthUsd }) => [
      id,
      plan,
      since.iso.slice(0, 10),
      costUsd,
      worthUsd,
    ]),
    [
      ["old", "max_5x", "2026-11-01", 100, 300],
      ["new", "max_20x", "2026-11-16", 100, 500],
      ["idle", "pro", "2026-11-28", 2, 0],
      ["firm", "team", "2026-11-17", null, 70],
      ["gone", "removed", "2026-11-19", null, 11],
    ],
  );
  strictEqual(plans?.costUsd, 202);
  strictEqual(plans.worthUsd, 800, "not the 81 of unknown plans");
  strictEqual(plansText(plans), "worth $800 · plans cost $202 · 4.0 times");
  deepStrictEqual(unknownPlans(plans), ["firm (Team)", "gone (removed)"]);
});

Deno.test("a row has the plans of its days, or of its account; unknown is never 0", async () => {
  const days = await report("day", ACCOUNTS);
  const of = new Map(days.rows.map(({ key, planUsd }) => [key, planUsd]));
  strictEqual(of.get("2026-11-05")?.toFixed(4), (100 / 30).toFixed(4));
  strictEqual(of.get("2026-11-17")?.toFixed(4), (300 / 30).toFixed(4));
  const accounts = await report("account", ACCOUNTS);
  deepStrictEqual(
    accounts.rows.map(({ key, planUsd }) => [key, planUsd]).toSorted(),
    [["firm", null], ["gone", null], ["key", null], ["new", 100], ["old", 100]],
  );
  const models = await report("model", ACCOUNTS);
  strictEqual(models.rows[0]?.planUsd, undefined);
});

Deno.test("without a known price there is no sum, and a part of the work is not compared", async () => {
  const { plans } = await report("month", [plan("firm", { tier: "team" })]);
  strictEqual(plans?.costUsd, null);
  strictEqual(plans.times, null);
  strictEqual(plansText(plans), null);
  const part = await report("month", ACCOUNTS, { machine: "this machine" });
  strictEqual(part.plans, null);
});

Deno.test("a stated price counts instead of the list's", async () => {
  const { plans } = await report("month", [
    plan("old", { ownUsdPerMonth: 60 }),
    plan("firm", { tier: "team", ownUsdPerMonth: 30 }),
  ]);
  deepStrictEqual(
    plans?.accounts.slice(0, 2).map(({ id, priceFrom, costUsd }) => [
      id,
      priceFrom,
      costUsd?.toFixed(2),
    ]),
    [["old", "own", "60.00"], ["firm", "own", "14.00"]],
  );
});

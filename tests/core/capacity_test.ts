/** poolCapacity(): the golden cases of the teamclaude fork. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { poolCapacity } from "../../src/core/quota/capacity.ts";
import { snapshot } from "../../src/core/pool/pool.ts";
import {
  account,
  closed,
  fold,
  inHours,
  inSeconds,
  judged,
  NOW,
  opened,
  poolOf,
  quotaWindow,
  servedOn,
} from "../fixtures/pool.ts";

const THREE = ["a", "b", "c"].map((name) => ({ account: account(name) }));

function spent(name: string, seconds: number) {
  return [
    opened(`l-${name}`, name),
    judged(`l-${name}`, {
      kind: "exhausted",
      window: "5h",
      family: null,
      until: inSeconds(seconds),
    }),
    closed(`l-${name}`),
  ];
}

Deno.test("poolCapacity() is green with three idle accounts", () => {
  const report = poolCapacity(snapshot(poolOf(THREE), NOW));
  strictEqual(report.verdict, "green");
  strictEqual(report.headroom, 9);
  strictEqual(report.liveAccounts, 3);
  strictEqual(report.soonestResetSec, 0);
});

Deno.test("poolCapacity() is yellow with one account benched", () => {
  const state = fold(poolOf(THREE), ...spent("b", 300));
  const report = poolCapacity(snapshot(state, NOW));
  strictEqual(report.verdict, "yellow");
  strictEqual(report.liveAccounts, 2);
  strictEqual(report.soonestResetSec, 300);
  const benched = report.accounts.find(({ name }) => name === "b");
  deepStrictEqual(
    [benched?.status, benched?.benched, benched?.benchSec, benched?.live],
    ["exhausted", true, 300, false],
  );
});

Deno.test("poolCapacity() is red with all benched", () => {
  const state = fold(
    poolOf(THREE),
    ...spent("a", 300),
    ...spent("b", 200),
    ...spent("c", 900),
  );
  const report = poolCapacity(snapshot(state, NOW));
  strictEqual(report.verdict, "red");
  strictEqual(report.headroom, 0);
  strictEqual(report.soonestResetSec, 200);
});

Deno.test("poolCapacity() is yellow with one session of headroom", () => {
  const warm = ["1", "2", "3", "4", "5"].flatMap((s) => servedOn("a", s));
  const state = fold(poolOf(THREE, { softConcurrency: 2 }), ...warm);
  const report = poolCapacity(snapshot(state, NOW));
  strictEqual(report.warmSessions, 5);
  strictEqual(report.headroom, 1);
  strictEqual(report.verdict, "yellow");
});

Deno.test("poolCapacity() does not call an unlearned account empty or full", () => {
  const [first] = poolCapacity(snapshot(poolOf(THREE), NOW)).accounts;
  strictEqual(first?.capEst5h, null);
  strictEqual(first?.headroomTok, null);
  strictEqual(first?.nearCap, false);
});

Deno.test("poolCapacity() counts a near account as live", () => {
  const windows = [quotaWindow("5h", 0.8)];
  const pool = poolOf([{ account: account("a"), windows }]);
  const [first] = poolCapacity(snapshot(pool, NOW)).accounts;
  strictEqual(first?.nearCap, true);
  strictEqual(first?.live, true);
});

Deno.test("poolCapacity() counts the burn of exactly five hours", () => {
  const early = servedOn("a", "s", { at: inHours(-5.2), tokens: 10_000 });
  const late = servedOn("a", "s", { at: inHours(-4.8), tokens: 20_000 });
  const state = fold(poolOf(THREE), ...early, ...late);
  const [first] = poolCapacity(snapshot(state, NOW)).accounts;
  // 20,000 written at 1.25 and 500 answered at 5.
  strictEqual(first?.burn5h, 27_500);
});

Deno.test("poolCapacity() leaves out what a person switched off", () => {
  const pool = poolOf([
    { account: account("a") },
    { account: account("b", { enabled: false }) },
  ]);
  const report = poolCapacity(snapshot(pool, NOW));
  strictEqual(report.total, 1);
  strictEqual(report.verdict, "green");
});

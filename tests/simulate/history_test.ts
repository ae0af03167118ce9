/** historyOf(): recorded requests as work, and what the replay makes of it. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { historyOf } from "../../src/simulate/workload/history.ts";
import {
  recordedCost,
  selfCheck,
} from "../../src/simulate/workload/history_fit.ts";
import type { HistoryRow } from "../../src/store/ledger/ledger_history.ts";

const START_MS = Date.UTC(2026, 10, 2, 9);
const MINUTE_MS = 60_000;
const ACCOUNT = {
  id: "work",
  label: "work",
  tier: "max_5x",
  kind: "subscription",
} as const;
const WISH = {
  accounts: [ACCOUNT],
  cacheReadWeight: 0.1,
  cacheTtlMs: null,
} as const;
const UNIT = { cacheReadWeight: 0.1, cacheTtlMs: 3_600_000 };
/** What the account of the tests really holds. */
const FIVE_HOUR_TOKENS = 4_000_000;

/** A conversation that grows by `step` tokens, one request a minute. */
function rows(count: number, parts: Partial<HistoryRow> = {}): HistoryRow[] {
  let spent = 0;
  return Array.from({ length: count }, (_, index) => {
    const cacheRead = 20_000 + index * 2_000;
    const usage = {
      input: 0,
      cacheRead,
      cacheWrite5m: 0,
      cacheWrite1h: 2_000,
      output: 400,
    };
    spent += recordedCost({ usage }, UNIT) / FIVE_HOUR_TOKENS;
    return {
      askedAt: START_MS + index * MINUTE_MS,
      startedAt: START_MS + index * MINUTE_MS,
      endedAt: START_MS + index * MINUTE_MS + 10_000,
      waitedMs: 0,
      firstByteMs: null,
      conversation: "s1",
      model: "claude-opus-5-5",
      account: "work",
      policy: "price",
      isPrompt: true,
      isSide: false,
      isCompacted: false,
      isMoved: false,
      usage,
      spent5h: Math.round(spent * 100) / 100,
      resets5h: START_MS + 5 * 60 * MINUTE_MS,
      spent7d: 0.1,
      resets7d: START_MS + 90 * 60 * MINUTE_MS,
      ...parts,
    };
  });
}

Deno.test("historyOf() keeps pauses, sizes and the life of caches", () => {
  const { workload, policy, requests } = historyOf(rows(5), WISH);
  strictEqual(policy, "price");
  strictEqual(requests, 5);
  strictEqual(workload.cacheTtlMs, 3_600_000);
  strictEqual(workload.sharedTokens, 20_000);
  const [session] = workload.sessions;
  deepStrictEqual(session?.requests.map(({ gapMs }) => gapMs), [
    0,
    50_000,
    50_000,
    50_000,
    50_000,
  ]);
  strictEqual(session?.requests[1]?.contextTokens, 24_000);
  strictEqual(session?.requests[1]?.durationMs, 10_000);
});

Deno.test("historyOf() takes the usual time until an answer begins, and two seconds where none was recorded", () => {
  const of = (list: HistoryRow[]) => historyOf(list, WISH).workload.headMs;
  strictEqual(of(rows(3)), 2_000);
  const measured = [900, 700, 30_000].map((firstByteMs) =>
    rows(1, { firstByteMs })
  ).flat();
  // What waited says nothing of the provider.
  strictEqual(
    of([...measured, ...rows(2, { firstByteMs: 60_000, waitedMs: 59_000 })]),
    900,
  );
});

Deno.test("a side request holds nobody up", () => {
  const [first, second, third] = rows(3);
  ok(first && second && third);
  const { workload } = historyOf([first, { ...second, isSide: true }, third], {
    ...WISH,
  });
  deepStrictEqual(
    workload.sessions[0]?.requests.map(({ gapMs, isSide }) => [gapMs, isSide]),
    [[0, false], [50_000, true], [60_000, false]],
  );
});

Deno.test("historyOf() takes tries that were refused for a wait, not for a pause", () => {
  const [first, second] = rows(2);
  ok(first && second);
  const { workload, fits } = historyOf(
    [first, { ...second, askedAt: second.startedAt - 40_000, waitedMs: 5_000 }],
    WISH,
  );
  deepStrictEqual(
    workload.sessions[0]?.requests.map(({ gapMs }) => gapMs),
    [0, 10_000],
  );
  strictEqual(fits[0]?.waitedMs, 45_000);
});

Deno.test("historyOf() holds a figure against what was begun before it", () => {
  // The first, written anew, is ten times the others; answers overlap.
  const all = rows(12).map((row, index) => ({
    ...row,
    endedAt: row.startedAt + (index === 0 ? 30_000 : 90_000),
    usage: {
      input: 0,
      cacheRead: 0,
      cacheWrite5m: 0,
      cacheWrite1h: index === 0 ? 200_000 : 20_000,
      output: 0,
    },
  }));
  // The first knows its own head's figure, the others that of the next head.
  const stated = all.map((row, index) => {
    const begun = index === 0 ? 0 : Math.min(11, index + 1);
    const spent = all.slice(0, begun)
      .reduce((sum, one) => sum + recordedCost(one, UNIT), 0);
    return {
      ...row,
      spent5h: Math.round(spent / FIVE_HOUR_TOKENS * 100) / 100,
    };
  });
  const size = historyOf(stated, WISH).fits[0]?.fiveHourTokens ?? 0;
  ok(Math.abs(size / FIVE_HOUR_TOKENS - 1) < 0.1, String(size));
});

Deno.test("historyOf() finds an account's size from what its window said", () => {
  const { fits } = historyOf(rows(120), WISH);
  const [fit] = fits;
  const size = fit?.fiveHourTokens ?? 0;
  ok(Math.abs(size / FIVE_HOUR_TOKENS - 1) < 0.06, String(size));
  strictEqual(fit?.weekTokens, null);
});

Deno.test("a replay comes to what was recorded, the same each time", () => {
  const { workload, fits } = historyOf(rows(120), WISH);
  const check = selfCheck(workload, fits, { settings: { policy: "price" } });
  ok(check.isGood, String(check.error));
  ok(check.error < 0.02, String(check.error));
  deepStrictEqual(
    selfCheck(workload, fits, { settings: { policy: "price" } }),
    check,
  );
});

Deno.test("a history that the model cannot explain is no ground to conclude", () => {
  // Nothing was read from cache although every pause was short.
  const odd = rows(120).map((row) => ({
    ...row,
    usage: {
      ...row.usage,
      cacheRead: 0,
      cacheWrite1h: row.usage.cacheRead + 2_000,
    },
  }));
  const { workload, fits } = historyOf(odd, WISH);
  const check = selfCheck(workload, fits, { settings: { policy: "price" } });
  strictEqual(check.isGood, false);
});

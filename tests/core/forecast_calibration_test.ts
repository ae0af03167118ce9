/** forecast(): how often the true end lies within the interval that it gives. */

import { ok } from "node:assert/strict";
import { forecast } from "../../src/core/quota/forecast.ts";
import { BURN_BUCKET_MS, burnBucketAt } from "../../src/core/quota/learn.ts";
import { snapshot } from "../../src/core/pool/pool.ts";
import type { BurnBucket } from "../../src/core/pool/state.ts";
import { after, HOUR_MS, type Instant } from "../../src/core/time.ts";
import { SCENARIOS } from "../../src/simulate/workload/scenarios.ts";
import { worths } from "../../src/simulate/workload/workload.ts";
import { account, patch, poolOf, quotaWindow } from "../fixtures/pool.ts";
import { report } from "../fixtures/report.ts";
import { trials } from "../fixtures/trials.ts";

interface Spent {
  readonly at: Instant;
  readonly tokens: number;
}

/** What people and agents of a built-in workload burn, nobody held up. */
function burnOf(name: string, seed: number): readonly Spent[] {
  const workload = SCENARIOS[name]?.(seed);
  ok(workload, name);
  return [...worths(workload).values()]
    .map(({ releasedAt, tokens }) => ({
      at: after(0 as Instant, releasedAt),
      tokens,
    }))
    .sort((a, b) => a.at - b.at);
}

interface Case {
  readonly opensAt: Instant;
  readonly at: Instant;
  readonly size: number;
}

function sumOf(burn: readonly Spent[], from: Instant, to: Instant): number {
  let sum = 0;
  for (const { at, tokens } of burn) if (at >= from && at < to) sum += tokens;
  return sum;
}

/** When the window was really spent; null when it was not. */
function trueEnd(burn: readonly Spent[], { opensAt, size }: Case) {
  let sum = 0;
  for (const { at, tokens } of burn) {
    if (at < opensAt) continue;
    if (at >= opensAt + 5 * HOUR_MS) return null;
    sum += tokens;
    if (sum >= size) return at;
  }
  return null;
}

function bucketsOf(
  burn: readonly Spent[],
  { at: now }: Case,
): readonly BurnBucket[] {
  const sums = new Map<Instant, number>();
  for (const { at, tokens } of burn) {
    if (at >= now || at < now - 5 * HOUR_MS - BURN_BUCKET_MS) continue;
    const bucket = burnBucketAt(at);
    sums.set(bucket, (sums.get(bucket) ?? 0) + tokens);
  }
  return [...sums].map(([at, tokens]) => ({ at, tokens }));
}

/** Whether the end lay within; null where nothing was to be told. */
function isWithin(burn: readonly Spent[], one: Case): boolean | null {
  const used = sumOf(burn, one.opensAt, one.at) / one.size;
  if (used >= 0.99) return null;
  const endsAt = after(one.opensAt, 5 * HOUR_MS);
  const window = quotaWindow("5h", Math.round(used * 100) / 100, {
    resetsAt: endsAt,
    observedAt: one.at,
  });
  const pool = patch(
    poolOf([{ account: account("a"), windows: [window] }]),
    "a",
    (before) => ({
      ...before,
      burn: bucketsOf(burn, one),
      learned: { ...before.learned, fiveHourTokens: one.size },
    }),
  );
  const [found] = forecast(snapshot(pool, one.at)).windows;
  const end = trueEnd(burn, one);
  if (found === undefined || found.spentBetween === null) return null;
  if (found.spentAt === null && end === null) return null;
  const { soonest, latest } = found.spentBetween;
  if (end === null) return latest === null;
  return soonest !== null && soonest <= end &&
    (latest === null || end <= latest);
}

/** Windows that open every so often and hold what is burnt in some hours. */
function casesOf(burn: readonly Spent[]): readonly Case[] {
  const first = burn[0]?.at ?? 0 as Instant;
  const last = burn.at(-1)?.at ?? first;
  const cases: Case[] = [];
  for (let opensAt = after(first, HOUR_MS); opensAt < last - 5 * HOUR_MS;) {
    for (const hours of [2, 3, 4.5]) {
      const size = sumOf(burn, opensAt, after(opensAt, hours * HOUR_MS));
      for (const passed of [1, 1.7, 2.5, 3.3]) {
        if (size === 0) continue;
        cases.push({ opensAt, size, at: after(opensAt, passed * HOUR_MS) });
      }
    }
    opensAt = after(opensAt, 5.3 * HOUR_MS);
  }
  return cases;
}

Deno.test("forecast() gives an interval that holds the true end about eight times of ten", () => {
  let told = 0;
  let within = 0;
  for (const name of ["solo", "heavy", "fleet"]) {
    let ofName = 0;
    let withinName = 0;
    for (let seed = 1; seed <= trials(2, 10); seed++) {
      const burn = burnOf(name, seed);
      for (const one of casesOf(burn)) {
        const found = isWithin(burn, one);
        if (found === null) continue;
        ofName++;
        if (found) withinName++;
      }
    }
    told += ofName;
    within += withinName;
    report(`${name}: ${withinName} of ${ofName} within`);
  }
  const share = within / told;
  report(`${within} of ${told} true ends within: ${share.toFixed(2)}`);
  ok(told > 100, String(told));
  ok(share > 0.7 && share < 0.95, String(share));
});

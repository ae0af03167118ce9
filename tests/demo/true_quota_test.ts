/** The demo's true quotas: what is spent, until when, and for whom. */

import { deepStrictEqual, ok, strictEqual, throws } from "node:assert/strict";
import fc from "fast-check";
import { DAY_MS, HOUR_MS, instantFromMs } from "../../src/core/time.ts";
import { PLANS, windowPlans } from "../../src/demo/quota/plans.ts";
import {
  quotaUnits,
  TrueQuota,
  UNIT_WEIGHTS,
  utilization,
} from "../../src/demo/quota/true_quota.ts";

const START = instantFromMs(1_800_000_000_000);

function at(ms: number) {
  return instantFromMs(START + ms);
}

function quotaOf(tier: "pro" | "max_20x" = "pro"): TrueQuota {
  return new TrueQuota(windowPlans(PLANS[tier]), START);
}

function used(quota: TrueQuota, ms = 0): Record<string, number> {
  return Object.fromEntries(
    quota.windows(at(ms)).map((window) => [window.key, utilization(window)]),
  );
}

Deno.test("quotaUnits() weighs reads a tenth, hour writes twice, output five times", () => {
  const usage = {
    input: 100,
    cacheRead: 1_000,
    cacheWrite5m: 40,
    cacheWrite1h: 30,
    output: 10,
  };
  strictEqual(quotaUnits(usage, UNIT_WEIGHTS), 100 + 100 + 50 + 60 + 50);
});

Deno.test("a 5h window opens at first use and closes after five hours", () => {
  const quota = quotaOf();
  strictEqual(quota.windows(at(0))[0]?.resetsAt, null);
  quota.open("sonnet", at(1_500));
  quota.charge(130_000, "sonnet", at(1_500));
  strictEqual(quota.windows(at(1_500))[0]?.resetsAt, at(5 * HOUR_MS + 2_000));
  strictEqual(used(quota, 1_500)["5h"], 0.1);
  const end = 5 * HOUR_MS + 2_000;
  strictEqual(used(quota, end - 1)["5h"], 0.1);
  strictEqual(used(quota, end)["5h"], 0);
  strictEqual(quota.windows(at(end))[0]?.resetsAt, null);
});

Deno.test("a 7d window resets by itself, week after week", () => {
  const quota = quotaOf();
  quota.set({ "7d": 0.5 }, at(0));
  strictEqual(used(quota, 7 * DAY_MS - 1)["7d"], 0.5);
  strictEqual(used(quota, 7 * DAY_MS)["7d"], 0);
  const later = quota.windows(at(30 * DAY_MS)).find((w) => w.key === "7d");
  strictEqual(later?.resetsAt, at(35 * DAY_MS));
});

Deno.test("the premium window counts its own family and bars it alone", () => {
  const quota = quotaOf();
  quota.charge(1_000, "sonnet", at(0));
  strictEqual(used(quota)["7d_oi"], 0);
  quota.set({ "7d_oi": 1 }, at(0));
  strictEqual(quota.spentWindow("sonnet", at(0)), null);
  strictEqual(quota.spentWindow("fable", at(0))?.key, "7d_oi");
});

Deno.test("spentWindow() names the one that resets last", () => {
  const quota = quotaOf();
  quota.set({ "5h": 1, "7d": 1 }, at(0));
  strictEqual(quota.spentWindow("opus", at(0))?.key, "7d");
  quota.resetIn("7d", HOUR_MS, at(0));
  strictEqual(quota.spentWindow("opus", at(0))?.key, "5h");
});

Deno.test("set() refuses a window that is not there", () => {
  throws(() => quotaOf().set({ "9h": 1 }, at(0)), /there are 5h, 7d, 7d_oi/);
});

Deno.test("law: spent exactly when the charges reach the size", () => {
  fc.assert(fc.property(
    fc.array(fc.integer({ min: 0, max: 300_000 }), { maxLength: 30 }),
    (charges) => {
      const quota = quotaOf();
      let sum = 0;
      for (const charge of charges) {
        const isSpent = quota.spentWindow("sonnet", at(0)) !== null;
        strictEqual(isSpent, sum >= PLANS.pro.fiveHourUnits);
        quota.charge(charge, "sonnet", at(0));
        sum += charge;
      }
      ok(
        Math.abs((used(quota)["5h"] ?? 0) * PLANS.pro.fiveHourUnits - sum) < 1,
      );
    },
  ));
});

Deno.test("plans have the sizes of the routing model", () => {
  deepStrictEqual(
    ["pro", "max_5x", "max_20x"].map((tier) => {
      const plan = PLANS[tier as "pro"];
      return [
        plan.fiveHourUnits,
        plan.weekUnits / plan.fiveHourUnits,
        plan.concurrency,
        plan.requestsPerMinute,
      ];
    }),
    [[1_300_000, 9, 5, 25], [6_500_000, 8, 9, 45], [26_000_000, 7, 14, 80]],
  );
});

/** planCost(): each month's price by the part of that month in the span. */

import { ok, strictEqual } from "node:assert/strict";
import { Zone } from "../../src/core/calendar.ts";
import { hasPlan, type PlanAccount, planCost } from "../../src/core/plans.ts";

const BERLIN = new Zone("Europe/Berlin");

function account(parts: Partial<PlanAccount> = {}): PlanAccount {
  return {
    id: "a",
    label: "work",
    kind: "subscription",
    tier: "max_5x",
    ownUsdPerMonth: null,
    ...parts,
  };
}

function cost(
  parts: Partial<PlanAccount>,
  from: string,
  until: string,
): number | null {
  return planCost(account(parts), {
    fromMs: Date.parse(from),
    untilMs: Date.parse(until),
    zone: BERLIN,
  });
}

/** Midnight in Berlin of the 1st of these months. */
const OCTOBER = "2026-09-30T22:00:00Z";
const NOVEMBER = "2026-10-31T23:00:00Z";
const DECEMBER = "2026-11-30T23:00:00Z";

Deno.test("a whole month costs its price, however long it is", () => {
  // October has an hour more where clocks are set back.
  strictEqual(cost({}, OCTOBER, NOVEMBER), 100);
  strictEqual(cost({ tier: "max_20x" }, NOVEMBER, DECEMBER), 200);
  strictEqual(cost({ tier: "pro" }, OCTOBER, DECEMBER), 40);
});

Deno.test("a part of a month costs that part, over the end of a month as well", () => {
  const days = cost({}, "2026-11-09T23:00:00Z", "2026-11-12T23:00:00Z");
  ok(Math.abs((days ?? 0) - 10) < 1e-9, String(days));
  const both = cost({}, "2026-10-30T23:00:00Z", "2026-11-01T23:00:00Z");
  const october = 100 * 24 / (31 * 24 + 1);
  ok(Math.abs((both ?? 0) - (october + 100 / 30)) < 1e-9, String(both));
});

Deno.test("a plan of unknown price has no cost, unless a person states one", () => {
  for (const tier of ["team", "unknown"] as const) {
    strictEqual(cost({ tier }, OCTOBER, NOVEMBER), null);
    strictEqual(cost({ tier }, OCTOBER, OCTOBER), null);
    strictEqual(cost({ tier, ownUsdPerMonth: 30 }, OCTOBER, NOVEMBER), 30);
  }
  strictEqual(cost({ ownUsdPerMonth: 0 }, OCTOBER, NOVEMBER), 0);
});

Deno.test("keys and backends have a plan only if a person states its price", () => {
  for (const kind of ["api_key", "backend"] as const) {
    strictEqual(hasPlan(account({ kind })), false);
    strictEqual(hasPlan(account({ kind, ownUsdPerMonth: 15 })), true);
  }
  strictEqual(hasPlan(account({ kind: "setup_token" })), true);
});

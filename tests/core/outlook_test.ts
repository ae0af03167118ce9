/** outlook(): the verdict that a person believes. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { colorOf, outlook } from "../../src/core/quota/outlook.ts";
import { snapshot } from "../../src/core/pool/pool.ts";
import {
  account,
  accountId,
  inHours,
  type Known,
  NOW,
  poolOf,
  quotaWindow,
} from "../fixtures/pool.ts";

function seen(...accounts: Known[]) {
  return outlook(snapshot(poolOf(accounts), NOW));
}

function plan(name: string, fiveHour: number, week = 0.2): Known {
  return {
    account: account(name),
    windows: [
      quotaWindow("5h", fiveHour, {
        resetsAt: inHours(3),
        ...(fiveHour >= 1 ? { status: "rejected" } : {}),
      }),
      quotaWindow("7d", week, { resetsAt: inHours(45) }),
    ],
  };
}

const KEY: Known = { account: account("key", { kind: "api_key" }) };

Deno.test("one healthy account is green", () => {
  strictEqual(colorOf(seen(plan("a", 0.1))), "green");
  deepStrictEqual(seen({ account: account("new") }), { kind: "open" });
});

Deno.test("one healthy account beside a used-up one is green", () => {
  deepStrictEqual(seen(plan("a", 1), plan("b", 0.3)), { kind: "open" });
});

Deno.test("yellow says what limits", () => {
  deepStrictEqual(seen(plan("a", 0.3, 0.93)), {
    kind: "nearly_full",
    accountId: accountId("a"),
    window: "7d",
    until: inHours(45),
  });
});

Deno.test("a key that serves because the plans are used up is yellow, and alone green", () => {
  deepStrictEqual(seen(plan("a", 1), KEY), {
    kind: "paid",
    until: inHours(3),
  });
  deepStrictEqual(seen(KEY), { kind: "open" });
});

Deno.test("red says until when", () => {
  strictEqual(colorOf(seen(plan("a", 1))), "red");
  strictEqual(colorOf(seen()), "red");
  const { kind, ...rest } = seen(plan("a", 1));
  deepStrictEqual([kind, rest], ["closed", { until: inHours(3) }]);
});

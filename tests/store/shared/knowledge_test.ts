/** Which figures of windows a machine tells the others. */

import { deepStrictEqual } from "node:assert/strict";
import type { AccountId } from "../../../src/core/account.ts";
import { instantFromMs } from "../../../src/core/time.ts";
import type { QuotaWindow } from "../../../src/core/quota/quota.ts";
import { newerWindows } from "../../../src/store/shared/knowledge.ts";
import { quotaWindow } from "../../fixtures/pool.ts";

const ID = "account" as AccountId;

function seen(atMs: number, parts: Partial<QuotaWindow> = {}): QuotaWindow {
  const window = quotaWindow("5h", 0.5);
  return { ...window, observedAt: instantFromMs(atMs), ...parts };
}

Deno.test("figures are told when they change, and now and then when they do not", () => {
  const told = (window: QuotaWindow, sent: QuotaWindow | null) =>
    newerWindows(
      ID,
      { "5h": window },
      new Map(sent === null ? [] : [[`${ID} 5h`, sent]]),
    ).length;
  const first = seen(1_000);
  deepStrictEqual(
    [
      told(first, null),
      told(first, first),
      told(seen(2_000), first),
      told(seen(2_000, { utilization: 0.51 }), first),
      told(seen(2_000, { status: "rejected" }), first),
      told(seen(2_000, { source: "usage_endpoint" }), first),
      // What is older than what the store has is no news.
      told(seen(500, { utilization: 0.4 }), first),
      told(seen(11_000), first),
    ],
    [1, 0, 0, 1, 1, 1, 0, 1],
  );
});

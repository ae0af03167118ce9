/** The demo's rate-limit headers against samples of the real ones. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { HOUR_MS, instantFromMs } from "../../src/core/time.ts";
import { KeyQuota } from "../../src/demo/quota/key_quota.ts";
import {
  decimalText,
  keyHeaders,
  unifiedHeaders,
} from "../../src/demo/quota/judge.ts";
import { PLANS, windowPlans } from "../../src/demo/quota/plans.ts";
import { TrueQuota } from "../../src/demo/quota/true_quota.ts";

const NOW = instantFromMs(1_785_633_589_000);
const FIVE_HOURS_END = instantFromMs(1_785_685_200_000);
const WEEK_END = instantFromMs(1_785_736_800_000);

function sampleQuota(values: Readonly<Record<string, number>>): TrueQuota {
  const quota = new TrueQuota(windowPlans(PLANS.max_20x), NOW);
  quota.set(values, NOW);
  quota.resetIn("5h", FIVE_HOURS_END - NOW, NOW);
  quota.resetIn("7d", WEEK_END - NOW, NOW);
  quota.resetIn("7d_oi", WEEK_END - NOW, NOW);
  return quota;
}

function lines(
  quota: TrueQuota,
  family: string,
  rejected: { key: string; resetsAt: typeof NOW } | null = null,
): Record<string, string> {
  const headers = unifiedHeaders({
    windows: quota.windows(NOW),
    family,
    decimals: 2,
    rejected,
  });
  return Object.fromEntries(
    headers.map((
      [name, value],
    ) => [name.replace("anthropic-ratelimit-unified-", ""), value]),
  );
}

Deno.test("unifiedHeaders() writes an ordinary 200 as captured", () => {
  deepStrictEqual(lines(sampleQuota({ "5h": 0.01, "7d": 0 }), "opus"), {
    "5h-reset": "1785685200",
    "5h-status": "allowed",
    "5h-utilization": "0.01",
    "7d-reset": "1785736800",
    "7d-status": "allowed",
    "7d-utilization": "0.0",
    "fallback-percentage": "0.5",
    "overage-disabled-reason": "org_level_disabled",
    "overage-status": "rejected",
    "representative-claim": "five_hour",
    "reset": "1785685200",
    "status": "allowed",
  });
});

Deno.test("unifiedHeaders() writes a premium-only 429 as captured", () => {
  const quota = sampleQuota({ "5h": 0, "7d": 0.94, "7d_oi": 1 });
  deepStrictEqual(lines(quota, "fable"), {
    "5h-reset": "1785685200",
    "5h-status": "allowed",
    "5h-utilization": "0.0",
    "7d-reset": "1785736800",
    "7d-status": "allowed_warning",
    "7d-surpassed-threshold": "0.75",
    "7d-utilization": "0.94",
    "7d_oi-reset": "1785736800",
    "7d_oi-status": "rejected",
    "7d_oi-surpassed-threshold": "1.0",
    "7d_oi-utilization": "1.0",
    "fallback-percentage": "0.5",
    "overage-disabled-reason": "org_level_disabled",
    "overage-status": "rejected",
    "representative-claim": "seven_day_overage_included",
    "reset": "1785736800",
    "status": "rejected",
  });
});

Deno.test("unifiedHeaders() tells another family nothing of the premium window", () => {
  const quota = sampleQuota({ "5h": 0.2, "7d": 0.94, "7d_oi": 1.02 });
  const sonnet = lines(quota, "sonnet");
  strictEqual(sonnet["7d_oi-status"], undefined);
  strictEqual(sonnet["status"], "allowed_warning");
  strictEqual(sonnet["representative-claim"], "seven_day");
  strictEqual(lines(quota, "fable")["7d_oi-utilization"], "1.02");
});

Deno.test("unifiedHeaders() can claim a window spent that is not", () => {
  const resetsAt = instantFromMs(NOW + HOUR_MS);
  const claimed = lines(sampleQuota({ "5h": 0.3, "7d": 0.1 }), "opus", {
    key: "5h",
    resetsAt,
  });
  strictEqual(claimed["5h-status"], "rejected");
  strictEqual(claimed["5h-utilization"], "1.0");
  strictEqual(claimed["reset"], String(resetsAt / 1_000));
  strictEqual(claimed["7d-status"], "allowed");
});

Deno.test("unifiedHeaders() says nothing of a window that is not open", () => {
  const quota = new TrueQuota(windowPlans(PLANS.pro), NOW);
  const fresh = lines(quota, "opus");
  strictEqual(fresh["5h-status"], undefined);
  strictEqual(fresh["7d-status"], "allowed");
});

Deno.test("decimalText() writes fractions as the provider, never rounded up", () => {
  deepStrictEqual(
    [0, 0.42, 0.9999, 1, 1.025, 0.29].map((value) => decimalText(value, 2)),
    ["0.0", "0.42", "0.99", "1.0", "1.02", "0.29"],
  );
});

Deno.test("keyHeaders() writes limits, remaining and RFC 3339 resets", () => {
  const start = instantFromMs(Date.UTC(2026, 0, 1));
  const quota = new KeyQuota({
    requestsPerMinute: 60,
    inputTokensPerMinute: 6_000,
    outputTokensPerMinute: 600,
  }, start);
  quota.requests.take(1, start);
  quota.output.take(300, start);
  deepStrictEqual(Object.fromEntries(keyHeaders(quota, start)), {
    "anthropic-ratelimit-requests-limit": "60",
    "anthropic-ratelimit-requests-remaining": "59",
    "anthropic-ratelimit-requests-reset": "2026-01-01T00:00:01Z",
    "anthropic-ratelimit-input-tokens-limit": "6000",
    "anthropic-ratelimit-input-tokens-remaining": "6000",
    "anthropic-ratelimit-input-tokens-reset": "2026-01-01T00:00:00Z",
    "anthropic-ratelimit-output-tokens-limit": "600",
    "anthropic-ratelimit-output-tokens-remaining": "300",
    "anthropic-ratelimit-output-tokens-reset": "2026-01-01T00:00:30Z",
    "anthropic-ratelimit-tokens-limit": "600",
    "anthropic-ratelimit-tokens-remaining": "300",
    "anthropic-ratelimit-tokens-reset": "2026-01-01T00:00:30Z",
  });
});

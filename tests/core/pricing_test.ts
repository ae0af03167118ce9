/** costNanodollars(): the list, its long prompts, and what is unpriced. */

import { strictEqual } from "node:assert/strict";
import { costNanodollars, ratesOf } from "../../src/core/pricing.ts";
import { NO_USAGE } from "../../src/core/usage.ts";

const MILLION = 1_000_000;
const DOLLAR = 1_000_000_000;

Deno.test("costNanodollars() is by the list for each kind of token", () => {
  const model = "claude-opus-5-5";
  const cost = (usage: Partial<typeof NO_USAGE>) =>
    costNanodollars({ ...NO_USAGE, ...usage }, model, {});
  strictEqual(cost({ input: MILLION }), 4 * DOLLAR);
  strictEqual(cost({ output: MILLION }), 20 * DOLLAR);
  strictEqual(cost({ cacheRead: MILLION }), 0.2 * DOLLAR);
  strictEqual(cost({ cacheWrite5m: MILLION }), 5 * DOLLAR);
  strictEqual(cost({ cacheWrite1h: MILLION }), 8 * DOLLAR);
});

Deno.test("costNanodollars() knows models by their names with date or vendor", () => {
  const cost = (model: string) =>
    costNanodollars({ ...NO_USAGE, output: MILLION }, model, {});
  strictEqual(cost("claude-sonnet-4-5-20250929"), 15 * DOLLAR);
  strictEqual(cost("us.anthropic.claude-opus-4-1-20250805-v1:0"), 75 * DOLLAR);
  strictEqual(cost("claude-opus-4-7[1m]"), 25 * DOLLAR);
  strictEqual(cost("claude-3-5-haiku-latest"), 4 * DOLLAR);
  strictEqual(cost("claude-opus-4-20250514"), 75 * DOLLAR);
});

Deno.test("costNanodollars() of an unknown model is unpriced, not free", () => {
  for (const model of ["claude-opus-9", "glm-5", "opus", "", null]) {
    strictEqual(costNanodollars({ ...NO_USAGE, input: 1 }, model, {}), null);
  }
});

Deno.test("a long prompt of haiku 5.5 costs the long rate in all its parts", () => {
  const cost = (input: number) =>
    costNanodollars(
      { ...NO_USAGE, input, output: 1_000 },
      "claude-haiku-5-5",
      {},
    );
  strictEqual(cost(100_000), 10_000_000 + 500_000);
  strictEqual(cost(100_001), 50_000_500 + 2_500_000);
});

Deno.test("an override counts by family or by whole model", () => {
  strictEqual(ratesOf("claude-opus-9", 0, { opus: [7, 8] })?.input, 7);
  strictEqual(ratesOf("glm-5", 0, { "glm-5": [1, 2] })?.output, 2);
  strictEqual(ratesOf("glm-5", 0, { opus: [7, 8] }), null);
});

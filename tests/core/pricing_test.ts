/** costNanodollars(): the list, its dates, its long prompts, and what is unpriced. */

import { strictEqual } from "node:assert/strict";
import {
  costNanodollars,
  costNanodollarsMax,
  LIST_PRICES,
  PLAIN_TERMS,
  type PriceBook,
  type PriceRow,
  type PriceTable,
  ratesOf,
} from "../../src/core/pricing.ts";
import { LIST_BOOK } from "../fixtures/list_book.ts";
import { NO_USAGE } from "../../src/core/usage.ts";

const MILLION = 1_000_000;
const DOLLAR = 1_000_000_000;
const AT = Date.parse("2026-11-29T12:00:00Z");

function cost(
  usage: Partial<typeof NO_USAGE>,
  model: string | null,
  { at = AT, book = LIST_BOOK }: {
    readonly at?: number;
    readonly book?: PriceBook;
  } = {},
): number | null {
  return costNanodollars({ ...NO_USAGE, ...usage }, { model, at }, book);
}

Deno.test("costNanodollars() is by the list for each kind of token", () => {
  const model = "claude-opus-5-5";
  strictEqual(cost({ input: MILLION }, model), 4 * DOLLAR);
  strictEqual(cost({ output: MILLION }, model), 20 * DOLLAR);
  strictEqual(cost({ cacheRead: MILLION }, model), 0.2 * DOLLAR);
  strictEqual(cost({ cacheWrite5m: MILLION }, model), 5 * DOLLAR);
  strictEqual(cost({ cacheWrite1h: MILLION }, model), 8 * DOLLAR);
});

Deno.test("the newest models of the client have prices of their own", () => {
  for (const model of ["claude-fable-5-2", "claude-mythos-5-2"]) {
    strictEqual(cost({ input: MILLION }, model), 8 * DOLLAR);
    strictEqual(cost({ output: MILLION }, model), 40 * DOLLAR);
    strictEqual(cost({ cacheRead: MILLION }, model), 0.2 * DOLLAR);
  }
  strictEqual(cost({ cacheRead: MILLION }, "claude-fable-5"), DOLLAR);
});

Deno.test("a price that changed counts by the day of the request", () => {
  const read = (at: string) =>
    cost({ cacheRead: MILLION }, "claude-sonnet-5-5", { at: Date.parse(at) });
  strictEqual(read("2026-10-06T23:59:59Z"), 0.2 * DOLLAR);
  strictEqual(read("2026-10-07T00:00:00Z"), 0.1 * DOLLAR);
});

Deno.test("costNanodollars() knows models by their names with date or vendor", () => {
  const output = (model: string) => cost({ output: MILLION }, model);
  strictEqual(output("claude-sonnet-4-5-20250929"), 15 * DOLLAR);
  strictEqual(
    output("us.anthropic.claude-opus-4-1-20250805-v1:0"),
    75 * DOLLAR,
  );
  strictEqual(output("claude-opus-4-7[1m]"), 25 * DOLLAR);
  strictEqual(output("claude-3-5-haiku-latest"), 4 * DOLLAR);
  strictEqual(output("claude-opus-4-20250514"), 75 * DOLLAR);
});

Deno.test("an unknown model is unpriced: neither free nor priced by a relative", () => {
  for (
    const model of [
      "claude-opus-9",
      "claude-fable-5-9",
      "claude-opus-5-5-1",
      "glm-5",
      "opus",
      "",
      null,
    ]
  ) {
    strictEqual(cost({ input: 1 }, model), null, String(model));
  }
});

Deno.test("a long prompt costs the long rate in all its parts", () => {
  const haiku = (input: number) =>
    cost({ input, output: 1_000 }, "claude-haiku-5-5");
  strictEqual(haiku(100_000), 10_000_000 + 500_000);
  strictEqual(haiku(100_001), 50_000_500 + 2_500_000);
  const sonnet = (input: number) =>
    cost({ input, output: 1_000 }, "claude-sonnet-4-5");
  strictEqual(sonnet(200_000), 600_000_000 + 15_000_000);
  strictEqual(sonnet(200_001), 1_200_006_000 + 22_500_000);
});

Deno.test("an override counts by family or by whole model", () => {
  const rates = (model: string, own: PriceBook["own"]) =>
    ratesOf({ model, at: AT, promptTokens: 0 }, { own, table: null });
  strictEqual(rates("claude-opus-9", { opus: [7, 8] })?.input, 7);
  strictEqual(rates("glm-5", { "glm-5": [1, 2] })?.output, 2);
  strictEqual(rates("glm-5", { opus: [7, 8] }), null);
});

function table(asOf: string, model: string, input: number): PriceTable {
  const rates = {
    input,
    cacheRead: 0,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    output: 0,
  };
  const row: PriceRow = { model, from: null, rates, long: null };
  return { asOf, source: "test", rows: [row] };
}

Deno.test("of two tables the newer one goes first, and the other fills its gaps", () => {
  const input = (model: string, loaded: PriceTable) =>
    cost({ input: MILLION }, model, { book: { own: {}, table: loaded } });
  const newer = table("2099-01-01", "opus-5-5", 3);
  strictEqual(input("claude-opus-5-5", newer), 3 * DOLLAR);
  strictEqual(input("claude-opus-5", newer), 5 * DOLLAR);
  const older = table("2020-01-01", "opus-5-5", 3);
  strictEqual(input("claude-opus-5-5", older), 4 * DOLLAR);
  strictEqual(
    input("claude-opus-6", table("2020-01-01", "opus-6", 3)),
    3 * DOLLAR,
  );
});

Deno.test("every built-in row is whole, and no two are of one day", () => {
  const seen = new Set<string>();
  for (const { model, from, rates } of LIST_PRICES.rows) {
    strictEqual(seen.has(`${model} ${from}`), false, model);
    seen.add(`${model} ${from}`);
    strictEqual(Object.values(rates).every((figure) => figure > 0), true);
  }
});

/** The provider's list as of 2026-11-29: input, output and cache read. */
const FACTS: Readonly<Record<string, readonly [number, number, number]>> = {
  "fable-5-1": [10, 50, 0.25],
  "mythos-5-1": [10, 50, 0.25],
  "fable-5": [10, 50, 1],
  "mythos-5": [10, 50, 1],
  "opus-5-5": [4, 20, 0.2],
  "opus-5": [5, 25, 0.5],
  "opus-4-8": [5, 25, 0.5],
  "opus-4-7": [5, 25, 0.5],
  "opus-4-6": [5, 25, 0.5],
  "opus-4-5": [5, 25, 0.5],
  "opus-4-1": [15, 75, 1.5],
  "opus-4-0": [15, 75, 1.5],
  "3-opus": [15, 75, 1.5],
  "sonnet-5-5": [2, 10, 0.1],
  "sonnet-5": [2, 10, 0.2],
  "sonnet-4-6": [3, 15, 0.3],
  "sonnet-4-5": [3, 15, 0.3],
  "sonnet-4-0": [3, 15, 0.3],
  "3-7-sonnet": [3, 15, 0.3],
  "haiku-4-5": [1, 5, 0.1],
  "3-5-haiku": [0.8, 4, 0.08],
  "3-haiku": [0.25, 1.25, 0.03],
};

Deno.test("every model of the provider's list costs what the list says", () => {
  for (const [name, [input, output, read]] of Object.entries(FACTS)) {
    const model = `claude-${name}`;
    const each = (kind: keyof typeof NO_USAGE) =>
      (cost({ [kind]: 100_000 }, model) ?? 0) * 10 / DOLLAR;
    const near = (a: number, b: number, kind: string) =>
      strictEqual(a.toFixed(6), b.toFixed(6), `${model} ${kind}`);
    near(each("input"), input, "input");
    near(each("output"), output, "output");
    near(each("cacheRead"), read, "read");
    near(each("cacheWrite5m"), input * 1.25, "write 5m");
    near(each("cacheWrite1h"), input * 2, "write 1h");
  }
});

Deno.test("fast mode, batches, place and web searches change the price", () => {
  const usage = { ...NO_USAGE, input: MILLION, output: MILLION };
  const priced = (terms: Partial<typeof PLAIN_TERMS>) =>
    costNanodollars(usage, {
      model: "claude-opus-5-5",
      at: AT,
      terms: { ...PLAIN_TERMS, ...terms },
    }, LIST_BOOK);
  strictEqual(priced({}), 24 * DOLLAR);
  strictEqual(priced({ isFast: true }), 48 * DOLLAR);
  strictEqual(priced({ isBatch: true }), 12 * DOLLAR);
  strictEqual(priced({ isUs: true }), 26.4 * DOLLAR);
  strictEqual(priced({ webSearches: 3 }), 24.03 * DOLLAR);
});

Deno.test("the most that a request may cost is never less than what it does cost", () => {
  const asked = {
    model: "claude-haiku-5-5",
    at: AT,
    promptTokens: 70_000,
    outputTokensMax: 1_000,
    cacheTtlMs: 3_600_000,
    terms: PLAIN_TERMS,
  };
  // The estimate may be half as much again, which is a long prompt here.
  strictEqual(costNanodollarsMax(asked, LIST_BOOK), 107_500_000);
  const endless = { ...asked, outputTokensMax: null };
  strictEqual(costNanodollarsMax(endless, LIST_BOOK), null);
  const unknown = { ...asked, model: "claude-nova-9" };
  strictEqual(costNanodollarsMax(unknown, LIST_BOOK), null);
});

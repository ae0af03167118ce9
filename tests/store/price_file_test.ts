/** Price tables from outside: LiteLLM's form, our own, and rubbish. */

import { deepStrictEqual, strictEqual, throws } from "node:assert/strict";
import { LIST_PRICES } from "../../src/core/pricing.ts";
import {
  priceTableIn,
  readPriceTable,
  writePriceTable,
} from "../../src/store/ledger/price_file.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const ABOUT = { source: "https://example.com/p.json", asOf: "2026-12-01" };

/** As https://github.com/BerriAI/litellm has it, shortened. */
const LITELLM = {
  sample_spec: { litellm_provider: "one of …", input_cost_per_token: 0 },
  "claude-opus-6": {
    litellm_provider: "anthropic",
    mode: "chat",
    input_cost_per_token: 4e-06,
    output_cost_per_token: 2e-05,
    cache_read_input_token_cost: 2e-07,
    cache_creation_input_token_cost: 5e-06,
    cache_creation_input_token_cost_above_1hr: 8e-06,
  },
  "claude-opus-6-20261201": {
    litellm_provider: "anthropic",
    input_cost_per_token: 9e-06,
    output_cost_per_token: 9e-05,
  },
  "claude-sonnet-4-5-20250929": {
    litellm_provider: "anthropic",
    input_cost_per_token: 3e-06,
    output_cost_per_token: 1.5e-05,
    input_cost_per_token_above_200k_tokens: 6e-06,
    output_cost_per_token_above_200k_tokens: 2.25e-05,
    cache_read_input_token_cost_above_200k_tokens: 6e-07,
  },
  "vertex_ai/claude-opus-6": {
    litellm_provider: "vertex_ai-anthropic_models",
    input_cost_per_token: 1,
    output_cost_per_token: 1,
  },
  "gpt-9": {
    litellm_provider: "openai",
    input_cost_per_token: 1e-06,
    output_cost_per_token: 1e-06,
  },
};

Deno.test("priceTableIn() reads LiteLLM's form, Anthropic's own models alone", () => {
  const table = priceTableIn(JSON.stringify(LITELLM), ABOUT);
  strictEqual(table.asOf, "2026-12-01");
  deepStrictEqual(table.rows.map(({ model }) => model), [
    "opus-6",
    "sonnet-4-5",
  ]);
  deepStrictEqual(table.rows[0]?.rates, {
    input: 4,
    output: 20,
    cacheRead: 0.2,
    cacheWrite5m: 5,
    cacheWrite1h: 8,
  });
  strictEqual(table.rows[1]?.rates.cacheRead, 0.3);
  strictEqual(table.rows[1]?.long?.aboveTokens, 200_000);
  strictEqual(table.rows[1]?.long?.rates.output, 22.5);
});

Deno.test("a table that was written is read back whole", async () => {
  await using folder = new TempFolder();
  const file = folder.join("prices.json");
  strictEqual(readPriceTable(file), null);
  await writePriceTable(file, LIST_PRICES);
  deepStrictEqual(readPriceTable(file), {
    schema: "tc.prices/v1",
    ...LIST_PRICES,
  });
  const again = priceTableIn(await Deno.readTextFile(file), ABOUT);
  deepStrictEqual(again.rows, LIST_PRICES.rows);
  await Deno.writeTextFile(file, "{");
  strictEqual(readPriceTable(file), null);
});

Deno.test("priceTableIn() takes no table that cannot be right", () => {
  const model = (fields: Readonly<Record<string, unknown>>) => ({
    "claude-opus-6": {
      litellm_provider: "anthropic",
      input_cost_per_token: 4e-06,
      output_cost_per_token: 2e-05,
      ...fields,
    },
  });
  const bad: readonly unknown[] = [
    null,
    [],
    {},
    "text",
    model({ input_cost_per_token: -1 }),
    // Dollars a million tokens where dollars a token should be.
    model({ output_cost_per_token: 20 }),
    { schema: "tc.prices/v1", asOf: "2026-12-01", source: "x", rows: [] },
  ];
  for (const value of bad) {
    throws(
      () => priceTableIn(JSON.stringify(value), ABOUT),
      { code: "bad_prices" },
      JSON.stringify(value),
    );
  }
  throws(() => priceTableIn("<html>", ABOUT), { code: "bad_prices" });
});

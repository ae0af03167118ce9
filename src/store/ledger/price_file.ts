/**
 * Price tables from outside: LiteLLM's public file, or a table written by `tc
 * prices`. Every figure is checked before it counts, and the table is kept
 * beside the config.
 *
 * @module
 */

import { join } from "node:path";
import * as v from "valibot";
import {
  priceName,
  type PriceRow,
  type PriceTable,
  type Rates,
} from "../../core/pricing.ts";
import { inert } from "../../core/plain_text.ts";
import { TcError } from "../../errors.ts";
import { writeAtomic } from "../files/atomic.ts";

const FILE = "prices.json";
export const PRICE_BYTES_MAX = 16 * 1024 * 1024;
/** Far above any real price: a larger figure has the wrong unit. */
const DOLLARS_MAX = 10_000;
const ROWS_MAX = 5_000;
const MILLION = 1_000_000;

const dollars = v.pipe(
  v.number(),
  v.finite(),
  v.minValue(0),
  v.maxValue(DOLLARS_MAX),
);
const rates = v.object({
  input: dollars,
  cacheRead: dollars,
  cacheWrite5m: dollars,
  cacheWrite1h: dollars,
  output: dollars,
});
const day = v.pipe(v.string(), v.regex(/^\d{4}-\d\d-\d\d$/));
const rows = v.pipe(
  v.array(v.object({
    model: v.pipe(v.string(), v.regex(/^[a-z0-9-]{1,64}$/)),
    from: v.nullable(day),
    rates,
    long: v.nullable(v.object({
      aboveTokens: v.pipe(v.number(), v.integer(), v.minValue(1)),
      rates,
    })),
  })),
  v.minLength(1),
  v.maxLength(ROWS_MAX),
);
const OWN_FORM = v.object({
  schema: v.literal("tc.prices/v1"),
  asOf: day,
  source: v.string(),
  rows,
});

/** Returns the file in which a pool keeps a loaded table. */
export function priceFile(secretsFolder: string): string {
  return join(secretsFolder, FILE);
}

/** Returns the kept table, or null if there is no usable one. */
export function readPriceTable(file: string): PriceTable | null {
  try {
    if (Deno.statSync(file).size > PRICE_BYTES_MAX) return null;
    const parsed = v.safeParse(
      OWN_FORM,
      JSON.parse(Deno.readTextFileSync(file)),
    );
    return parsed.success ? parsed.output : null;
  } catch {
    // No table was loaded, or it is damaged: the built-in prices count.
    return null;
  }
}

/** Stores `table`. Throws TcError if the file cannot be written. */
export async function writePriceTable(
  file: string,
  table: PriceTable,
): Promise<void> {
  const text = JSON.stringify({ schema: "tc.prices/v1", ...table }, null, 2);
  await writeAtomic(file, new TextEncoder().encode(`${text}\n`));
}

/**
 * Returns the table in `text`, in LiteLLM's format or in ours. Throws TcError
 * `bad_prices` if it is neither, or prices no Anthropic model.
 */
export function priceTableIn(
  text: string,
  { source, asOf }: { readonly source: string; readonly asOf: string },
): PriceTable {
  const json = parsed(text, source);
  const own = v.safeParse(OWN_FORM, json);
  if (own.success) return { ...own.output, source };
  const found = liteLlmRows(json);
  const checked = v.safeParse(rows, found);
  if (!checked.success) {
    throw badPrices(
      source,
      found.length === 0
        ? "it has no price of an Anthropic model"
        : "a price in it cannot be right",
    );
  }
  return { asOf, source, rows: checked.output };
}

function parsed(text: string, source: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw badPrices(source, "it is not JSON");
  }
}

function badPrices(source: string, reason: string): TcError {
  return new TcError(`Cannot take the prices of ${inert(source)}: ${reason}`, {
    code: "bad_prices",
    source: "user",
    hint: "Nothing was changed.",
  });
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Only models that Anthropic itself serves; others have prices of their own.
 */
function liteLlmRows(json: unknown): readonly PriceRow[] {
  if (typeof json !== "object" || json === null) return [];
  const found = new Map<string, PriceRow>();
  for (const [id, value] of Object.entries(json)) {
    if (typeof value !== "object" || value === null) continue;
    const fields = value as Fields;
    const isOurs = id.startsWith("claude-") &&
      fields["litellm_provider"] === "anthropic";
    const model = isOurs ? priceName(id) : null;
    const row = model === null ? null : liteLlmRow(model, fields);
    // A name without a date is the newest; a dated one only fills a gap.
    if (row !== null && (id === `claude-${model}` || !found.has(row.model))) {
      found.set(row.model, row);
    }
  }
  return [...found.values()];
}

function liteLlmRow(model: string, fields: Fields): PriceRow | null {
  const plain = liteLlmRates(fields, "");
  if (plain === null) return null;
  const above = Object.keys(fields)
    .map((name) => /^input_cost_per_token_above_(\d+)k_tokens$/.exec(name)?.[1])
    .find((thousands) => thousands !== undefined);
  const long = above === undefined
    ? null
    : liteLlmRates(fields, `_above_${above}k_tokens`);
  return {
    model,
    from: null,
    rates: plain,
    long: long === null
      ? null
      : { aboveTokens: Number(above) * 1_000, rates: long },
  };
}

/** LiteLLM states dollars per token; tc uses dollars per million tokens. */
function liteLlmRates(fields: Fields, suffix: string): Rates | null {
  const perMillion = (name: string): number | null => {
    const value = fields[`${name}${suffix}`];
    return typeof value === "number" ? exact(value * MILLION) : null;
  };
  const input = perMillion("input_cost_per_token");
  const output = perMillion("output_cost_per_token");
  if (input === null || output === null) return null;
  return {
    input,
    output,
    cacheRead: perMillion("cache_read_input_token_cost") ?? exact(input * 0.1),
    cacheWrite5m: perMillion("cache_creation_input_token_cost") ??
      exact(input * 1.25),
    cacheWrite1h: perMillion("cache_creation_input_token_cost_above_1hr") ??
      exact(input * 2),
  };
}

/** Returns the figure without the noise of a scaled float. */
function exact(figure: number): number {
  return Number(figure.toPrecision(12));
}

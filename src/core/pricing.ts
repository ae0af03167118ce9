/**
 * What tokens cost at the provider's list prices. Prices change, so a row may
 * say from when it holds. A model that no table has is unpriced: not free, and
 * never priced by a related model.
 *
 * @module
 */

import { modelFamily } from "./account.ts";
import { contextTokens, type TokenUsage } from "./usage.ts";

/** When the built-in table was last compared with the provider's list. */
const PRICES_AS_OF = "2026-11-29";

/** Dollars a million tokens. */
export interface Rates {
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly output: number;
}

/**
 * Prices by family or by whole model id: `{"opus": [4, 20]}` is input and
 * output.
 */
type PriceOverrides = Readonly<
  Record<string, readonly [input: number, output: number]>
>;

/** The price of one model from one day on. */
export interface PriceRow {
  /** What follows `claude-` in a model id, without its date: `opus-5-5`. */
  readonly model: string;
  /** The first day, in UTC, as `2026-10-07`; null holds from the beginning. */
  readonly from: string | null;
  readonly rates: Rates;
  /** Larger prompts cost these rates for all their tokens. */
  readonly long: { readonly aboveTokens: number; readonly rates: Rates } | null;
}

/** A table of prices with its date. */
export interface PriceTable {
  /** The day, as `2026-11-29`. */
  readonly asOf: string;
  /** Where it comes from: an address, a file, or `built in`. */
  readonly source: string;
  readonly rows: readonly PriceRow[];
}

/** All prices in use. */
export interface PriceBook {
  /** The user's own prices; they go first. */
  readonly own: PriceOverrides;
  /** A table that was loaded later, or null. */
  readonly table: PriceTable | null;
}

const READ_SHARE = 0.1;
const WRITE_SHARE_5M = 1.25;
const WRITE_SHARE_1H = 2;

/**
 * Input, output, and a read from the cache; the price of writes follows from
 * the input.
 */
type Figures = readonly [input: number, output: number, read: number];

interface BuiltIn {
  readonly models: readonly string[];
  readonly from?: string;
  readonly figures: Figures;
  readonly long?: readonly [aboveTokens: number, figures: Figures];
}

/**
 * https://platform.claude.com/docs/en/about-claude/pricing, and what Claude Code
 * 2.1.332 charges for the models that it offers.
 */
const BUILT_IN: readonly BuiltIn[] = [
  { models: ["fable-5-2", "mythos-5-2"], figures: [8, 40, 0.2] },
  { models: ["fable-5-1", "mythos-5-1"], figures: [10, 50, 0.25] },
  { models: ["fable-5", "mythos-5"], figures: [10, 50, 1] },
  { models: ["opus-5-5"], figures: [4, 20, 0.2] },
  {
    models: ["opus-5", "opus-4-8", "opus-4-7", "opus-4-6", "opus-4-5"],
    figures: [5, 25, 0.5],
  },
  {
    models: ["opus-4-1", "opus-4-0", "opus-4", "3-opus"],
    figures: [15, 75, 1.5],
  },
  { models: ["sonnet-5-5"], figures: [2, 10, 0.2] },
  { models: ["sonnet-5-5"], from: "2026-10-07", figures: [2, 10, 0.1] },
  { models: ["sonnet-5"], figures: [2, 10, 0.2] },
  {
    models: ["sonnet-4-6", "3-7-sonnet", "3-5-sonnet"],
    figures: [3, 15, 0.3],
  },
  {
    models: ["sonnet-4-5", "sonnet-4-0", "sonnet-4"],
    figures: [3, 15, 0.3],
    // With the beta for a context of 1M tokens.
    long: [200_000, [6, 22.5, 0.6]],
  },
  {
    models: ["haiku-5-5"],
    figures: [0.1, 0.5, 0.01],
    long: [100_000, [0.5, 2.5, 0.05]],
  },
  { models: ["haiku-4-5"], figures: [1, 5, 0.1] },
  { models: ["3-5-haiku"], figures: [0.8, 4, 0.08] },
  { models: ["3-haiku"], figures: [0.25, 1.25, 0.03] },
];

/** The prices built into this program. */
export const LIST_PRICES: PriceTable = {
  asOf: PRICES_AS_OF,
  source: "built in",
  rows: BUILT_IN.flatMap(({ models, from, figures, long }) =>
    models.map((model) => ({
      model,
      from: from ?? null,
      rates: ratesFrom(figures),
      long: long === undefined
        ? null
        : { aboveTokens: long[0], rates: ratesFrom(long[1]) },
    }))
  ),
};

function ratesFrom([input, output, read]: Figures): Rates {
  return {
    input,
    cacheRead: read,
    cacheWrite5m: input * WRITE_SHARE_5M,
    cacheWrite1h: input * WRITE_SHARE_1H,
    output,
  };
}

/**
 * Returns the name under which a model is priced, or null:
 * `us.anthropic.claude-opus-4-5-20251101-v1:0` is `opus-4-5`.
 */
export function priceName(model: string): string | null {
  const match = /claude-([a-z0-9-]+)/.exec(model.toLowerCase());
  return match?.[1]?.replace(/-(\d{8}|latest|v\d).*$/, "") ?? null;
}

/** Returns the tables of `book`, the newest first, which counts first. */
export function tablesOf({ table }: PriceBook): readonly PriceTable[] {
  if (table === null) return [LIST_PRICES];
  return table.asOf > LIST_PRICES.asOf
    ? [table, LIST_PRICES]
    : [LIST_PRICES, table];
}

function dayOf(at: number): string {
  return new Date(at).toISOString().slice(0, 10);
}

function rowOf(name: string, at: number, book: PriceBook): PriceRow | null {
  for (const { rows } of tablesOf(book)) {
    let found: PriceRow | null = null;
    for (const row of rows) {
      if (row.model !== name) continue;
      if (row.from !== null && row.from > dayOf(at)) continue;
      if (found === null || (row.from ?? "") >= (found.from ?? "")) found = row;
    }
    if (found !== null) return found;
  }
  return null;
}

/** What changes the price of a response besides its tokens. */
export interface PriceTerms {
  /** Fast mode served it: twice the price. */
  readonly isFast: boolean;
  /** It came from a batch: half the price. */
  readonly isBatch: boolean;
  /** It was kept in the United States: a tenth more. */
  readonly isUs: boolean;
  /** Searches of the web, which are paid one by one. */
  readonly webSearches: number;
}

export const PLAIN_TERMS: PriceTerms = {
  isFast: false,
  isBatch: false,
  isUs: false,
  webSearches: 0,
};

const FAST_FACTOR = 2;
const BATCH_FACTOR = 0.5;
const US_FACTOR = 1.1;
const DOLLARS_PER_SEARCH = 0.01;

function factorOf({ isFast, isBatch, isUs }: PriceTerms): number {
  return (isFast ? FAST_FACTOR : 1) * (isBatch ? BATCH_FACTOR : 1) *
    (isUs ? US_FACTOR : 1);
}

/** What is to be priced. */
interface Priced {
  readonly model: string;
  /** Epoch milliseconds: prices change. */
  readonly at: number;
  readonly promptTokens: number;
}

/**
 * Returns the rates for a prompt of that size, or null if the model is
 * unpriced.
 */
export function ratesOf(
  { model, at, promptTokens }: Priced,
  book: PriceBook,
): Rates | null {
  const named = [model, modelFamily(model)].find((name) =>
    Object.hasOwn(book.own, name)
  );
  const own = named === undefined ? undefined : book.own[named];
  if (own !== undefined) return ratesFrom([...own, own[0] * READ_SHARE]);
  const name = priceName(model);
  const row = name === null ? null : rowOf(name, at, book);
  if (row === null) return null;
  const { rates, long } = row;
  return long !== null && promptTokens > long.aboveTokens ? long.rates : rates;
}

const NANODOLLARS_PER_TOKEN = 1_000;
export const NANODOLLARS = 1_000_000_000;

/** What a response is priced by, besides its tokens. */
export interface PricedAnswer {
  readonly model: string | null;
  /** Epoch milliseconds: prices change. */
  readonly at: number;
  /** Absent: the plain terms. */
  readonly terms?: PriceTerms;
}

/**
 * Returns the list price in whole nanodollars, or null if the model is
 * unpriced.
 */
export function costNanodollars(
  usage: TokenUsage,
  { model, at, terms = PLAIN_TERMS }: PricedAnswer,
  book: PriceBook,
): number | null {
  if (model === null) return null;
  const promptTokens = contextTokens(usage);
  const rates = ratesOf({ model, at, promptTokens }, book);
  if (rates === null) return null;
  const dollars = usage.input * rates.input +
    usage.cacheRead * rates.cacheRead +
    usage.cacheWrite5m * rates.cacheWrite5m +
    usage.cacheWrite1h * rates.cacheWrite1h +
    usage.output * rates.output;
  const searches = terms.webSearches * DOLLARS_PER_SEARCH * NANODOLLARS;
  return Math.round(
    dollars * factorOf(terms) * NANODOLLARS_PER_TOKEN + searches,
  );
}

/** A request before it is sent, as far as its price is concerned. */
interface Asked {
  readonly model: string | null;
  readonly at: number;
  /** Estimated tokens of the prompt. */
  readonly promptTokens: number;
  /** The most tokens that the response may have; null is unstated. */
  readonly outputTokensMax: number | null;
  readonly cacheTtlMs: number;
  readonly terms: PriceTerms;
}

/** How far a prompt may exceed its estimate: 8 bytes for 3 tokens. */
const PROMPT_MARGIN = 1.5;
/** Caches that live longer are written at the one-hour price. */
const SHORT_TTL_MAX_MS = 600_000;

/**
 * Returns the most that the request may cost, in nanodollars: nothing of its
 * prompt is in the cache, and the response is as long as it may be. Null if it
 * has no price or may be endless.
 */
export function costNanodollarsMax(
  { model, at, promptTokens, outputTokensMax, cacheTtlMs, terms }: Asked,
  book: PriceBook,
): number | null {
  if (outputTokensMax === null) return null;
  const written = Math.ceil(promptTokens * PROMPT_MARGIN);
  const isHour = cacheTtlMs > SHORT_TTL_MAX_MS;
  const usage: TokenUsage = {
    input: 0,
    cacheRead: 0,
    cacheWrite5m: isHour ? 0 : written,
    cacheWrite1h: isHour ? written : 0,
    output: outputTokensMax,
  };
  return costNanodollars(usage, { model, at, terms }, book);
}

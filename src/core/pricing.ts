/**
 * What tokens cost at the provider's list prices. One table, with its date;
 * a model that is not in it is unpriced, which is not the same as free.
 *
 * @module
 */

import { modelFamily } from "./account.ts";
import { contextTokens, type TokenUsage } from "./usage.ts";

/** When the table was last compared with the provider's list. */
export const PRICES_AS_OF = "2026-10-24";

/** Dollars a million tokens. */
export interface Rates {
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly output: number;
}

/** `{"opus": [4, 20]}`: input and output, by family or by whole model id. */
export type PriceOverrides = Readonly<
  Record<string, readonly [input: number, output: number]>
>;

interface Price {
  /** Matches what follows `claude-` in a model id, without its date. */
  readonly model: RegExp;
  readonly input: number;
  readonly output: number;
  /** What a read from cache costs, as a part of fresh input. */
  readonly readShare: number;
  /** Prompts above so many tokens cost other rates, in all their parts. */
  readonly long?: {
    readonly aboveTokens: number;
    readonly input: number;
    readonly output: number;
  };
}

const READ_SHARE = 0.1;
const WRITE_SHARE_5M = 1.25;
const WRITE_SHARE_1H = 2;

/** https://platform.claude.com/docs/en/about-claude/pricing */
const PRICES: readonly Price[] = [
  { model: /^(fable|mythos)-5-1$/, input: 10, output: 50, readShare: 0.025 },
  { model: /^(fable|mythos)-5$/, input: 10, output: 50, readShare: READ_SHARE },
  { model: /^opus-5-5$/, input: 4, output: 20, readShare: 0.05 },
  { model: /^opus-(5|4-[5-8])$/, input: 5, output: 25, readShare: READ_SHARE },
  {
    model: /^(opus-4(-[01])?|3-opus)$/,
    input: 15,
    output: 75,
    readShare: READ_SHARE,
  },
  { model: /^sonnet-5-5$/, input: 2, output: 10, readShare: 0.05 },
  { model: /^sonnet-5$/, input: 2, output: 10, readShare: READ_SHARE },
  {
    model: /^(sonnet-4(-[0-9])?|3-[57]-sonnet)$/,
    input: 3,
    output: 15,
    readShare: READ_SHARE,
  },
  {
    model: /^haiku-5-5$/,
    input: 0.1,
    output: 0.5,
    readShare: READ_SHARE,
    long: { aboveTokens: 100_000, input: 0.5, output: 2.5 },
  },
  { model: /^haiku-4-5$/, input: 1, output: 5, readShare: READ_SHARE },
  { model: /^3-5-haiku$/, input: 0.8, output: 4, readShare: READ_SHARE },
  { model: /^3-haiku$/, input: 0.25, output: 1.25, readShare: READ_SHARE },
];

function ratesFrom(input: number, output: number, readShare: number): Rates {
  return {
    input,
    cacheRead: input * readShare,
    cacheWrite5m: input * WRITE_SHARE_5M,
    cacheWrite1h: input * WRITE_SHARE_1H,
    output,
  };
}

/** `us.anthropic.claude-opus-4-5-20251101-v1:0` is `opus-4-5`; null if none. */
function priceName(model: string): string | null {
  const match = /claude-([a-z0-9-]+)/.exec(model.toLowerCase());
  return match?.[1]?.replace(/-(\d{8}|latest|v\d).*$/, "") ?? null;
}

function priceOf(model: string): Price | null {
  const name = priceName(model);
  if (name === null) return null;
  return PRICES.find((price) => price.model.test(name)) ?? null;
}

/** Rates of a prompt of that size, or null where the model is unpriced. */
export function ratesOf(
  model: string,
  promptTokens: number,
  overrides: PriceOverrides,
): Rates | null {
  const named = [model, modelFamily(model)].find((name) =>
    Object.hasOwn(overrides, name)
  );
  const own = named === undefined ? undefined : overrides[named];
  if (own !== undefined) return ratesFrom(own[0], own[1], READ_SHARE);
  const price = priceOf(model);
  if (price === null) return null;
  const { long } = price;
  const { input, output } = long !== undefined &&
      promptTokens > long.aboveTokens
    ? long
    : price;
  return ratesFrom(input, output, price.readShare);
}

const NANODOLLARS_PER_TOKEN = 1_000;

/** Nanodollars at list price, a whole number; null where it is unpriced. */
export function costNanodollars(
  usage: TokenUsage,
  model: string | null,
  overrides: PriceOverrides,
): number | null {
  if (model === null) return null;
  const rates = ratesOf(model, contextTokens(usage), overrides);
  if (rates === null) return null;
  const dollars = usage.input * rates.input +
    usage.cacheRead * rates.cacheRead +
    usage.cacheWrite5m * rates.cacheWrite5m +
    usage.cacheWrite1h * rates.cacheWrite1h +
    usage.output * rates.output;
  return Math.round(dollars * NANODOLLARS_PER_TOKEN);
}

/**
 * Token counts of one answer, and what they weigh in a quota.
 *
 * @module
 */

import type { ModelFamily } from "./account.ts";

/** What one message cost, as its `usage` blocks say. */
export interface TokenUsage {
  /** Fresh input, neither read from nor written to the cache. */
  readonly input: number;
  readonly cacheRead: number;
  /** Written to the 5-minute cache; unspecified writes count here. */
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  /** The maximum of the cumulative counts, never their sum. */
  readonly output: number;
}

export const NO_USAGE: TokenUsage = {
  input: 0,
  cacheRead: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  output: 0,
};

/** Tokens the prompt held, cached or not: the size of the conversation. */
export function contextTokens(usage: TokenUsage): number {
  return usage.input + usage.cacheRead + usage.cacheWrite5m +
    usage.cacheWrite1h;
}

export function cacheWritten(usage: TokenUsage): number {
  return usage.cacheWrite5m + usage.cacheWrite1h;
}

/** What a written token weighs against a fresh one, by the life of its cache. */
const WRITE_WEIGHT_5M = 1.25;
const WRITE_WEIGHT_1H = 2;
const OUTPUT_WEIGHT = 5;

/** Caches that outlive this count as one-hour ones. */
const SHORT_TTL_MAX_MS = 600_000;

/** What a token written to a cache of that life weighs in the quota. */
export function writeWeight(cacheTtlMs: number): number {
  return cacheTtlMs > SHORT_TTL_MAX_MS ? WRITE_WEIGHT_1H : WRITE_WEIGHT_5M;
}

/** List prices of the families against Opus; one quota feeds them all. */
const FAMILY_WEIGHT: Readonly<Record<ModelFamily, number>> = {
  fable: 2,
  opus: 1,
  sonnet: 0.6,
  haiku: 0.2,
};

/** What a token of that family weighs in the common quota; 1 when unknown. */
export function familyWeight(family: ModelFamily | null): number {
  if (family === null || !Object.hasOwn(FAMILY_WEIGHT, family)) return 1;
  return FAMILY_WEIGHT[family] ?? 1;
}

/**
 * Quota tokens of one answer: fresh Opus input is the unit. What a read from
 * cache weighs is not published, so it comes from the settings.
 */
export function quotaTokens(
  usage: TokenUsage,
  family: ModelFamily | null,
  cacheReadWeight: number,
): number {
  const tokens = usage.input + cacheReadWeight * usage.cacheRead +
    WRITE_WEIGHT_5M * usage.cacheWrite5m +
    WRITE_WEIGHT_1H * usage.cacheWrite1h + OUTPUT_WEIGHT * usage.output;
  return tokens * familyWeight(family);
}

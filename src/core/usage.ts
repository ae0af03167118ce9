/**
 * Token counts of answers: what they weigh in a quota, how well the prompt
 * cache served, and the sums that reports are made of.
 *
 * @module
 */

import type { ModelFamily } from "./account.ts";

/** What one message cost, by its `usage` blocks. */
export interface TokenUsage {
  /** Fresh input, neither read from nor written to the cache. */
  readonly input: number;
  readonly cacheRead: number;
  /** Written to the 5-minute cache; writes without a stated life count here. */
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

/**
 * Returns the tokens of the prompt, cached or not: the size of the
 * conversation.
 */
export function contextTokens(usage: TokenUsage): number {
  return usage.input + usage.cacheRead + usage.cacheWrite5m +
    usage.cacheWrite1h;
}

export function cacheWritten(usage: TokenUsage): number {
  return usage.cacheWrite5m + usage.cacheWrite1h;
}

/** Weight of a written token against a fresh one, by the life of its cache. */
const WRITE_WEIGHT_5M = 1.25;
const WRITE_WEIGHT_1H = 2;
const OUTPUT_WEIGHT = 5;

/** Caches that live longer count as one-hour caches. */
const SHORT_TTL_MAX_MS = 600_000;

/** Returns what a token written to a cache of that life weighs in the quota. */
export function writeWeight(cacheTtlMs: number): number {
  return cacheTtlMs > SHORT_TTL_MAX_MS ? WRITE_WEIGHT_1H : WRITE_WEIGHT_5M;
}

/**
 * List prices of the families relative to Opus, because one quota serves them
 * all.
 */
const FAMILY_WEIGHT: Readonly<Record<ModelFamily, number>> = {
  fable: 2,
  opus: 1,
  sonnet: 0.6,
  haiku: 0.2,
};

/**
 * Returns what a token of that family weighs in the common quota; 1 if unknown.
 */
function familyWeight(family: ModelFamily | null): number {
  if (family === null || !Object.hasOwn(FAMILY_WEIGHT, family)) return 1;
  return FAMILY_WEIGHT[family] ?? 1;
}

/**
 * Returns the quota tokens of one answer; one fresh Opus input token is the
 * unit. The weight of a cache read is not published, so it comes from the
 * settings.
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

/** What the prompt cache did for one answer, or the sum over many. */
interface CacheAccount {
  /** Tokens read from the cache. */
  readonly hit: number;
  /** Tokens that the cache did not hold: fresh input and what was written. */
  readonly miss: number;
  /** Tokens written to the cache. */
  readonly rebuild: number;
  /** Answers that wrote more than they read because the prompt was cold. */
  readonly coldRebuilds: number;
  readonly switches: number;
  /** Tokens written by the first answers after a change of account. */
  readonly switchRebuild: number;
}

export const NO_CACHE_USE: CacheAccount = {
  hit: 0,
  miss: 0,
  rebuild: 0,
  coldRebuilds: 0,
  switches: 0,
  switchRebuild: 0,
};

/**
 * Returns what one answer did. `isSwitch`: its conversation came from another
 * account.
 */
export function cacheAccount(
  usage: TokenUsage,
  { isSwitch }: { readonly isSwitch: boolean },
): CacheAccount {
  const rebuild = cacheWritten(usage);
  return {
    hit: usage.cacheRead,
    miss: usage.input + rebuild,
    rebuild,
    coldRebuilds: isColdRebuild(usage) ? 1 : 0,
    switches: isSwitch ? 1 : 0,
    switchRebuild: isSwitch ? rebuild : 0,
  };
}

/** Whether tokens were written and fewer, or none, were read. */
export function isColdRebuild(usage: TokenUsage): boolean {
  const written = cacheWritten(usage);
  return written > 0 && written > usage.cacheRead;
}

/**
 * Returns the share of prompt tokens read from the cache, 0 to 1; null without
 * prompt tokens.
 */
export function hitRate(usage: TokenUsage): number | null {
  const prompt = contextTokens(usage);
  return prompt === 0 ? null : usage.cacheRead / prompt;
}

/** Sums over messages. Money is in nanodollars at list price. */
export interface Spend {
  readonly requests: number;
  readonly failed: number;
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly output: number;
  readonly costNano: number;
  /** Answers whose model has no price; they are not part of `costNano`. */
  readonly unpriced: number;
  readonly coldRebuilds: number;
  readonly switches: number;
  readonly switchRebuild: number;
  readonly waitedMs: number;
  /** The part of `costNano` that was really paid, by keys and extra usage. */
  readonly paidNano: number;
}

export const NO_SPEND: Spend = {
  requests: 0,
  failed: 0,
  input: 0,
  cacheRead: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  output: 0,
  costNano: 0,
  unpriced: 0,
  coldRebuilds: 0,
  switches: 0,
  switchRebuild: 0,
  waitedMs: 0,
  paidNano: 0,
};

export function addSpend(a: Spend, b: Spend): Spend {
  return {
    requests: a.requests + b.requests,
    failed: a.failed + b.failed,
    input: a.input + b.input,
    cacheRead: a.cacheRead + b.cacheRead,
    cacheWrite5m: a.cacheWrite5m + b.cacheWrite5m,
    cacheWrite1h: a.cacheWrite1h + b.cacheWrite1h,
    output: a.output + b.output,
    costNano: a.costNano + b.costNano,
    unpriced: a.unpriced + b.unpriced,
    coldRebuilds: a.coldRebuilds + b.coldRebuilds,
    switches: a.switches + b.switches,
    switchRebuild: a.switchRebuild + b.switchRebuild,
    waitedMs: a.waitedMs + b.waitedMs,
    paidNano: a.paidNano + b.paidNano,
  };
}

/** Work that tc did not serve: from before its ledger began, or past it. */
export type OutsideSource = "before_tc" | "not_through_tc";

/** The part of a spend that comes from transcripts, by where it went. */
export type OutsideSpend = Readonly<Partial<Record<OutsideSource, Spend>>>;

/** The spend of one key, and the time span in which it fell. */
export interface SpendRow {
  /** Null for requests that named none. */
  readonly key: string | null;
  readonly firstAt: number;
  readonly lastAt: number;
  /** All of it, what tc did not serve included. */
  readonly spend: Spend;
  /** Absent: tc served all of it. */
  readonly outside?: OutsideSpend;
}

/** What the parts of a row are: its models, accounts or repositories. */
export type PartKind = "model" | "account" | "project";

/** The part of a row that is of one model, account or repository. */
export interface PartRow extends SpendRow {
  /** Its name or id; null for requests that named none. */
  readonly part: string | null;
}

/** Returns the parts of both, added up. */
export function addOutside(
  a: OutsideSpend | undefined,
  b: OutsideSpend | undefined,
): OutsideSpend {
  const sum: Partial<Record<OutsideSource, Spend>> = { ...a };
  for (const source of ["before_tc", "not_through_tc"] as const) {
    const more = b?.[source];
    if (more === undefined) continue;
    const known = sum[source];
    sum[source] = known === undefined ? more : addSpend(known, more);
  }
  return sum;
}

/**
 * Returns `rows` with those of one key added up, in the order in which keys
 * first appear.
 */
export function grouped(
  rows: readonly SpendRow[],
  keyOf: (row: SpendRow) => string | null,
): readonly SpendRow[] {
  const groups = new Map<string | null, SpendRow>();
  for (const row of rows) {
    const key = keyOf(row);
    const known = groups.get(key);
    groups.set(
      key,
      known === undefined ? { ...row, key } : {
        key,
        firstAt: Math.min(known.firstAt, row.firstAt),
        lastAt: Math.max(known.lastAt, row.lastAt),
        spend: addSpend(known.spend, row.spend),
        outside: addOutside(known.outside, row.outside),
      },
    );
  }
  return [...groups.values()];
}

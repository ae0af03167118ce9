/**
 * How well the prompt cache served: what was read, what had to be sent, what
 * was written anew, and what a change of account cost in rebuilt tokens.
 *
 * @module
 */

import { cacheWritten, contextTokens, type TokenUsage } from "./usage.ts";

/** One answer, or the sum of many. */
export interface CacheAccount {
  /** Tokens read from the cache. */
  readonly hit: number;
  /** Tokens that the cache did not hold: fresh input and what was written. */
  readonly miss: number;
  /** Tokens written to the cache. */
  readonly rebuild: number;
  /** Answers that wrote more than they read: the prompt was cold. */
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

/** What one answer did. `isSwitch`: its conversation came from elsewhere. */
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

/** Something was written, and nothing or less was read. */
export function isColdRebuild(usage: TokenUsage): boolean {
  const written = cacheWritten(usage);
  return written > 0 && written > usage.cacheRead;
}

export function addCache(a: CacheAccount, b: CacheAccount): CacheAccount {
  return {
    hit: a.hit + b.hit,
    miss: a.miss + b.miss,
    rebuild: a.rebuild + b.rebuild,
    coldRebuilds: a.coldRebuilds + b.coldRebuilds,
    switches: a.switches + b.switches,
    switchRebuild: a.switchRebuild + b.switchRebuild,
  };
}

/** Read part of all prompt tokens, from 0 to 1; null where there were none. */
export function hitRate(usage: TokenUsage): number | null {
  const prompt = contextTokens(usage);
  return prompt === 0 ? null : usage.cacheRead / prompt;
}

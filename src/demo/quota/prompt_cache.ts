/**
 * The true prompt cache of one demo account, by the published rules: a prefix
 * is kept at each breakpoint and found again from any breakpoint up to twenty
 * blocks later; one-hour writes come before five-minute ones; using an entry
 * renews it.
 *
 * @module
 */

import { after, HOUR_MS, type Instant, MINUTE_MS } from "../../core/time.ts";
import type { TokenUsage } from "../../core/usage.ts";
import type { CacheTtl, Prompt, PromptBlock } from "../answer/prompt.ts";

const TTL_MS: Readonly<Record<CacheTtl, number>> = {
  "5m": 5 * MINUTE_MS,
  "1h": HOUR_MS,
};

/** How far the provider looks back from a breakpoint. */
const LOOKBACK_BLOCKS = 20;
/** Shorter prefixes are not cached. */
const PREFIX_TOKENS_MIN = 1_024;
/** Tokens that the provider itself adds after the last block. */
export const FRAMING_TOKENS = 3;
/** Beyond this count, the entries unused for longest are dropped. */
const ENTRIES_MAX = 10_000;

interface Entry {
  readonly ttlMs: number;
  readonly expiresAt: Instant;
}

export class PromptCache {
  readonly #entries = new Map<string, Entry>();

  /**
   * Reads and writes the cache for one request, and returns what the prompt
   * costs.
   */
  use(prompt: Prompt, now: Instant): TokenUsage {
    const ends = runningTotals(prompt.blocks);
    const total = ends.at(-1) ?? 0;
    const breakpoints = prompt.blocks.flatMap((block, index) =>
      block.breakpoint !== null && (ends[index] ?? 0) >= PREFIX_TOKENS_MIN
        ? [index]
        : []
    );
    const last = breakpoints.at(-1);
    if (last === undefined) return usageOf({ input: total + FRAMING_TOKENS });

    const hit = this.#longestHit(prompt.blocks, breakpoints, now);
    const read = hit === null ? 0 : ends[hit] ?? 0;
    const hours = breakpoints.filter((index) =>
      prompt.blocks[index]?.breakpoint === "1h" && (ends[index] ?? 0) > read
    );
    const hourEnd = ends[hours.at(-1) ?? -1] ?? read;
    const lastEnd = Math.max(read, ends[last] ?? 0);
    this.#keep(prompt.blocks, breakpoints, now);
    if (hit !== null) this.#renew(prompt.blocks[hit]?.chain ?? "", now);
    return usageOf({
      input: total - lastEnd + FRAMING_TOKENS,
      cacheRead: read,
      cacheWrite1h: hourEnd - read,
      cacheWrite5m: lastEnd - hourEnd,
    });
  }

  /** Forgets everything, as a provider may. */
  clear(): void {
    this.#entries.clear();
  }

  #longestHit(
    blocks: readonly PromptBlock[],
    breakpoints: readonly number[],
    now: Instant,
  ): number | null {
    for (const breakpoint of breakpoints.toReversed()) {
      const stop = Math.max(0, breakpoint - LOOKBACK_BLOCKS + 1);
      for (let index = breakpoint; index >= stop; index--) {
        const entry = this.#entries.get(blocks[index]?.chain ?? "");
        if (entry !== undefined && entry.expiresAt > now) return index;
      }
    }
    return null;
  }

  #keep(
    blocks: readonly PromptBlock[],
    breakpoints: readonly number[],
    now: Instant,
  ): void {
    for (const index of breakpoints) {
      const block = blocks[index];
      if (block === undefined || block.breakpoint === null) continue;
      const ttlMs = TTL_MS[block.breakpoint];
      const known = this.#entries.get(block.chain);
      const isLonger = known !== undefined && known.expiresAt > now &&
        known.ttlMs > ttlMs;
      this.#put(block.chain, isLonger ? known.ttlMs : ttlMs, now);
    }
    for (const chain of this.#entries.keys()) {
      if (this.#entries.size <= ENTRIES_MAX) return;
      this.#entries.delete(chain);
    }
  }

  #renew(chain: string, now: Instant): void {
    const entry = this.#entries.get(chain);
    if (entry !== undefined) this.#put(chain, entry.ttlMs, now);
  }

  #put(chain: string, ttlMs: number, now: Instant): void {
    this.#entries.delete(chain);
    this.#entries.set(chain, { ttlMs, expiresAt: after(now, ttlMs) });
  }
}

function usageOf(parts: Partial<TokenUsage>): TokenUsage {
  return {
    input: 0,
    cacheRead: 0,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    output: 0,
    ...parts,
  };
}

/** Returns the tokens up to and including each block. */
function runningTotals(blocks: readonly PromptBlock[]): readonly number[] {
  let sum = 0;
  return blocks.map((block) => sum += block.tokens);
}

/**
 * Token counts of one answer.
 *
 * @module
 */

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

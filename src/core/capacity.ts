/**
 * Learned capacity, headroom and the pool's verdict.
 *
 * @module
 */

/** What was learned of an account's size from its own answers. */
export interface LearnedCapacity {
  /** Quota tokens of one whole 5h window; null while unlearned. */
  readonly fiveHourTokens: number | null;
  /** Whole 5h windows in one week; null while unlearned. */
  readonly weekInFiveHours: number | null;
}

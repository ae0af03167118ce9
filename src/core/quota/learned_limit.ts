/**
 * A limit that the provider never stated, learned from its throttling. One
 * refusal is a suspicion: only a second one at a like level makes the limit
 * bind. Time opens it again by itself.
 *
 * @module
 */

import { type Instant, MINUTE_MS } from "../time.ts";

/** What refusals so far say of one limit. */
export interface LearnedLimit {
  /** What was used when it was refused: requests at once, or starts a minute. */
  readonly level: number;
  /** Refusals at a like level; it binds from the second one on. */
  readonly refusals: number;
  /** What binds right after the last refusal. */
  readonly limit: number;
  readonly since: Instant;
  readonly refusedAt: Instant;
}

/** How much of a refused level is used again, and what is too little to tell. */
export interface LimitRule {
  readonly share: number;
  readonly least: number;
  /** Below this level a refusal is about something else. */
  readonly evidence: number;
}

/** Refusals further apart than this are two stories. */
const MEMORY_MS = 10 * MINUTE_MS;

/** Levels within this factor of each other are alike. */
const ALIKE = 1.5;

const BINDS_FROM = 2;

/** What is known after a refusal at `level`. */
export function refusedAt(
  known: LearnedLimit | null,
  level: number,
  { at, rule }: { readonly at: Instant; readonly rule: LimitRule },
): LearnedLimit | null {
  if (level < rule.evidence) return known;
  // A limit that binds already is confirmed by a refusal at any level.
  const isSame = known !== null && at - known.refusedAt <= MEMORY_MS &&
    (known.refusals >= BINDS_FROM ||
      level <= known.level * ALIKE && known.level <= level * ALIKE);
  const least = isSame ? Math.min(level, known.level) : level;
  return {
    level: least,
    refusals: isSame ? known.refusals + 1 : 1,
    limit: Math.max(rule.least, rule.share * least),
    since: isSame ? known.since : at,
    refusedAt: at,
  };
}

/**
 * Returns what binds at `at`: infinity where nothing does. Each minute without
 * a refusal takes half of the way to `open`, which is what would be used
 * without the limit.
 */
export function limitAt(
  known: LearnedLimit | null,
  open: number,
  at: Instant,
): number {
  if (known === null || known.refusals < BINDS_FROM) return Infinity;
  const minutes = Math.max(0, at - known.refusedAt) / MINUTE_MS;
  const left = (open - known.limit) * 0.5 ** minutes;
  return left < 1 ? Infinity : open - left;
}

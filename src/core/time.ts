/**
 * Instants and arithmetic on them. Time enters the core only as an argument.
 *
 * @module
 */

declare const instantBrand: unique symbol;

/** A point in wall time, in milliseconds since the Unix epoch. */
export type Instant = number & { readonly [instantBrand]: true };

export const SECOND_MS = 1_000;
export const MINUTE_MS = 60_000;
export const HOUR_MS = 3_600_000;
export const DAY_MS = 24 * HOUR_MS;

/** The last instant that a Date can hold (ECMA-262, 21.4.1.1). */
const LAST_MS = 8.64e15;

/**
 * Returns the instant `ms` milliseconds after the Unix epoch. A value beyond
 * the range of Date becomes the first or last Date, so that every instant can
 * be shown. Throws on NaN and infinities.
 */
export function instantFromMs(ms: number): Instant {
  if (!Number.isFinite(ms)) {
    throw new RangeError(`Cannot make an instant from ${ms}`);
  }
  return Math.min(Math.max(ms, -LAST_MS), LAST_MS) as Instant;
}

/**
 * Returns the instant `ms` after `instant`, or before it if `ms` is negative.
 */
export function after(instant: Instant, ms: number): Instant {
  return instantFromMs(instant + ms);
}

/** Returns the earlier of two instants; null means never. */
export function earlier(a: Instant | null, b: Instant | null): Instant | null {
  if (a === null) return b;
  if (b === null) return a;
  return a < b ? a : b;
}

/** Returns the later of two instants; null means unknown. */
export function later(a: Instant | null, b: Instant | null): Instant | null {
  if (a === null) return b;
  if (b === null) return a;
  return a > b ? a : b;
}

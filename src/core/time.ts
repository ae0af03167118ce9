/**
 * Instants and arithmetic on them. Time enters the core as an argument only.
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
 * Returns the instant `ms` milliseconds after the Unix epoch. What lies beyond
 * the dates that a Date can hold becomes the first or the last of them, so that
 * every instant can be shown. Throws on NaN and infinities.
 */
export function instantFromMs(ms: number): Instant {
  if (!Number.isFinite(ms)) {
    throw new RangeError(`Cannot make an instant from ${ms}`);
  }
  return Math.min(Math.max(ms, -LAST_MS), LAST_MS) as Instant;
}

/** The instant `ms` after `instant`, or before it when `ms` is negative. */
export function after(instant: Instant, ms: number): Instant {
  return instantFromMs(instant + ms);
}

/** The earlier of two instants, where null means never. */
export function earlier(a: Instant | null, b: Instant | null): Instant | null {
  if (a === null) return b;
  if (b === null) return a;
  return a < b ? a : b;
}

/** The later of two instants, where null means unknown. */
export function later(a: Instant | null, b: Instant | null): Instant | null {
  if (a === null) return b;
  if (b === null) return a;
  return a > b ? a : b;
}

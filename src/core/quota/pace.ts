/**
 * Spent part against elapsed part of a window.
 *
 * @module
 */

import type { QuotaWindow } from "./quota.ts";
import type { Instant } from "../time.ts";

/**
 * Part of the window's time that has passed at `now`, from 0 to 1; null where
 * the reset is not known.
 */
export function elapsedShare(window: QuotaWindow, now: Instant): number | null {
  if (window.resetsAt === null) return null;
  const startsAt = window.resetsAt - window.lengthMs;
  return Math.min(1, Math.max(0, (now - startsAt) / window.lengthMs));
}

/**
 * How far the account is ahead of an even spend: utilization minus elapsed
 * time. Positive is over the line (too fast), negative is quota to spare;
 * null where either is unknown.
 */
export function pace(window: QuotaWindow, now: Instant): number | null {
  const elapsed = elapsedShare(window, now);
  return elapsed === null || window.utilization === null
    ? null
    : window.utilization - elapsed;
}

/** Utilization by elapsed part: 1 ends exactly at the reset. */
export function burnRate(window: QuotaWindow, now: Instant): number | null {
  const elapsed = elapsedShare(window, now);
  return elapsed === null || elapsed === 0 || window.utilization === null
    ? null
    : window.utilization / elapsed;
}

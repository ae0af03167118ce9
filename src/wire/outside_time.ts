/**
 * Times that other programs write, in various forms.
 *
 * @module
 */

import { type Instant, instantFromMs } from "../core/time.ts";

/** A smaller number is in seconds: 1e12 ms is in the year 2001. */
const SECONDS_BELOW = 1e12;
/** 1 January 2100, in ms. Recipes write later ends for "never". */
const FAR_MS = 4_102_444_800_000;

/**
 * Returns the instant in `value`: a number or digits, in seconds or
 * milliseconds, or an ISO 8601 text; at most the year 2100. Null if it is not a
 * time, or not above zero.
 */
export function readInstant(value: unknown): Instant | null {
  const time = typeof value === "string" ? timeOfText(value) : value;
  if (typeof time !== "number" || !Number.isFinite(time) || time <= 0) {
    return null;
  }
  return instantFromMs(Math.min(milliseconds(time), FAR_MS));
}

/** Returns a time in milliseconds that may be given in seconds. */
export function milliseconds(time: number): number {
  return time < SECONDS_BELOW ? time * 1_000 : time;
}

function timeOfText(text: string): number {
  const trimmed = text.trim();
  return /^\d+(\.\d+)?$/.test(trimmed) ? Number(trimmed) : Date.parse(trimmed);
}

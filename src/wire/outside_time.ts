/**
 * Wire room: times that other programs write down, in whatever form.
 *
 * @module
 */

import { type Instant, instantFromMs } from "../core/time.ts";

/** Below this a number counts seconds: 1e12 ms is in the year 2001. */
const SECONDS_BELOW = 1e12;
/** 1 January 2100: what ends later, as recipes write it, does not end. */
const FAR_MS = 4_102_444_800_000;

/**
 * Returns the instant that `value` says: a number or a text of digits, in
 * seconds or milliseconds, or an ISO 8601 text. Anything later than 2100 is
 * that. Null for what is no time, zero and negative numbers included.
 */
export function readInstant(value: unknown): Instant | null {
  const time = typeof value === "string" ? timeOfText(value) : value;
  if (typeof time !== "number" || !Number.isFinite(time) || time <= 0) {
    return null;
  }
  return instantFromMs(Math.min(milliseconds(time), FAR_MS));
}

/** Returns a time that may be in seconds or milliseconds, in milliseconds. */
export function milliseconds(time: number): number {
  return time < SECONDS_BELOW ? time * 1_000 : time;
}

function timeOfText(text: string): number {
  const trimmed = text.trim();
  return /^\d+(\.\d+)?$/.test(trimmed) ? Number(trimmed) : Date.parse(trimmed);
}

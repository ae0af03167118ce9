/**
 * How much a person usually works in each hour of a week, from the work of the
 * last weeks: what went through tc, and what transcripts tell of the time
 * before. Which account served the latter is not known, so it says something of
 * the pool as a whole only.
 *
 * @module
 */

import type { Zone } from "../calendar.ts";
import { DAY_MS, HOUR_MS } from "../time.ts";

const WEEK_HOURS = 168;
const WEEK_MS = WEEK_HOURS * HOUR_MS;

/** Older weeks say little of how a person works now. */
const WEEKS_MAX = 8;
export const HABIT_MS = WEEKS_MAX * WEEK_MS;
/** Less than two weeks show no habit, nor do fewer days of work than this. */
const WEEKS_MIN = 2;
const DAYS_MIN = 5;

/** The usual week of a pool's person. */
export interface Habit {
  /** The weeks that it rests on. */
  readonly weeks: number;
  /** Quota tokens an hour, from Monday 00:00 to Sunday 23:00 local time. */
  readonly tokensByHour: readonly number[];
  /** A Monday 00:00 of local time, in epoch milliseconds. */
  readonly mondayMs: number;
}

/** The quota tokens of a quarter of an hour that begins at `at`. */
interface WorkedQuarter {
  readonly at: number;
  readonly tokens: number;
}

/**
 * Returns the usual week, or null if the work before `now` is too little to show
 * one. A week without work in its middle counts: people have such weeks.
 */
export function habitOf(
  work: readonly WorkedQuarter[],
  { now, zone }: { readonly now: number; readonly zone: Zone },
): Habit | null {
  const counted = work.filter(({ at, tokens }) =>
    tokens > 0 && at < now && now - at <= HABIT_MS
  );
  const days = new Set(counted.map(({ at }) => Math.floor(at / DAY_MS)));
  const first = counted.reduce((least, { at }) => Math.min(least, at), now);
  const weeks = (now - first) / WEEK_MS;
  if (weeks < WEEKS_MIN || days.size < DAYS_MIN) return null;
  const tokensByHour = new Array<number>(WEEK_HOURS).fill(0);
  for (const { at, tokens } of counted) {
    const hour = hourOfWeek(at + zone.offsetMs(at) - LOCAL_MONDAY_MS);
    tokensByHour[hour] = (tokensByHour[hour] ?? 0) + tokens / weeks;
  }
  const local = now + zone.offsetMs(now) - LOCAL_MONDAY_MS;
  return {
    weeks: Math.round(weeks),
    tokensByHour,
    mondayMs: now - modulo(local, WEEK_MS),
  };
}

/** The epoch began on a Thursday; the Monday after it, as a local time. */
const LOCAL_MONDAY_MS = 4 * DAY_MS;

/** Returns the quota tokens an hour that are usual at that moment. */
export function usualPace(habit: Habit, at: number): number {
  return habit.tokensByHour[hourOfWeek(at - habit.mondayMs)] ?? 0;
}

function hourOfWeek(sinceMondayMs: number): number {
  return Math.floor(modulo(sinceMondayMs, WEEK_MS) / HOUR_MS);
}

function modulo(value: number, divisor: number): number {
  return ((value % divisor) + divisor) % divisor;
}

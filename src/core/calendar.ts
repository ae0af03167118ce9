/**
 * Days, weeks and months of a time zone. The zone and the time come in as
 * arguments.
 *
 * @module
 */

import { DAY_MS, type Instant, instantFromMs } from "./time.ts";

export type CalendarUnit = "day" | "week" | "month";

/** The days of the week, in the order of ISO 8601. */
export const WEEKDAYS = [
  "monday",
  "tuesday",
  "wednesday",
  "thursday",
  "friday",
  "saturday",
  "sunday",
] as const;
export type Weekday = typeof WEEKDAYS[number];

/** A date without a zone; months count from 1. */
interface CalendarDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

const DAYS_PER_WEEK = 7;

/**
 * Returns the zone called `name`. If there is no such zone, as with TZ="" or
 * TZ=UTC-5, returns the zone that is `offsetMinutes` ahead of UTC.
 */
export function localZone(
  name: string | undefined,
  offsetMinutes: number,
): Zone {
  try {
    if (name !== undefined) return new Zone(name);
  } catch {
    // The runtime gives unknown zones a name as well: Etc/Unknown.
  }
  if (offsetMinutes === 0) return new Zone("UTC");
  const minutes = Math.abs(offsetMinutes);
  const part = (value: number) => String(Math.floor(value)).padStart(2, "0");
  const sign = offsetMinutes < 0 ? "-" : "+";
  return new Zone(`${sign}${part(minutes / 60)}:${part(minutes % 60)}`);
}

/** A time zone. The constructor throws RangeError if `name` is not a zone. */
export class Zone {
  readonly name: string;
  readonly #format: Intl.DateTimeFormat;
  /** Offsets by UTC day; null if the offset changes during the day. */
  readonly #byDay = new Map<number, number | null>();

  constructor(name: string) {
    this.#format = new Intl.DateTimeFormat("en-US", {
      timeZone: name,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
    this.name = name;
  }

  /**
   * Returns how far the zone's clocks are ahead of UTC at that moment, in ms.
   */
  offsetMs(atMs: number): number {
    const day = Math.floor(atMs / DAY_MS);
    let known = this.#byDay.get(day);
    if (known === undefined) {
      const start = this.#exactOffsetMs(day * DAY_MS);
      const end = this.#exactOffsetMs((day + 1) * DAY_MS);
      known = start === end ? start : null;
      this.#byDay.set(day, known);
    }
    return known ?? this.#exactOffsetMs(atMs);
  }

  /** Returns the moment at which the zone's clocks show that time. */
  instantOf(date: CalendarDate, ofDayMs = 0): Instant {
    const shown = Date.UTC(date.year, date.month - 1, date.day) + ofDayMs;
    const guess = shown - this.offsetMs(shown);
    return instantFromMs(shown - this.offsetMs(guess));
  }

  dateOf(at: number): CalendarDate {
    const shown = new Date(at + this.offsetMs(at));
    return {
      year: shown.getUTCFullYear(),
      month: shown.getUTCMonth() + 1,
      day: shown.getUTCDate(),
    };
  }

  #exactOffsetMs(atMs: number): number {
    const whole = Math.floor(atMs / 1_000) * 1_000;
    const part: Record<string, number> = {};
    for (const { type, value } of this.#format.formatToParts(whole)) {
      part[type] = Number(value);
    }
    const shown = Date.UTC(
      part["year"] ?? 0,
      (part["month"] ?? 1) - 1,
      part["day"] ?? 1,
      part["hour"] ?? 0,
      part["minute"] ?? 0,
      part["second"] ?? 0,
    );
    return shown - whole;
  }
}

/**
 * Returns the moment at which the day, week or month around `at` begins; weeks
 * begin on `weekStart`.
 */
export function periodStart(
  at: number,
  unit: CalendarUnit,
  zone: Zone,
  weekStart: Weekday = "monday",
): Instant {
  const { year, month, day } = zone.dateOf(at);
  switch (unit) {
    case "day":
      return zone.instantOf({ year, month, day });
    case "week": {
      const weekday = new Date(Date.UTC(year, month - 1, day)).getUTCDay();
      const first = WEEKDAYS.indexOf(weekStart);
      const since = (weekday + 6 - first + DAYS_PER_WEEK) % DAYS_PER_WEEK;
      return zone.instantOf({ year, month, day: day - since });
    }
    case "month":
      return zone.instantOf({ year, month, day: 1 });
  }
}

/**
 * Returns the moment at which the day, week or month around `at` ends; weeks
 * begin on `weekStart`.
 */
export function periodEnd(
  at: number,
  unit: CalendarUnit,
  zone: Zone,
  weekStart: Weekday = "monday",
): Instant {
  const start = periodStart(at, unit, zone, weekStart);
  const { year, month, day } = zone.dateOf(start);
  switch (unit) {
    case "day":
      return zone.instantOf({ year, month, day: day + 1 });
    case "week":
      return zone.instantOf({ year, month, day: day + DAYS_PER_WEEK });
    case "month":
      return zone.instantOf({ year, month: month + 1, day: 1 });
  }
}

/**
 * Returns `2026-11-21`, `2026-W47` or `2026-11`; names sort by time as they
 * sort as text. Weeks that do not begin on monday have no number: they are
 * named by their first day, `2026-11-15`.
 */
export function periodName(
  at: number,
  unit: CalendarUnit,
  zone: Zone,
  weekStart: Weekday = "monday",
): string {
  const date = zone.dateOf(at);
  switch (unit) {
    case "day":
      return dateText(date);
    case "week":
      return weekStart === "monday"
        ? weekName(date)
        : dateText(zone.dateOf(periodStart(at, unit, zone, weekStart)));
    case "month":
      return dateText(date).slice(0, 7);
  }
}

export function dateText({ year, month, day }: CalendarDate): string {
  return [year, month, day].map((part) => String(part).padStart(2, "0"))
    .join("-");
}

/** By ISO 8601 a week belongs to the year of its Thursday. */
function weekName(date: CalendarDate): string {
  const ms = Date.UTC(date.year, date.month - 1, date.day);
  const weekday = (new Date(ms).getUTCDay() + 6) % DAYS_PER_WEEK;
  const thursday = new Date(ms + (3 - weekday) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const days = (thursday.getTime() - Date.UTC(year, 0, 1)) / DAY_MS;
  const week = Math.floor(days / DAYS_PER_WEEK) + 1;
  return `${year}-W${String(week).padStart(2, "0")}`;
}

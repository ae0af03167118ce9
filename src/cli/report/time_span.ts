/**
 * Times as written on the command line.
 *
 * @module
 */

import type { Zone } from "../../core/calendar.ts";
import { DAY_MS, HOUR_MS, MINUTE_MS } from "../../core/time.ts";
import { UsageError } from "../../errors.ts";

const UNIT_MS: Readonly<Record<string, number>> = {
  m: MINUTE_MS,
  h: HOUR_MS,
  d: DAY_MS,
  w: 7 * DAY_MS,
};

const DATE = /^(\d{4})-(\d{2})-(\d{2})(?:[T ]([01]\d|2[0-3]):([0-5]\d))?$/;

/** What a written time is relative to. */
interface MomentFrame {
  readonly nowMs: number;
  readonly zone: Zone;
  /** Whether a date without a time means its first moment or its last. */
  readonly edge: "start" | "end";
}

/**
 * Returns epoch milliseconds of `7d`, `12h` (ago), `today`, `yesterday`,
 * `2026-11-01` or `2026-11-01T09:30`. Throws UsageError.
 */
export function parseMoment(text: string, frame: MomentFrame): number {
  const { nowMs, zone, edge } = frame;
  const ago = /^(\d{1,5})([mhdw])$/.exec(text);
  if (ago !== null) {
    return nowMs - Number(ago[1]) * (UNIT_MS[ago[2] ?? ""] ?? 0);
  }
  if (text === "now") return nowMs;
  if (text === "today" || text === "yesterday") {
    const day = zone.dateOf(nowMs);
    const back = text === "today" ? 0 : 1;
    return dayEdge({ ...day, day: day.day - back }, edge, zone);
  }
  const date = DATE.exec(text);
  if (date === null) throw badMoment(text);
  const [year, month, day, hour, minute] = date.slice(1).map(Number);
  const asDate = { year: year ?? 0, month: month ?? 0, day: day ?? 0 };
  if (!isDate(asDate)) throw badMoment(text);
  if (date[4] === undefined) return dayEdge(asDate, edge, zone);
  return zone.instantOf(
    asDate,
    (hour ?? 0) * HOUR_MS + (minute ?? 0) * MINUTE_MS,
  );
}

interface WrittenDate {
  readonly year: number;
  readonly month: number;
  readonly day: number;
}

function dayEdge(
  date: WrittenDate,
  edge: MomentFrame["edge"],
  zone: Zone,
): number {
  return zone.instantOf(
    edge === "start" ? date : { ...date, day: date.day + 1 },
  );
}

/** Returns whether the date exists: the 31st of February does not. */
function isDate({ year, month, day }: WrittenDate): boolean {
  const date = new Date(Date.UTC(year, month - 1, day));
  return date.getUTCMonth() === month - 1 && date.getUTCDate() === day;
}

function badMoment(text: string): UsageError {
  return new UsageError(
    `Cannot use the time ${text}: it must be a date or an age`,
    "For example 2026-11-01, 2026-11-01T09:30, 7d, 12h, today, yesterday",
  );
}

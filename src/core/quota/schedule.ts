/**
 * When to open five-hour windows ahead of the working day, so that one more of
 * them falls into it. Used only if `openWindows` is `scheduled`: it needs
 * requests of tc's own, so the user must ask for it.
 *
 * @module
 */

import type { AccountId } from "../account.ts";
import { benchAt } from "./bench.ts";
import { limitsOf } from "./limits.ts";
import type { AccountState, PoolSnapshot } from "../pool/state.ts";
import { HOUR_MS, type Instant, instantFromMs, MINUTE_MS } from "../time.ts";

/** The hours of a local day in which a person works, from 0 to 24. */
interface WorkingHours {
  readonly start: number;
  readonly end: number;
}

export interface Opening {
  readonly accountId: AccountId;
  readonly at: Instant;
}

const DAY_HOURS = 24;
const WINDOW_HOURS = 5;
const WEEK_DAYS = 7;

/** Fewer days of a kind than this do not show a habit. */
const DAYS_MIN = 2;

/** The epoch began on a Thursday. */
const EPOCH_WEEKDAY = 4;

function isWeekend(day: number): boolean {
  const weekday = (((day + EPOCH_WEEKDAY) % WEEK_DAYS) + WEEK_DAYS) % WEEK_DAYS;
  return weekday === 0 || weekday === WEEK_DAYS - 1;
}

/** Returns the local day that `at` lies in, counted from the epoch. */
function localDay(at: number, utcOffsetMinutes: number): number {
  return Math.floor(
    (at + utcOffsetMinutes * MINUTE_MS) / (DAY_HOURS * HOUR_MS),
  );
}

/**
 * Returns the working hours of days like the one at `at` (weekday or weekend),
 * from the hours in which prompts came; null while no habit shows.
 */
export function workingHours(
  activeHours: readonly number[],
  at: Instant,
  utcOffsetMinutes: number,
): WorkingHours | null {
  const today = localDay(at, utcOffsetMinutes);
  const days = new Map<number, { first: number; last: number }>();
  for (const hour of activeHours) {
    const day = localDay(hour * HOUR_MS, utcOffsetMinutes);
    if (day >= today || isWeekend(day) !== isWeekend(today)) continue;
    const startsAt = day * DAY_HOURS - utcOffsetMinutes / 60;
    const local = hour - startsAt;
    const known = days.get(day);
    days.set(day, {
      first: Math.min(known?.first ?? local, local),
      last: Math.max(known?.last ?? local, local),
    });
  }
  if (days.size < DAYS_MIN) return null;
  const seen = [...days.values()];
  return {
    start: median(seen.map(({ first }) => first)),
    end: median(seen.map(({ last }) => last)) + 1,
  };
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle] ?? 0;
  return sorted.length % 2 === 1
    ? high
    : (high + (sorted[middle - 1] ?? high)) / 2;
}

/**
 * Returns when to open the first window of the day, in local hours, so that as
 * many whole windows as fit lie evenly around the working hours. `spread` from
 * 0 to 1 moves it within half of the span in which that count still fits.
 */
export function firstOpening(
  { start, end }: WorkingHours,
  spread: number,
): number {
  const count = Math.floor((end - start) / WINDOW_HOURS) + 2;
  const low = start - 4.5;
  const high = Math.min(
    start - 0.25,
    end - WINDOW_HOURS * (count - 1) - 0.5,
  );
  const middle = (start + end - WINDOW_HOURS * count) / 2;
  const span = Math.max(0, high - low) / 2;
  const wanted = middle + (spread - 0.5) * span;
  return Math.min(Math.max(low, high), Math.max(low, wanted));
}

/**
 * Returns the openings of the local day that `snapshot` lies in, past ones as
 * well: one for each subscription whose five-hour window is not running and
 * whose week has quota left.
 */
export function scheduledOpenings(
  snapshot: PoolSnapshot,
  utcOffsetMinutes: number,
): readonly Opening[] {
  const { at, activeHours, accounts } = snapshot;
  const hours = workingHours(activeHours, at, utcOffsetMinutes);
  if (hours === null) return [];
  const midnight = localDay(at, utcOffsetMinutes) * DAY_HOURS * HOUR_MS -
    utcOffsetMinutes * MINUTE_MS;
  const plans = [...accounts.values()]
    .filter(isPlan)
    .sort((a, b) => a.account.id < b.account.id ? -1 : 1);
  return plans.flatMap((state, index) => {
    if (!mayOpen(state, at)) return [];
    const spread = plans.length === 1 ? 0.5 : index / (plans.length - 1);
    const hour = firstOpening(hours, spread);
    return [{
      accountId: state.account.id,
      at: instantFromMs(midnight + Math.round(hour * HOUR_MS)),
    }];
  });
}

function isPlan({ account }: AccountState): boolean {
  const hasPlan = account.kind === "subscription" ||
    account.kind === "setup_token";
  return hasPlan && account.enabled;
}

function mayOpen(state: AccountState, at: Instant): boolean {
  if (state.credential.kind !== "ready") return false;
  if (benchAt(state.bench, at).kind === "benched") return false;
  const { fiveHour, spent } = limitsOf(state, [], at);
  return fiveHour === null && spent.kind === "clear";
}

/**
 * When something runs out, with how far that is open, as people read it.
 *
 * @module
 */

import type { BetweenView, WindowView } from "./account_views.ts";
import type { ForecastView } from "./protocol.ts";
import { clockText } from "./words.ts";

/** The time that clocks show. */
export interface ShownTime {
  readonly now: number;
  /** Null is the machine's. */
  readonly timeZone: string | null;
}

/**
 * `5h spent 15:10 (14:20 to 16:05) at this pace`; null for a window that lasts
 * to its reset whatever the burn's spread.
 */
export function spentText(
  window: Pick<WindowView, "key" | "spentAt" | "spentBetween">,
  time: ShownTime,
): string | null {
  const { key, spentAt, spentBetween } = window;
  if (spentAt !== null && spentAt.ms <= time.now) return `${key} spent`;
  if (spentAt !== null) {
    const open = openText(spentBetween, time, "it lasts");
    return `${key} spent ${shown(spentAt.ms, time)}${open} at this pace`;
  }
  const soonest = spentBetween?.soonest ?? null;
  return soonest === null
    ? null
    : `${key} lasts, at worst to ${shown(soonest.ms, time)}`;
}

/** `lasts until 18:00 (16:40 to 20:10)`; null where it lasts. */
export function lastsText(
  { lastsUntil, lastsBetween }: ForecastView,
  time: ShownTime,
): string | null {
  if (lastsUntil === null) return null;
  const open = openText(lastsBetween, time, "a week and more");
  return `lasts until ${shown(lastsUntil.ms, time)}${open}`;
}

function openText(
  between: BetweenView | null,
  time: ShownTime,
  otherwise: string,
): string {
  if (between === null || between.soonest === null) return "";
  const soonest = shown(between.soonest.ms, time);
  return between.latest === null
    ? ` (${soonest} at the soonest, or ${otherwise})`
    : ` (${soonest} to ${shown(between.latest.ms, time)})`;
}

function shown(ms: number, { now, timeZone }: ShownTime): string {
  return clockText(ms, now, timeZone ?? undefined);
}

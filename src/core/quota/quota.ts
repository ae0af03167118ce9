/**
 * Quota windows: what the provider last said about each, and until when that
 * counts. Unknown is never 0 and never spent.
 *
 * @module
 */

import type { AccountId, ModelFamily } from "../account.ts";
import { after, DAY_MS, HOUR_MS, type Instant } from "../time.ts";

/** Names a window as the headers do: `5h`, `7d`, `7d_oi`, `7d:opus`, `tokens`, `requests`. */
export type WindowKey = string;

/** The provider's own verdict on a window; null when it gave none. */
export type WindowStatus = "allowed" | "allowed_warning" | "rejected" | null;

/** Where a figure comes from; every screen shows it with its age. */
export type QuotaSource = "response_headers" | "usage_endpoint";

/** What the provider last said of one quota window of one account. */
export interface QuotaWindow {
  readonly key: WindowKey;
  /**
   * Utilization: 0 is unused, 1 is spent, more is possible; null is unknown.
   */
  readonly utilization: number | null;
  readonly status: WindowStatus;
  /** Full length, as far as the key tells. */
  readonly lengthMs: number;
  /** When it refills; null if the provider did not say. */
  readonly resetsAt: Instant | null;
  readonly observedAt: Instant;
  readonly source: QuotaSource;
  /** The one model family it limits; null limits the whole account. */
  readonly family: ModelFamily | null;
}

export type QuotaWindows = Readonly<Record<WindowKey, QuotaWindow>>;

/**
 * Paid extra usage beyond the plan. It is not a window: its refusal is normal
 * and bars nothing.
 */
export interface Overage {
  /** The provider's verdict on it; null if there was none. */
  readonly status: WindowStatus;
  /** Whether it paid for the answer, because the plan's own quota is spent. */
  readonly isInUse: boolean;
}

/** One statement of the provider about one account, at one instant. */
export interface QuotaObservation {
  readonly accountId: AccountId;
  readonly at: Instant;
  readonly source: QuotaSource;
  readonly windows: readonly QuotaWindow[];
  /** Null if nothing was said about it. */
  readonly overage: Overage | null;
}

/** Longest length used, whatever a header says, so that instants stay valid. */
const LENGTH_MS_MAX = 366 * DAY_MS;

/**
 * Returns how long the window named `key` runs; five hours if the key does not
 * tell.
 */
export function windowLengthMs(key: WindowKey): number {
  const match = /^(\d+)([mhd])/.exec(key);
  if (match === null) {
    return key === "tokens" || key === "requests" ? 60_000 : 5 * HOUR_MS;
  }
  const unit = match[2] === "m" ? 60_000 : match[2] === "h" ? HOUR_MS : DAY_MS;
  return Math.min(LENGTH_MS_MAX, Number(match[1]) * unit);
}

/**
 * Returns what is known after an observation. The newest statement about each
 * window wins, but a part that it leaves out keeps its known value while the
 * window runs: a missing header never overwrites a figure.
 */
export function observe(
  known: QuotaWindows,
  observation: QuotaObservation,
): QuotaWindows {
  const next: Record<WindowKey, QuotaWindow> = { ...known };
  for (const seen of observation.windows) {
    const prior = known[seen.key];
    if (prior !== undefined && prior.observedAt > seen.observedAt) continue;
    next[seen.key] = prior !== undefined && isRunning(prior, seen.observedAt)
      ? merge(prior, seen)
      : seen;
  }
  return next;
}

function merge(prior: QuotaWindow, seen: QuotaWindow): QuotaWindow {
  return {
    ...seen,
    utilization: seen.utilization ?? prior.utilization,
    resetsAt: seen.resetsAt ?? prior.resetsAt,
  };
}

/**
 * Returns whether the provider refused work on the window, or its figure is at
 * its end.
 */
export function isSpent(
  { status, utilization }: Pick<QuotaWindow, "status" | "utilization">,
): boolean {
  return status === "rejected" || (utilization ?? 0) >= 1;
}

/**
 * Returns when the window stops counting. Without a stated reset its own length
 * is the bound; otherwise a figure without an end would bar the account for
 * ever.
 */
export function endsAt(window: QuotaWindow): Instant {
  return window.resetsAt ?? after(window.observedAt, window.lengthMs);
}

export function isRunning(window: QuotaWindow, now: Instant): boolean {
  return now < endsAt(window);
}

/**
 * Returns the windows that still run at `now`. A window past its reset is
 * unused and restarts only with the next request, so nothing is known about it.
 */
export function running(
  windows: QuotaWindows,
  now: Instant,
): readonly QuotaWindow[] {
  return Object.values(windows).filter((window) => isRunning(window, now));
}

/** Returns the window named `key` if it still runs at `now`, else null. */
export function runningWindow(
  windows: QuotaWindows,
  key: WindowKey,
  now: Instant,
): QuotaWindow | null {
  const window = windows[key];
  return window !== undefined && isRunning(window, now) ? window : null;
}

/**
 * Returns whether the window bars requests for `families`; an empty list means
 * any request.
 */
export function concerns(
  window: QuotaWindow,
  families: readonly ModelFamily[],
): boolean {
  return window.family === null || families.includes(window.family);
}

/**
 * Returns the part of the window's time that has passed at `now`, 0 to 1; null
 * if the reset is unknown.
 */
export function elapsedShare(window: QuotaWindow, now: Instant): number | null {
  if (window.resetsAt === null) return null;
  const startsAt = window.resetsAt - window.lengthMs;
  return Math.min(1, Math.max(0, (now - startsAt) / window.lengthMs));
}

/**
 * Returns how far the account is ahead of an even spend: utilization minus
 * elapsed time. Positive is too fast, negative is quota to spare; null if
 * either is unknown.
 */
export function pace(window: QuotaWindow, now: Instant): number | null {
  const elapsed = elapsedShare(window, now);
  return elapsed === null || window.utilization === null
    ? null
    : window.utilization - elapsed;
}

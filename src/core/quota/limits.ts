/**
 * What the quota windows of one account mean for one request: its figures, and
 * whether they bar it.
 *
 * @module
 */

import type { ModelFamily } from "../account.ts";
import { concerns, endsAt, isRunning, type QuotaWindow } from "./quota.ts";
import type { AccountState } from "../pool/state.ts";
import { after, DAY_MS, type Instant, later, MINUTE_MS } from "../time.ts";

/** Whether the windows let a request through. */
export type Spent =
  | { readonly kind: "clear" }
  /**
   * The figure is at its end but the provider refused nothing, or the figure
   * comes from an earlier run: the last choice, because one answer will tell.
   */
  | {
    readonly kind: "doubtful";
    /**
     * Whether only a refusal can end the window: its figure, which the provider
     * rounds, is at its end, and what follows is a refusal and not paid usage.
     */
    readonly isFull: boolean;
  }
  /** The plan is spent and paid extra usage goes on serving. */
  | { readonly kind: "paid"; readonly until: Instant }
  | {
    readonly kind: "spent";
    readonly until: Instant;
    /** The one family that it bars; null bars the account. */
    readonly family: ModelFamily | null;
    /**
     * Whether it is past the user's own limit, while the provider refused
     * nothing.
     */
    readonly isOwnLimit: boolean;
  };

export interface Limits {
  /** The running five-hour window; null if none runs or it is unknown. */
  readonly fiveHour: QuotaWindow | null;
  /**
   * The fullest running window of a day or more that the request counts
   * against.
   */
  readonly week: QuotaWindow | null;
  readonly spent: Spent;
}

const CLEAR: Spent = { kind: "clear" };
const DOUBTFUL: Spent = { kind: "doubtful", isFull: false };
const FULL: Spent = { kind: "doubtful", isFull: true };

/** Longest time that a refusal without a stated end counts. */
const UNSTATED_END_MS = 15 * MINUTE_MS;
const SHORTEST_LONG_MS = DAY_MS;
const SHORTEST_MS = 10 * MINUTE_MS;

/** Returns the figures of `state` for a request of `families` at `at`. */
export function limitsOf(
  state: AccountState,
  families: readonly ModelFamily[],
  at: Instant,
): Limits {
  let fiveHour: QuotaWindow | null = null;
  let week: QuotaWindow | null = null;
  let spent: Spent = CLEAR;
  const { windows } = state;
  for (const key in windows) {
    const window = windows[key];
    if (window === undefined || !isRunning(window, at)) continue;
    if (!concerns(window, families)) continue;
    if (window.lengthMs >= SHORTEST_LONG_MS) week = fuller(week, window);
    else if (window.lengthMs >= SHORTEST_MS) {
      fiveHour = fuller(fiveHour, window);
    }
    spent = worse(spent, judge(window, state, at));
  }
  return { fiveHour, week, spent };
}

/** Returns the utilization of a window; an unknown one plans as unused. */
export function used(window: QuotaWindow | null): number {
  return window?.utilization ?? 0;
}

function fuller(a: QuotaWindow | null, b: QuotaWindow): QuotaWindow {
  return a === null || used(b) > used(a) ? b : a;
}

function judge(window: QuotaWindow, state: AccountState, at: Instant): Spent {
  const { account, overage, restoredAt } = state;
  const isRemembered = restoredAt !== null && window.observedAt < restoredAt;
  const share = window.utilization ?? 0;
  const isOverOwnLimit = account.utilizationMax !== null &&
    share >= account.utilizationMax;
  if (isOverOwnLimit && !isRemembered) {
    const { family } = window;
    return { kind: "spent", until: endsAt(window), family, isOwnLimit: true };
  }
  const isPaid = overage !== null && overage.status !== "rejected" &&
    (overage.isInUse || overage.status !== null);
  if (window.status !== "rejected") {
    if (share < 1) return CLEAR;
    return isRemembered || isPaid ? DOUBTFUL : FULL;
  }
  if (isRemembered) return DOUBTFUL;
  const until = window.resetsAt ?? after(window.observedAt, UNSTATED_END_MS);
  if (until <= at) return DOUBTFUL;
  return isPaid
    ? { kind: "paid", until }
    : { kind: "spent", until, family: window.family, isOwnLimit: false };
}

const RANK: Readonly<Record<Spent["kind"], number>> = {
  clear: 0,
  doubtful: 1,
  paid: 2,
  spent: 3,
};

function worse(a: Spent, b: Spent): Spent {
  if (b.kind === "clear") return a;
  if (RANK[a.kind] !== RANK[b.kind]) return RANK[a.kind] > RANK[b.kind] ? a : b;
  if (a.kind === "doubtful" && b.kind === "doubtful") return a.isFull ? b : a;
  if (a.kind === "spent" && b.kind === "spent") {
    // The account's own window outlasts one that bars a single family.
    const isWhole = a.family === null || b.family === null;
    return {
      kind: "spent",
      until: later(a.until, b.until) ?? a.until,
      family: isWhole ? null : a.family,
      isOwnLimit: a.isOwnLimit && b.isOwnLimit,
    };
  }
  return a;
}

/**
 * The history of the accounts' windows, as the API returns it. Pure.
 *
 * @module
 */

import { TIERS, tierWeight } from "../../core/account.ts";
import type { TimeView } from "../protocol.ts";
import { timeView } from "../status_view.ts";

/** A figure of a window: epoch milliseconds, share, and its reset or null. */
export type QuotaPoint = readonly [
  at: number,
  utilization: number,
  resetsAt: number | null,
];

export interface QuotaCurveView {
  /** `5h`, `7d`, or the window of a model family. */
  readonly window: string;
  /** In the order of time; a point holds until the next one or its reset. */
  readonly points: readonly QuotaPoint[];
  /** Windows that have ended in this time. */
  readonly ended: number;
  /** Of those, the mean share that expired unused; null if none has ended. */
  readonly unused: number | null;
}

export interface QuotaMoveView {
  readonly at: TimeView;
  /** The account that served in the end; null if none did. */
  readonly account: string | null;
  /** The account that the conversation left; null if it stayed. */
  readonly movedFrom: string | null;
  /** The router's reason for this account. */
  readonly reason: string;
  readonly attempts: number;
}

export interface QuotaView {
  readonly schema: "tc.quota/v1";
  readonly at: TimeView;
  readonly since: TimeView;
  /** Distance of two points at least; the highest figure between them counts. */
  readonly stepMs: number;
  readonly accounts: readonly {
    readonly id: string;
    readonly label: string;
    readonly curves: readonly QuotaCurveView[];
  }[];
  /** The latest changes of account and refused tries, oldest first. */
  readonly moves: readonly QuotaMoveView[];
}

/** Resets that differ by less are one reset. */
const SAME_RESET_MS = 60_000;
/** A figure's time is the start of the five minutes in which it was read. */
const STEP_MS = 300_000;

/** Returns the curve of one window, with what expired unused in it. */
export function quotaCurve(
  window: string,
  points: readonly QuotaPoint[],
  nowMs: number,
): QuotaCurveView {
  let ended = 0;
  let unused = 0;
  points.forEach(([, utilization, resetsAt], index) => {
    if (resetsAt === null || resetsAt > nowMs) return;
    // Only the last figure before a reset says what was left.
    const [nextAt = Infinity, , nextReset = null] = points[index + 1] ?? [];
    const isSame = nextReset !== null &&
      Math.abs(nextReset - resetsAt) <= SAME_RESET_MS;
    if (isSame || nextAt < resetsAt - STEP_MS) return;
    ended += 1;
    unused += Math.max(0, 1 - utilization);
  });
  return { window, points, ended, unused: ended === 0 ? null : unused / ended };
}

/**
 * Returns the figure of a curve at an instant; null before the first one and
 * after `nowMs`.
 */
export function quotaAt(
  { points }: QuotaCurveView,
  at: number,
  nowMs: number = at,
): number | null {
  if (at > nowMs) return null;
  const point = points.findLast(([time]) => time <= at);
  if (point === undefined) return null;
  const [, share, resetsAt] = point;
  return resetsAt !== null && resetsAt <= at ? 0 : share;
}

/** Returns how large a plan is beside a Pro one, as the router takes it first. */
export function planSize(tier: string): number {
  return tierWeight(TIERS.find((one) => one === tier) ?? "unknown");
}

/** Returns the view of moves, with the accounts' names. */
export function quotaMove(
  move: Omit<QuotaMoveView, "at"> & { readonly at: number },
  labelOf: (id: string) => string,
): QuotaMoveView {
  const { at, account, movedFrom, reason, attempts } = move;
  return {
    at: timeView(at),
    account: account === null ? null : labelOf(account),
    movedFrom: movedFrom === null ? null : labelOf(movedFrom),
    reason,
    attempts,
  };
}

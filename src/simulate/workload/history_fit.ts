/**
 * How large accounts really are, judged by what their windows showed while
 * requests were booked, and whether a replay reproduces the record.
 *
 * @module
 */

import type { HistoryRow } from "../../store/ledger/ledger_history.ts";
import { play } from "../play.ts";
import type { HoldBounds } from "../proxy.ts";
import type { Tier } from "../../core/account.ts";
import type { RouteSettings } from "../../core/settings.ts";
import type { PlannedAccount, Workload } from "./workload.ts";

/** An account as config and vault describe it. */
export interface HistoryAccount {
  readonly id: string;
  readonly label: string;
  readonly tier: Tier;
  readonly kind: PlannedAccount["kind"];
}

export interface FittedAccount {
  readonly account: HistoryAccount;
  /** Quota tokens of a whole window; null if the rise is too small to tell. */
  readonly fiveHourTokens: number | null;
  readonly weekTokens: number | null;
  /** Quota tokens that were recorded, and waits for their answers. */
  readonly tokens: number;
  readonly waitedMs: number;
  /** The state of its windows when the history begins. */
  readonly first: Pick<
    HistoryRow,
    "spent5h" | "resets5h" | "spent7d" | "resets7d"
  >;
}

/** What a token weighed while the history was recorded. */
interface QuotaUnit {
  readonly cacheReadWeight: number;
  readonly cacheTtlMs: number;
}

const WRITE_SHORT = 1.25;
const WRITE_LONG = 2;
const SHORT_TTL_MS = 600_000;
const OUTPUT = 5;

/** Figures have two decimals, so a smaller rise says little. */
const RISE_MIN = 0.05;

/**
 * Returns the quota tokens of one recorded answer, in the simulation's unit.
 */
export function recordedCost(
  { usage }: Pick<HistoryRow, "usage">,
  { cacheReadWeight, cacheTtlMs }: QuotaUnit,
): number {
  const write = cacheTtlMs > SHORT_TTL_MS ? WRITE_LONG : WRITE_SHORT;
  const fresh = usage.input + usage.cacheWrite5m + usage.cacheWrite1h;
  return cacheReadWeight * usage.cacheRead + write * fresh +
    OUTPUT * usage.output;
}

/** `rows` belong to that account alone, ordered by start. */
export function fitted(
  account: HistoryAccount,
  rows: readonly HistoryRow[],
  unit: QuotaUnit,
): FittedAccount {
  const [first] = rows;
  return {
    account,
    fiveHourTokens: windowSize(
      rows,
      unit,
      (row) => [row.spent5h, row.resets5h],
    ),
    weekTokens: windowSize(rows, unit, (row) => [row.spent7d, row.resets7d]),
    tokens: rows.reduce((sum, row) => sum + recordedCost(row, unit), 0),
    waitedMs: rows.reduce(
      (sum, row) => sum + row.startedAt - row.askedAt + row.waitedMs,
      0,
    ),
    first: first ??
      { spent5h: null, resets5h: null, spent7d: null, resets7d: null },
  };
}

/**
 * Returns booked tokens over observed rises, within runs of one window. The
 * head of an answer shows the window before that answer's own cost, so a figure
 * is compared with what began before the newest head.
 */
function windowSize(
  rows: readonly HistoryRow[],
  unit: QuotaUnit,
  figureOf: (
    row: HistoryRow,
  ) => readonly [spent: number | null, resetsAt: number | null],
): number | null {
  let tokens = 0;
  let rise = 0;
  let before: readonly [number | null, number | null] = [null, null];
  let bookedBefore = 0;
  const byEnd = rows.toSorted((a, b) => a.endedAt - b.endedAt);
  const booked = bookedAtHeads(byEnd, unit);
  byEnd.forEach((row, index) => {
    const figure = figureOf(row);
    const [spent, resetsAt] = figure;
    const isSameRun = resetsAt !== null && resetsAt === before[1];
    const bookedNow = booked[index] ?? 0;
    // A full window's figure may come from a refusal, which has no row here.
    const isRise = spent !== null && spent < 1 && before[0] !== null;
    if (isSameRun && isRise) {
      tokens += bookedNow - bookedBefore;
      rise += Math.max(0, spent - (before[0] ?? spent));
    }
    before = figure;
    bookedBefore = bookedNow;
  });
  return rise >= RISE_MIN ? tokens / rise : null;
}

/** Returns for each of `byEnd` what began before the newest head at its end. */
function bookedAtHeads(
  byEnd: readonly HistoryRow[],
  unit: QuotaUnit,
): readonly number[] {
  const byHead = byEnd.toSorted((a, b) => headAt(a) - headAt(b));
  let next = 0;
  let begun = 0;
  let newest = 0;
  return byEnd.map(({ endedAt }) => {
    for (; next < byHead.length; next++) {
      const row = byHead[next];
      if (row === undefined || headAt(row) >= endedAt) break;
      begun += newest;
      newest = recordedCost(row, unit);
    }
    return begun;
  });
}

/** The provider books a prompt when its answer begins. */
function headAt({ startedAt, waitedMs }: HistoryRow): number {
  return startedAt + waitedMs;
}

export interface SelfCheck {
  readonly policy: string;
  /** Quota tokens that were recorded, and quota tokens of the replay. */
  readonly recordedTokens: number;
  readonly predictedTokens: number;
  /** Their difference as a share of the recorded tokens. */
  readonly error: number;
  readonly isGood: boolean;
  /**
   * Recorded and replayed waiting. Rate limits are guesses, so they may differ.
   */
  readonly recordedStalledHours: number;
  readonly predictedStalledHours: number;
  readonly isWaitingGood: boolean;
  readonly accounts: readonly {
    readonly name: string;
    readonly recordedTokens: number;
    readonly predictedTokens: number;
  }[];
}

/** With a larger error, no conclusion is drawn. */
const ERROR_MAX = 0.1;

/**
 * Waiting depends on limits that no answer states, so it is compared loosely.
 */
const WAITING_SLACK = 0.5;
const WAITING_SLACK_HOURS = 0.5;
const HOUR_MS = 3_600_000;

/** Replays the history under the policy that really ran. */
export function selfCheck(
  workload: Workload,
  fits: readonly FittedAccount[],
  { settings, hold, unknownTokens = 0 }: {
    readonly settings: Partial<RouteSettings> & {
      readonly policy: RouteSettings["policy"];
    };
    readonly hold?: Partial<HoldBounds>;
    /** Recorded tokens that belong to none of the accounts. */
    readonly unknownTokens?: number;
  },
): SelfCheck {
  const score = play(workload, {
    settings,
    ...(hold === undefined ? {} : { hold }),
  });
  const stalledHours = fits.reduce((sum, fit) => sum + fit.waitedMs, 0) /
    HOUR_MS;
  const recorded = fits.reduce(
    (sum, { tokens }) => sum + tokens,
    unknownTokens,
  );
  const predicted = score.burntTokens;
  const error = recorded === 0 ? 1 : Math.abs(predicted - recorded) / recorded;
  return {
    policy: settings.policy,
    recordedTokens: recorded,
    predictedTokens: predicted,
    error,
    isGood: error <= ERROR_MAX,
    recordedStalledHours: stalledHours,
    predictedStalledHours: score.stalledHours,
    isWaitingGood: Math.abs(score.stalledHours - stalledHours) <=
      Math.max(WAITING_SLACK_HOURS, WAITING_SLACK * stalledHours),
    accounts: fits.map(({ account, tokens }) => ({
      name: account.label,
      recordedTokens: tokens,
      predictedTokens: score.accounts.find(({ name }) => name === account.label)
        ?.burntTokens ?? 0,
    })),
  };
}

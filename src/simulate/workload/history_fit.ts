/**
 * How large accounts really are, from what their windows said while requests
 * were booked; and whether a replay comes to what was recorded.
 *
 * @module
 */

import type { HistoryRow } from "../../store/ledger/ledger_history.ts";
import { play } from "../play.ts";
import type { Tier } from "../../core/account.ts";
import type { RouteSettings } from "../../core/settings.ts";
import type { PlannedAccount, Workload } from "./workload.ts";

/** An account as config and vault have it. */
export interface HistoryAccount {
  readonly id: string;
  readonly label: string;
  readonly tier: Tier;
  readonly kind: PlannedAccount["kind"];
}

export interface FittedAccount {
  readonly account: HistoryAccount;
  /** Quota tokens of a whole window; null: too little rise to tell. */
  readonly fiveHourTokens: number | null;
  readonly weekTokens: number | null;
  /** Quota tokens that were recorded, and waits for their answers. */
  readonly tokens: number;
  readonly waitedMs: number;
  /** Where its windows stood when the history begins. */
  readonly first: Pick<
    HistoryRow,
    "spent5h" | "resets5h" | "spent7d" | "resets7d"
  >;
}

/** What a token weighs while the history was recorded. */
export interface QuotaUnit {
  readonly cacheReadWeight: number;
  readonly cacheTtlMs: number;
}

const WRITE_SHORT = 1.25;
const WRITE_LONG = 2;
const SHORT_TTL_MS = 600_000;
const OUTPUT = 5;

/** Figures have two decimals: a smaller rise says little. */
const RISE_MIN = 0.05;

/** Quota tokens of one recorded answer, in the unit of the simulation. */
export function recordedCost(
  { usage }: Pick<HistoryRow, "usage">,
  { cacheReadWeight, cacheTtlMs }: QuotaUnit,
): number {
  const write = cacheTtlMs > SHORT_TTL_MS ? WRITE_LONG : WRITE_SHORT;
  const fresh = usage.input + usage.cacheWrite5m + usage.cacheWrite1h;
  return cacheReadWeight * usage.cacheRead + write * fresh +
    OUTPUT * usage.output;
}

/** `rows` are of that account alone, by their start. */
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
 * Tokens booked over rises seen, within runs of one window. The head of an
 * answer says where the window stood before that answer's own cost, so a
 * figure is held against what was begun before the newest head.
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
    // A full window's figure may be that of a refusal, which has no row here.
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

/** For each of `byEnd`: what was begun before the newest head by its end. */
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
  /** Quota tokens that were recorded, and that the replay comes to. */
  readonly recordedTokens: number;
  readonly predictedTokens: number;
  /** Difference of the two, as a part of what was recorded. */
  readonly error: number;
  readonly isGood: boolean;
  /** Waiting as it was and as the replay has it: the rate limits are guesses. */
  readonly recordedStalledHours: number;
  readonly predictedStalledHours: number;
  readonly isWaitingGood: boolean;
  readonly accounts: readonly {
    readonly name: string;
    readonly recordedTokens: number;
    readonly predictedTokens: number;
  }[];
}

/** Above this no conclusion is drawn. */
const ERROR_MAX = 0.1;

/** Waiting hangs on limits that no answer states: it is compared loosely. */
const WAITING_SLACK = 0.5;
const WAITING_SLACK_HOURS = 0.5;
const HOUR_MS = 3_600_000;

/** Replays the history under the policy that really ran. */
export function selfCheck(
  workload: Workload,
  fits: readonly FittedAccount[],
  settings: Partial<RouteSettings> & {
    readonly policy: RouteSettings["policy"];
  },
): SelfCheck {
  const score = play(workload, { settings });
  const stalledHours = fits.reduce((sum, fit) => sum + fit.waitedMs, 0) /
    HOUR_MS;
  const recorded = fits.reduce((sum, { tokens }) => sum + tokens, 0);
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

/**
 * Makes a report from the ledger's sums, for `tc report` and the web page.
 * Pure.
 *
 * @module
 */

import { type CalendarUnit, periodName, Zone } from "../../core/calendar.ts";
import {
  addSpend,
  grouped,
  hitRate,
  NO_SPEND,
  type Spend,
  type SpendRow,
} from "../../core/usage.ts";
import type { TimeView } from "../protocol.ts";
import { timeView } from "../status_view.ts";

export const REPORT_KINDS = [
  "day",
  "week",
  "month",
  "session",
  "issue",
  "model",
  "account",
  "project",
] as const;
export type ReportKind = typeof REPORT_KINDS[number];

export interface ReportSums {
  readonly requests: number;
  readonly failed: number;
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly output: number;
  /** Share of the prompt tokens read from cache; null if there were none. */
  readonly hitRate: number | null;
  readonly coldRebuilds: number;
  /**
   * Changes of account, and the tokens that were cached again because of them.
   */
  readonly switches: number;
  readonly switchRebuild: number;
  readonly waitedMs: number;
  /** Cost at list price in US dollars; null if nothing in it has a price. */
  readonly costUsd: number | null;
  /** The part really paid, by API keys and extra usage; null if nothing was. */
  readonly paidUsd: number | null;
  /** What plans covered, at list price; null if nothing in it has a price. */
  readonly worthUsd: number | null;
  /** Responses of models without a price; `costUsd` does not include them. */
  readonly unpriced: number;
}

export interface ReportRowView extends ReportSums {
  /** Null: requests without a key. */
  readonly key: string | null;
  /** Name for people: an account's name or a session's issue; or null. */
  readonly label: string | null;
  readonly firstAt: TimeView;
  readonly lastAt: TimeView;
}

export interface ReportView {
  readonly schema: "tc.report/v1";
  readonly at: TimeView;
  readonly by: ReportKind;
  readonly since: TimeView;
  readonly until: TimeView;
  readonly timeZone: string;
  readonly source: "ledger";
  /** When the list prices of this build were checked. */
  readonly pricesAsOf: string;
  readonly rows: readonly ReportRowView[];
  readonly total: ReportSums;
}

interface ReportFrame {
  readonly by: ReportKind;
  readonly nowMs: number;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly zone: Zone;
  /** The date of the prices. */
  readonly pricesAsOf: string;
  readonly labelOf: (key: string) => string | null;
}

export function isCalendarUnit(kind: ReportKind): kind is CalendarUnit {
  return kind === "day" || kind === "week" || kind === "month";
}

/** Groups rows by quarter of an hour into rows by day, week or month. */
export function byPeriod(
  rows: readonly SpendRow[],
  unit: CalendarUnit,
  zone: Zone,
): readonly SpendRow[] {
  return grouped(rows, ({ firstAt }) => periodName(firstAt, unit, zone));
}

export function reportView(
  rows: readonly SpendRow[],
  frame: ReportFrame,
): ReportView {
  const total = rows.reduce((sum, { spend }) => addSpend(sum, spend), NO_SPEND);
  return {
    schema: "tc.report/v1",
    at: timeView(frame.nowMs),
    by: frame.by,
    since: timeView(frame.sinceMs),
    until: timeView(frame.untilMs),
    timeZone: frame.zone.name,
    source: "ledger",
    pricesAsOf: frame.pricesAsOf,
    rows: rows.map(({ key, firstAt, lastAt, spend }) => ({
      key,
      label: key === null ? null : frame.labelOf(key),
      firstAt: timeView(firstAt),
      lastAt: timeView(Math.min(lastAt, frame.nowMs)),
      ...reportSums(spend),
    })),
    total: reportSums(total),
  };
}

const NANODOLLARS = 1_000_000_000;

function reportSums({ costNano, paidNano, ...spend }: Spend): ReportSums {
  const isPriced = costNano > 0 || spend.unpriced === 0;
  return {
    ...spend,
    hitRate: hitRate(spend),
    costUsd: isPriced ? costNano / NANODOLLARS : null,
    paidUsd: paidNano > 0 ? paidNano / NANODOLLARS : null,
    worthUsd: isPriced && costNano > paidNano
      ? (costNano - paidNano) / NANODOLLARS
      : null,
  };
}

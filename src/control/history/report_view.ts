/**
 * Makes a report from the ledger's sums, for `tc report` and the web page.
 * Pure.
 *
 * @module
 */

import {
  type CalendarUnit,
  periodName,
  type Weekday,
  Zone,
} from "../../core/calendar.ts";
import {
  addOutside,
  addSpend,
  contextTokens,
  grouped,
  hitRate,
  NO_SPEND,
  type OutsideSpend,
  type PartKind,
  type PartRow,
  type Spend,
  type SpendRow,
} from "../../core/usage.ts";
import type { TimeView } from "../protocol.ts";
import { timeView } from "../status_view.ts";
import type { BlockView } from "./block_view.ts";
import type { PlansView } from "./plan_view.ts";

export const REPORT_KINDS = [
  "day",
  "week",
  "month",
  "block",
  "session",
  "issue",
  "model",
  "account",
  "project",
  "machine",
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

/** A part of a row that comes from Claude Code's transcripts. */
interface OutsideView {
  readonly requests: number;
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly output: number;
  /** Cost at list price in US dollars; null if nothing in it has a price. */
  readonly costUsd: number | null;
}

/** Sums, and which parts of them tc did not serve; null if it served all. */
export interface SourcedSums extends ReportSums {
  /** From before the first request in the ledger. */
  readonly beforeTc: OutsideView | null;
  /** Of later requests, those that did not go through tc. */
  readonly notThroughTc: OutsideView | null;
}

/** The part of a row that one model answered; null: none was named. */
export interface ModelPartView extends SourcedSums {
  readonly model: string | null;
}

/** What a row may be split by for a chart. */
export const SPLITS = [
  "model",
  "account",
  "project",
] as const satisfies readonly PartKind[];

/** The part of a row that is of one model, account or project. */
export interface ReportPartView {
  /** Null: none was named, or the account is not known. */
  readonly key: string | null;
  readonly label: string | null;
  /** At list price in US dollars; null if nothing in it has a price. */
  readonly costUsd: number | null;
  readonly paidUsd: number | null;
  readonly tokens: number;
}

export interface ReportRowView extends SourcedSums {
  /** Null: requests without a key. */
  readonly key: string | null;
  /** Name for people: an account's name or a session's issue; or null. */
  readonly label: string | null;
  readonly firstAt: TimeView;
  readonly lastAt: TimeView;
  /**
   * What plans of known price cost in that time, or the account's plan, in
   * dollars; null if unknown; absent: not of this kind of row.
   */
  readonly planUsd?: number | null;
  /** Its parts by model, the dearest first; absent: not asked for. */
  readonly models?: readonly ModelPartView[];
  /** Its parts for a chart, the dearest first; absent: not asked for. */
  readonly parts?: readonly ReportPartView[];
}

export interface ReportView {
  readonly schema: "tc.report/v1";
  readonly at: TimeView;
  readonly by: ReportKind;
  readonly since: TimeView;
  readonly until: TimeView;
  readonly timeZone: string;
  /** What the report is limited to; null means all work of that time. */
  readonly only: ReportOnlyView | null;
  /** By week: the day on which weeks begin; else absent. */
  readonly weekStart?: Weekday;
  readonly source: "ledger" | "ledger_and_transcripts";
  /** What is known of the client's transcripts; null if nothing is. */
  readonly transcripts: TranscriptsView | null;
  /** When the list prices of this build were checked. */
  readonly pricesAsOf: string;
  /** By block: the block that runs now; else null. */
  readonly block: BlockView | null;
  /**
   * What plans cost beside what they covered; null if the accounts are not
   * known, or the report is of a part of their work.
   */
  readonly plans: PlansView | null;
  readonly rows: readonly ReportRowView[];
  readonly total: SourcedSums;
}

/** A part of the work; null: not limited by that. */
interface ReportOnlyView {
  /** As it was asked for: a name, or a folder. */
  readonly project: string | null;
  /** The whole id. */
  readonly session: string | null;
  readonly machine: string | null;
}

/** How much of the client's transcripts a report rests on. */
interface TranscriptsView {
  /** When they were last looked at. */
  readonly readAt: TimeView;
  /** False if that look was stopped before its end. */
  readonly isWhole: boolean;
}

interface ReportFrame {
  readonly by: ReportKind;
  readonly nowMs: number;
  readonly sinceMs: number;
  readonly untilMs: number;
  readonly zone: Zone;
  /** Absent: all work of that time. */
  readonly only?: ReportOnlyView | null;
  /** Absent: monday. */
  readonly weekStart?: Weekday;
  /** The date of the prices. */
  readonly pricesAsOf: string;
  readonly labelOf: (key: string) => string | null;
  /** Returns the parts of a row by model; absent: none are shown. */
  readonly modelsOf?: (key: string | null) => readonly PartRow[];
  /** Returns the parts of a row for a chart; absent: none are shown. */
  readonly partsOf?: (key: string | null) => readonly PartRow[];
  /** Returns the name of a part for people; absent or null: it has none. */
  readonly partLabelOf?: (key: string) => string | null;
  /** Absent: none runs now, or the report is not by block. */
  readonly block?: BlockView | null;
  /** Absent: no plan is compared. */
  readonly plans?: PlansView | null;
  /** Returns what plans cost in the time of a row; absent: none does. */
  readonly planUsdOf?: (row: SpendRow) => number | null;
  /** Absent: no transcripts are known. */
  readonly transcripts?: { readonly at: number; readonly isWhole: boolean };
}

export function isCalendarUnit(kind: ReportKind): kind is CalendarUnit {
  return kind === "day" || kind === "week" || kind === "month";
}

/** Groups rows by quarter of an hour into rows by day, week or month. */
export function byPeriod(
  rows: readonly SpendRow[],
  unit: CalendarUnit,
  zone: Zone,
  weekStart?: Weekday,
): readonly SpendRow[] {
  return grouped(
    rows,
    ({ firstAt }) => periodName(firstAt, unit, zone, weekStart),
  );
}

export function reportView(
  rows: readonly SpendRow[],
  frame: ReportFrame,
): ReportView {
  const total = rows.reduce((sum, { spend }) => addSpend(sum, spend), NO_SPEND);
  const outside = rows.reduce(
    (sum, row) => addOutside(sum, row.outside),
    {} as OutsideSpend,
  );
  const { transcripts = null, block = null, plans = null } = frame;
  const { modelsOf, partsOf, planUsdOf, partLabelOf } = frame;
  return {
    schema: "tc.report/v1",
    at: timeView(frame.nowMs),
    by: frame.by,
    since: timeView(frame.sinceMs),
    until: timeView(frame.untilMs),
    timeZone: frame.zone.name,
    only: frame.only ?? null,
    ...frame.by === "week" ? { weekStart: frame.weekStart ?? "monday" } : {},
    source: transcripts === null ? "ledger" : "ledger_and_transcripts",
    transcripts: transcripts === null ? null : {
      readAt: timeView(transcripts.at),
      isWhole: transcripts.isWhole,
    },
    pricesAsOf: frame.pricesAsOf,
    block,
    plans,
    rows: rows.map((row) => ({
      key: row.key,
      label: row.key === null ? null : frame.labelOf(row.key),
      firstAt: timeView(row.firstAt),
      lastAt: timeView(Math.min(row.lastAt, frame.nowMs)),
      ...sourcedSums(row.spend, row.outside ?? {}),
      ...planUsdOf === undefined ? {} : { planUsd: planUsdOf(row) },
      ...modelsOf === undefined
        ? {}
        : { models: modelsOf(row.key).map(modelPart) },
      ...partsOf === undefined ? {} : {
        parts: partsOf(row.key).map((part) => partView(part, partLabelOf)),
      },
    })),
    total: sourcedSums(total, outside),
  };
}

function partView(
  { part, spend }: PartRow,
  labelOf: (key: string) => string | null = () => null,
): ReportPartView {
  const { costUsd, paidUsd } = reportSums(spend);
  return {
    key: part,
    label: part === null ? null : labelOf(part),
    costUsd,
    paidUsd,
    tokens: contextTokens(spend) + spend.output,
  };
}

function modelPart({ part, spend, outside }: PartRow): ModelPartView {
  return { model: part, ...sourcedSums(spend, outside ?? {}) };
}

function sourcedSums(spend: Spend, outside: OutsideSpend): SourcedSums {
  return {
    ...reportSums(spend),
    beforeTc: outsideView(outside.before_tc),
    notThroughTc: outsideView(outside.not_through_tc),
  };
}

function outsideView(spend: Spend | undefined): OutsideView | null {
  if (spend === undefined) return null;
  const { requests, input, cacheRead, cacheWrite5m, cacheWrite1h, output } =
    spend;
  return {
    requests,
    input,
    cacheRead,
    cacheWrite5m,
    cacheWrite1h,
    output,
    costUsd: reportSums(spend).costUsd,
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

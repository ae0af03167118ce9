/**
 * Prints a report as a table that fits the terminal.
 *
 * @module
 */

import {
  type BlockView,
  blockWords,
  momentText,
} from "../../control/history/block_view.ts";
import {
  plansText,
  type PlansView,
  unknownPlans,
} from "../../control/history/plan_view.ts";
import {
  isCalendarUnit,
  type ModelPartView,
  type ReportRowView,
  type ReportSums,
  type ReportView,
  type SourcedSums,
} from "../../control/history/report_view.ts";
import { countText, inert, percentText } from "../../control/words.ts";
import { dateText, type Zone } from "../../core/calendar.ts";
import type { Output } from "../output.ts";
import { cutInMiddle } from "../../deck/terminal/grapheme.ts";
import { type Column, tableLines } from "../table.ts";

type Named = SourcedSums & {
  readonly name: string;
  readonly planUsd?: number | null;
};

function count(of: (sums: ReportSums) => number): (sums: ReportSums) => string {
  return (sums) => countText(of(sums));
}

function columnsOf(
  view: ReportView,
  look: ReportLook,
): readonly Column<Named>[] {
  const number = true;
  const all: readonly Column<Named>[] = [
    { title: view.by, of: ({ name }) => name, cutTo: 8 },
    {
      title: "req",
      of: count(({ requests }) => requests),
      isNumber: number,
      drop: 4,
    },
    {
      title: "fail",
      of: (sums) => isAllOutside(sums) ? "?" : countText(sums.failed),
      isNumber: number,
      drop: 7,
    },
    {
      title: "in",
      of: count(({ input }) => input),
      isNumber: number,
      drop: 3,
    },
    {
      title: "read",
      of: count(({ cacheRead }) => cacheRead),
      isNumber: number,
      drop: 5,
    },
    {
      title: "✎",
      of: count((sums) => sums.cacheWrite5m + sums.cacheWrite1h),
      isNumber: number,
      drop: 6,
    },
    {
      title: "out",
      of: count(({ output }) => output),
      isNumber: number,
      drop: 2,
    },
    {
      title: "hit",
      of: ({ hitRate }) => percentText(hitRate),
      isNumber: number,
      drop: 8,
    },
    {
      title: "cold",
      of: count(({ coldRebuilds }) => coldRebuilds),
      isNumber: number,
      drop: 10,
    },
    { title: "moves", of: movesText, isNumber: number, drop: 9 },
  ];
  const source: readonly Column<Named>[] = [
    { title: "source", of: sourceText, drop: 2 },
  ];
  return [
    ...all,
    ...(look.hasCost ? moneyColumns(view) : []),
    ...(isOutside(view.total) ? source : []),
  ];
}

function moneyColumns({ plans, rows }: ReportView): readonly Column<Named>[] {
  const hasPlans = plans !== null && plans.costUsd !== null &&
    rows.some(({ planUsd }) => planUsd !== undefined);
  const plan: Column<Named> = {
    title: "plans",
    of: planText,
    isNumber: true,
    drop: 7,
  };
  return [
    { title: "worth", of: worthText, isNumber: true },
    { title: "paid", of: paidText, isNumber: true, drop: 1 },
    ...(hasPlans ? [plan] : []),
  ];
}

function isOutside({ beforeTc, notThroughTc }: SourcedSums): boolean {
  return beforeTc !== null || notThroughTc !== null;
}

/** Whether tc served nothing of it, and so knows of no failure and no move. */
function isAllOutside(sums: SourcedSums): boolean {
  const { requests, beforeTc, notThroughTc } = sums;
  return isOutside(sums) &&
    requests === (beforeTc?.requests ?? 0) + (notThroughTc?.requests ?? 0);
}

/** Returns who served the row: tc, or Claude Code by itself. */
function sourceText(
  { requests, beforeTc, notThroughTc }: SourcedSums,
): string {
  const parts = [
    { count: beforeTc?.requests ?? 0, words: "before tc" },
    { count: notThroughTc?.requests ?? 0, words: "not through tc" },
  ].filter(({ count }) => count > 0);
  return parts.length === 0
    ? "tc"
    : parts.map(({ count, words }) =>
      count === requests ? words : `${percentText(count / requests)} ${words}`
    ).join(", ");
}

/** How a report is printed. */
export interface ReportLook {
  readonly rowsMax: number;
  readonly hasCost: boolean;
  /** Cells of a line. */
  readonly width: number;
  /** Whether what its words mean is said below it; absent: yes. */
  readonly hasLegend?: boolean;
}

function movesText(sums: SourcedSums): string {
  const { switches, switchRebuild } = sums;
  if (isAllOutside(sums)) return "?";
  return switches === 0 ? "0" : `${switches} (${countText(switchRebuild)}✎)`;
}

/**
 * Returns what plans covered, at list price; a star marks a sum without the
 * responses of unpriced models.
 */
function worthText({ costUsd, worthUsd, unpriced }: ReportSums): string {
  if (costUsd === null) return "unpriced";
  const star = unpriced > 0 ? "*" : "";
  return worthUsd === null ? `–${star}` : `$${worthUsd.toFixed(2)}${star}`;
}

/** Returns what the plans cost in the row's time; a model has no plan. */
function planText({ planUsd }: Named): string {
  if (planUsd === undefined) return "";
  return planUsd === null ? "–" : `$${planUsd.toFixed(2)}`;
}

/** Returns what was really paid. */
function paidText({ paidUsd }: ReportSums): string {
  return paidUsd === null ? "–" : `$${paidUsd.toFixed(2)}`;
}

/** Returns what the report covers, in words. */
export function reportTitle(view: ReportView, zone: Zone): string {
  const since = dateText(zone.dateOf(view.since.ms));
  const until = view.until.ms >= view.at.ms
    ? "now"
    : dateText(zone.dateOf(view.until.ms - 1));
  const { weekStart = "monday" } = view;
  const week = weekStart === "monday" ? "" : ` from ${weekStart}`;
  const { project = null, session = null, machine = null } = view.only ?? {};
  const only = [
    ...project === null ? [] : [`project ${inert(project)}`],
    ...session === null ? [] : [`session ${inert(session)}`],
    ...machine === null ? [] : [inert(machine)],
  ];
  const part = only.length === 0 ? "" : `, only ${only.join(", ")}`;
  return `by ${view.by}${week}, ${since} to ${until} (${view.timeZone})${part}`;
}

export function reportLines(
  view: ReportView,
  output: Output,
  look: ReportLook,
): readonly string[] {
  const shown = shownRows(view, look);
  const rows: readonly Named[] = [
    ...shown.flatMap((row) => [
      { ...row, name: rowName(row, view) },
      ...(row.models ?? []).map((part) => ({ ...part, name: modelName(part) })),
    ]),
    { ...view.total, name: "total", planUsd: view.plans?.costUsd ?? null },
  ];
  const table = tableLines(rows, columnsOf(view, look), look.width);
  const hidden = view.rows.length - shown.length;
  return [
    output.paint("dim", table.head),
    ...(hidden > 0 && isOldestFirst(view)
      ? [`${hidden} earlier ones: --limit ${view.rows.length} or --json`]
      : []),
    ...table.rows.slice(0, -1),
    ...(hidden > 0 && !isOldestFirst(view)
      ? [`and ${hidden} more: --limit ${view.rows.length} or --json`]
      : []),
    output.paint("strong", table.rows.at(-1) ?? ""),
    ...(view.block === null ? [] : blockLines(view.block, view, look)),
    ...notes(view, look, table.dropped),
  ];
}

/** Returns the rows that are printed: of days and the like, the latest. */
function shownRows(
  view: ReportView,
  { rowsMax }: ReportLook,
): readonly ReportRowView[] {
  return isOldestFirst(view)
    ? view.rows.slice(-rowsMax)
    : view.rows.slice(0, rowsMax);
}

/** Whether rows are spans of time in their order. */
function isOldestFirst({ by, rows }: ReportView): boolean {
  const isTime = by === "block" || isCalendarUnit(by);
  return isTime && (rows[0]?.firstAt.ms ?? 0) < (rows.at(-1)?.firstAt.ms ?? 0);
}

/** Returns the running block: its use, its rate, and its estimate. */
function blockLines(
  block: BlockView,
  { timeZone }: ReportView,
  { hasCost }: ReportLook,
): readonly string[] {
  const { now, rate, estimate, note } = blockWords(block, {
    timeZone,
    hasCost,
  });
  return [
    `now      ${now}`,
    `rate     ${rate}`,
    ...estimate === null ? [] : [
      `estimate ${estimate.text}`,
      `         ${estimate.basis}`,
      note,
    ],
  ];
}

/** Longer names are cut, however wide the terminal is. */
const NAME_WIDTH_MAX = 40;

function rowName(
  row: ReportRowView,
  { by, block, timeZone }: ReportView,
): string {
  if (by === "block") {
    const at = Date.parse(row.key ?? "");
    const isNow = at === block?.startsAt.ms;
    return `${momentText(at, timeZone)}${isNow ? " now" : ""}`;
  }
  const name = row.key === null
    ? by === "account" && isOutside(row) ? "(unknown)" : "(none)"
    : by === "session"
    ? `${row.key.slice(0, 8)}${row.label === null ? "" : ` ${row.label}`}`
    : row.label ?? row.key;
  return cutInMiddle(inert(name), NAME_WIDTH_MAX);
}

/** Returns the name of a part, set in below its row. */
function modelName({ model }: ModelPartView): string {
  return `  ${cutInMiddle(inert(model ?? "(none)"), NAME_WIDTH_MAX - 2)}`;
}

/** Returns what plans cost beside what they covered, and how it is counted. */
function planLines(plans: PlansView, total: SourcedSums): readonly string[] {
  const text = plansText(plans);
  const unknown = unknownPlans(plans).map((one) => inert(one)).join(", ");
  const hint = "  tc prices plan NAME DOLLARS   states it";
  if (text === null) {
    return unknown === ""
      ? []
      : [`no price is known of the plan of ${unknown}`, hint];
  }
  return [
    text,
    ...unknown === ""
      ? []
      : [`  without ${unknown}: the plan's price is unknown`, hint],
    ...isOutside(total) ? ["  without what did not go through tc"] : [],
    `  plans cost: list prices of ${plans.pricesAsOf} or your own, by the time`,
    "  in the pool within this report, days without use as well",
  ];
}

function notes(
  { total, pricesAsOf, transcripts, plans }: ReportView,
  { hasCost, hasLegend = true }: ReportLook,
  dropped: readonly string[],
): readonly string[] {
  const hidden = dropped.length === 0
    ? []
    : [`no room for ${dropped.join(", ")}: --json has all`];
  const outside = isOutside(total)
    ? [
      "before tc, not through tc: by Claude Code's transcripts, account unknown",
      ...(hasCost
        ? ["  whether a plan paid is unknown too: it counts as worth"]
        : []),
    ]
    : [];
  const partly = transcripts?.isWhole === false
    ? ["not all transcripts are read yet: tc report   goes on"]
    : [];
  const star = !hasCost || total.unpriced === 0 || total.costUsd === null
    ? []
    : [`* without ${total.unpriced} answers of models that have no price`];
  if (!hasLegend) return [...hidden, ...star];
  if (!hasCost) return [...hidden, ...outside, ...partly];
  return [
    ...hidden,
    ...star,
    ...(plans === null ? [] : planLines(plans, total)),
    `worth: covered by plans, at list prices of ${pricesAsOf}`,
    "paid: by API keys and extra usage · ✎ written to cache",
    ...outside,
    ...partly,
  ];
}

/**
 * Prints a report as a table, under 100 columns.
 *
 * @module
 */

import type {
  ReportRowView,
  ReportSums,
  ReportView,
} from "../../control/report_view.ts";
import { countText, inert, percentText } from "../../control/words.ts";
import { dateText, type Zone } from "../../core/calendar.ts";
import type { Output } from "../output.ts";

interface Column {
  readonly title: string;
  readonly width: number;
  readonly of: (sums: ReportSums) => string;
}

const COLUMNS: readonly Column[] = [
  { title: "req", width: 7, of: ({ requests }) => countText(requests) },
  { title: "fail", width: 6, of: ({ failed }) => countText(failed) },
  { title: "in", width: 7, of: ({ input }) => countText(input) },
  { title: "read", width: 7, of: ({ cacheRead }) => countText(cacheRead) },
  {
    title: "✎",
    width: 7,
    of: (sums) => countText(sums.cacheWrite5m + sums.cacheWrite1h),
  },
  { title: "out", width: 7, of: ({ output }) => countText(output) },
  { title: "hit", width: 6, of: ({ hitRate }) => percentText(hitRate) },
  {
    title: "cold",
    width: 6,
    of: ({ coldRebuilds }) => countText(coldRebuilds),
  },
  { title: "moves", width: 12, of: movesText },
  { title: "cost", width: 12, of: costText },
];

const KEY_WIDTH_MAX = 22;

function movesText({ switches, switchRebuild }: ReportSums): string {
  return switches === 0 ? "0" : `${switches} (${countText(switchRebuild)}✎)`;
}

/**
 * Returns the cost; a star marks a sum without the responses of unpriced
 * models.
 */
function costText({ costUsd, unpriced }: ReportSums): string {
  if (costUsd === null) return "unpriced";
  return `$${costUsd.toFixed(2)}${unpriced > 0 ? "*" : ""}`;
}

/** Returns what the report covers, in words. */
export function reportTitle(view: ReportView, zone: Zone): string {
  const since = dateText(zone.dateOf(view.since.ms));
  const until = view.until.ms >= view.at.ms
    ? "now"
    : dateText(zone.dateOf(view.until.ms - 1));
  return `by ${view.by}, ${since} to ${until} (${view.timeZone})`;
}

export function reportLines(
  view: ReportView,
  output: Output,
  rowsMax: number,
): readonly string[] {
  const shown = view.rows.slice(0, rowsMax);
  const width = Math.max(
    view.by.length,
    "total".length,
    ...shown.map((row) => rowName(row, view).length),
  );
  const line = (name: string, cells: readonly string[]) =>
    `${name.padEnd(width)}${
      cells.map((cell, index) => cell.padStart(COLUMNS[index]?.width ?? 0))
        .join("")
    }`;
  const cellsOf = (sums: ReportSums) => COLUMNS.map(({ of }) => of(sums));
  const hidden = view.rows.length - shown.length;
  return [
    output.paint("dim", line(view.by, COLUMNS.map(({ title }) => title))),
    ...shown.map((row) => line(rowName(row, view), cellsOf(row))),
    ...(hidden === 0 ? [] : [`and ${hidden} more: --limit or --json`]),
    output.paint("strong", line("total", cellsOf(view.total))),
    ...notes(view),
  ];
}

function rowName(row: ReportRowView, { by }: ReportView): string {
  const name = row.key === null
    ? "(none)"
    : by === "session"
    ? `${row.key.slice(0, 8)}${row.label === null ? "" : ` ${row.label}`}`
    : row.label ?? row.key;
  return inert(name).slice(0, KEY_WIDTH_MAX);
}

function notes({ total, pricesAsOf }: ReportView): readonly string[] {
  const star = total.unpriced === 0 || total.costUsd === null
    ? []
    : [`* without ${total.unpriced} answers of models that have no price`];
  return [...star, `cost at list prices of ${pricesAsOf}; ✎ written to cache`];
}

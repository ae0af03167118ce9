/**
 * Draws a report from the ledger, for `tc report` and the page.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import {
  byPeriod,
  isCalendarUnit,
  type ReportKind,
  type ReportView,
  reportView,
} from "../control/history/report_view.ts";
import { periodStart, type Zone } from "../core/calendar.ts";
import { projectName } from "../core/route/project_route.ts";
import { grouped, type SpendRow } from "../core/usage.ts";
import {
  spendBy,
  spendByTime,
  type TimeSpan,
} from "../store/ledger/ledger_report.ts";
import { readLabels } from "../store/ledger/pool_store.ts";

/** What is reported, and over which time. */
export interface SpendQuery {
  readonly by: ReportKind;
  readonly nowMs: number;
  readonly span: TimeSpan;
  readonly zone: Zone;
  /** The date of the prices. */
  readonly pricesAsOf: string;
}

/** Returns the report; `issues` names the issue of a session, where known. */
export function spendReport(
  database: DatabaseSync,
  query: SpendQuery,
  issues: ReadonlyMap<string, string>,
): ReportView {
  const { by, nowMs, span, zone, pricesAsOf } = query;
  const labels = by === "account" ? readLabels(database) : {};
  return reportView(rowsOf(database, query, issues), {
    by,
    nowMs,
    sinceMs: span.fromMs,
    untilMs: span.untilMs,
    zone,
    pricesAsOf,
    labelOf: (key) =>
      by === "account"
        ? labels[key] ?? null
        : by === "session"
        ? issues.get(key) ?? null
        : by === "project"
        ? projectName(key)
        : null,
  });
}

function rowsOf(
  database: DatabaseSync,
  { by, span, zone }: SpendQuery,
  issues: ReadonlyMap<string, string>,
): readonly SpendRow[] {
  if (isCalendarUnit(by)) {
    return byPeriod(spendByTime(database, span), by, zone);
  }
  if (by !== "issue") return spendBy(database, by, span);
  return grouped(
    spendBy(database, "session", span),
    ({ key }) => key === null ? null : issues.get(key) ?? null,
  );
}

/**
 * Returns the start of the last `count` days, weeks or months, the current one
 * included; for other kinds of report, of days.
 */
export function lastSince(
  by: ReportKind,
  count: number,
  { untilMs, zone }: { readonly untilMs: number; readonly zone: Zone },
): number {
  const unit = isCalendarUnit(by) ? by : "day";
  let start: number = periodStart(Math.max(0, untilMs - 1), unit, zone);
  for (let more = count; more > 1; more--) {
    start = periodStart(start - 1, unit, zone);
  }
  return start;
}

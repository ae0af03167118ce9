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
import { TcError } from "../errors.ts";
import { databasePath, openDatabase } from "../store/ledger/database.ts";
import {
  historyBy,
  historyByTime,
  lastLook,
} from "../store/history/history_report.ts";
import { historyPath, openHistory } from "../store/history/history_store.ts";
import {
  ledgerSince,
  spendBy,
  spendByTime,
  THIS_MACHINE,
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

/** The databases that a report is drawn from. */
export class SpendSources implements Disposable {
  /** Null before the first request through tc. */
  readonly ledger: DatabaseSync | null;
  /** What was read from transcripts; null if there is none or it is not wanted. */
  readonly history: DatabaseSync | null;

  /** Throws TcError `no_state` if there is neither of them. */
  constructor(
    stateFolder: string,
    { hasTranscripts }: { readonly hasTranscripts: boolean },
  ) {
    const path = historyPath(stateFolder);
    this.history = hasTranscripts
      ? orNull(() => openHistory(path, "read_only"))
      : null;
    try {
      this.ledger = openLedger(stateFolder, this.history !== null);
    } catch (cause) {
      this.history?.close();
      throw cause;
    }
  }

  [Symbol.dispose](): void {
    this.ledger?.close();
    this.history?.close();
  }
}

function openLedger(
  stateFolder: string,
  mayMiss: boolean,
): DatabaseSync | null {
  const open = () => openDatabase(databasePath(stateFolder), "read_only");
  return mayMiss ? orNull(open) : open();
}

/** Returns null in place of a database that is not there. */
function orNull(open: () => DatabaseSync): DatabaseSync | null {
  try {
    return open();
  } catch (cause) {
    if (cause instanceof TcError && cause.code === "no_state") return null;
    throw cause;
  }
}

/** Returns the report; `issues` names the issue of a session, where known. */
export function spendReport(
  { ledger, history }: Pick<SpendSources, "ledger" | "history">,
  query: SpendQuery,
  issues: ReadonlyMap<string, string>,
): ReportView {
  const { by, nowMs, span, zone, pricesAsOf } = query;
  const labels = by === "account" && ledger !== null ? readLabels(ledger) : {};
  const transcripts = history === null ? null : lastLook(history);
  const tcSinceMs = ledger === null ? Infinity : ledgerSince(ledger);
  const rows = [
    ...ledger === null ? [] : ledgerRows(ledger, query),
    ...history === null || !isOfThis(span)
      ? []
      : historyRows(history, query, tcSinceMs),
  ];
  return reportView(groupedBy(rows, query, issues), {
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
    ...transcripts === null ? {} : { transcripts },
  });
}

function ledgerRows(
  ledger: DatabaseSync,
  { by, span }: SpendQuery,
): readonly SpendRow[] {
  return isCalendarUnit(by)
    ? spendByTime(ledger, span)
    : spendBy(ledger, by === "issue" ? "session" : by, span);
}

function historyRows(
  history: DatabaseSync,
  { by, span }: SpendQuery,
  tcSinceMs: number,
): readonly SpendRow[] {
  if (isCalendarUnit(by)) return historyByTime(history, { span, tcSinceMs });
  const key = by === "account" || by === "machine"
    ? null
    : by === "issue"
    ? "session"
    : by;
  const rows = historyBy(history, key, { span, tcSinceMs });
  return by === "machine"
    ? rows.map((row) => ({ ...row, key: THIS_MACHINE }))
    : rows;
}

/** Transcripts are those of this machine. */
function isOfThis({ machine }: TimeSpan): boolean {
  return machine === undefined || machine === THIS_MACHINE;
}

function groupedBy(
  rows: readonly SpendRow[],
  { by, zone }: SpendQuery,
  issues: ReadonlyMap<string, string>,
): readonly SpendRow[] {
  if (isCalendarUnit(by)) {
    const inOrder = rows.toSorted((a, b) => a.firstAt - b.firstAt);
    return byPeriod(inOrder, by, zone);
  }
  // Of what went past tc the account is not known, but when it was is.
  if (by === "account") return rows;
  if (by === "issue") {
    return grouped(
      rows,
      ({ key }) => key === null ? null : issues.get(key) ?? null,
    );
  }
  return grouped(rows, ({ key }) => key)
    .toSorted((a, b) => b.lastAt - a.lastAt);
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

/**
 * A report drawn from the state database, whether a server runs or not.
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
} from "../../control/report_view.ts";
import type { Zone } from "../../core/calendar.ts";
import { grouped, type SpendRow } from "../../core/usage.ts";
import { readPin, readRegistry } from "../../claude/sessions/orchestration.ts";
import { databasePath, openDatabase } from "../../store/ledger/database.ts";
import {
  readSessionIssues,
  spendBy,
  spendByTime,
  type TimeSpan,
  writeSessionIssues,
} from "../../store/ledger/ledger_report.ts";
import { readLabels } from "../../store/ledger/pool_store.ts";

export interface ReportQuery {
  readonly by: ReportKind;
  readonly nowMs: number;
  readonly span: TimeSpan;
  readonly zone: Zone;
  /** The date of the prices. */
  readonly pricesAsOf: string;
}

export interface ReportPlaces {
  readonly stateFolder: string;
  /** Claude Code's folder, where an orchestrator says who works on what. */
  readonly claudeFolder: string;
}

/** Throws TcError where there is no history, or one that cannot be read. */
export async function drawReport(
  query: ReportQuery,
  places: ReportPlaces,
): Promise<ReportView> {
  const path = databasePath(places.stateFolder);
  const usesIssues = query.by === "issue" || query.by === "session";
  const live = usesIssues
    ? await liveIssues(places.claudeFolder)
    : new Map<string, string>();
  const database = openDatabase(path, "read_only");
  try {
    const known = usesIssues ? readSessionIssues(database) : new Map();
    const issues = new Map<string, string>([...known, ...live]);
    remember(path, changes(known, live), query.nowMs);
    return view(database, query, issues);
  } finally {
    database.close();
  }
}

function view(
  database: DatabaseSync,
  { by, nowMs, span, zone, pricesAsOf }: ReportQuery,
  issues: ReadonlyMap<string, string>,
): ReportView {
  const labels = by === "account" ? readLabels(database) : {};
  return reportView(rowsOf(database, { by, span, zone }, issues), {
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
        : null,
  });
}

function rowsOf(
  database: DatabaseSync,
  { by, span, zone }: Pick<ReportQuery, "by" | "span" | "zone">,
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

/** The issue of each session that the orchestrator's files name now. */
async function liveIssues(
  claudeFolder: string,
): Promise<ReadonlyMap<string, string>> {
  const issues = new Map<string, string>();
  for (const row of await readRegistry(claudeFolder)) {
    const issue = row.pinnedIssue ??
      (await readPin(claudeFolder, row.sid))?.identifier ?? null;
    if (issue !== null) issues.set(row.sessionId, issue);
  }
  return issues;
}

function changes(
  known: ReadonlyMap<string, string>,
  live: ReadonlyMap<string, string>,
): ReadonlyMap<string, string> {
  return new Map(
    [...live].filter(([session, issue]) => known.get(session) !== issue),
  );
}

/** The files forget sessions that have ended; the ledger does not. */
function remember(
  path: string,
  issues: ReadonlyMap<string, string>,
  nowMs: number,
): void {
  if (issues.size === 0) return;
  try {
    const database = openDatabase(path, "read_write");
    try {
      writeSessionIssues(database, issues, nowMs);
    } finally {
      database.close();
    }
  } catch {
    // A report never fails for what it would have liked to note.
  }
}

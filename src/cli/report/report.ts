/**
 * `tc report`: what was spent, drawn from the state database, whether a server
 * runs or not.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import type { Command } from "@commander-js/extra-typings";
import { priceBook } from "../../config/config.ts";
import { systemClock, systemZone } from "../../system/clock.ts";
import { claudeFolder } from "../../claude/claude_folder.ts";
import {
  REPORT_KINDS,
  type ReportKind,
  type ReportView,
} from "../../control/history/report_view.ts";
import { type Weekday, WEEKDAYS, Zone } from "../../core/calendar.ts";
import { tablesOf } from "../../core/pricing.ts";
import { EXIT, UsageError } from "../../errors.ts";
import { inert } from "../../control/words.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { csvLines } from "../../control/history/report_csv.ts";
import { reportLines, type ReportLook, reportTitle } from "./report_text.ts";
import type { Output } from "../output.ts";
import { Shell } from "../shell.ts";
import { storedAccounts } from "../accounts/account_work.ts";
import type { PlanAccount } from "../../core/plans.ts";
import { planAccounts } from "../../store/accounts.ts";
import { readTranscripts } from "./read_transcripts.ts";
import { parseMoment } from "./time_span.ts";
import { readPin, readRegistry } from "../../claude/sessions/orchestration.ts";
import { databasePath, openDatabase } from "../../store/ledger/database.ts";
import {
  BREAKDOWN_KINDS,
  lastSince,
  type SpendQuery,
  spendReport,
  SpendSources,
} from "../../records/spend_report.ts";
import {
  machineNames,
  readSessionIssues,
  THIS_MACHINE,
  writeSessionIssues,
} from "../../store/ledger/ledger_report.ts";

interface ReportFlags {
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  readonly tz?: string | undefined;
  readonly limit?: string | undefined;
  readonly last?: string | undefined;
  readonly machine?: string | undefined;
  readonly project?: string | undefined;
  readonly session?: string | undefined;
  readonly breakdown?: boolean | undefined;
  readonly weekStart?: string | undefined;
}

const ORDERS = ["asc", "desc"] as const;

/** How far back a report goes by default. */
const SINCE: Readonly<Record<ReportKind, string>> = {
  day: "13d",
  week: "11w",
  month: "330d",
  block: "2d",
  session: "7d",
  issue: "30d",
  model: "30d",
  account: "30d",
  project: "30d",
  machine: "30d",
};

const ROWS = 40;

const TEXT: CommandText = {
  name: "report",
  group: "look",
  summary:
    "Show what was spent: tokens, cache and cost, from the ledger and transcripts",
  examples: [
    "tc report",
    "tc report week --week-start sunday",
    "tc report block",
    "tc report month --breakdown",
    "tc report day --last 3 --order desc --no-cost",
    "tc report account --since 7d",
    "tc report session --since today --json",
    "tc report day model account --json",
    "tc report issue",
    "tc report project",
    "tc report day --project my-repository",
    "tc report model --session 5f2c81aa",
    "tc report model --since 2026-11-01 --until 2026-11-15",
  ],
  schema: "tc.report/v1",
};

export function registerReport(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .argument("[by...]", REPORT_KINDS.join(", "), ["day"])
    .option("--since <time>", "Start: a date, or an age such as 7d")
    .option("--until <time>", "End; a date is included")
    .option("--tz <zone>", "Time zone of the days, for example Europe/Berlin")
    .option(
      "--machine <name>",
      "Only one machine of a shared pool: a name, this",
    )
    .option("--project <name>", "Only one repository: its name or its folder")
    .option("--session <id>", "Only one session: its id or the start of it")
    .option("--last <count>", "The last days, weeks or months; else days")
    .option("--order <order>", "Order by time: asc or desc")
    .option("--week-start <day>", "First day of weeks; monday by default")
    .option("--breakdown", "Show each row by model as well")
    .option("--limit <rows>", "Maximum number of rows")
    .option("--no-cost", "Show no money")
    .option("--csv", "Print comma-separated values, named as in --json")
    .option("--json", "Print one JSON object")
    .action(registry.run(async (kinds, options) => {
      const shell = new Shell(registry, options);
      const pricesAsOf = tablesOf(priceBook(shell.config))[0]?.asOf ?? "";
      const frame = { nowMs: systemClock.now(), pricesAsOf };
      const accounts = options.cost ? await plannedAccounts(shell) : null;
      const drawnBy = [...new Set(kinds)].map((by) => ({
        ...reportQuery(by, options, frame),
        ...accounts === null ? {} : { accounts },
      }));
      // The last three days and the last three months are meant to differ.
      const queries = options.last === undefined ? oneSpan(drawnBy) : drawnBy;
      if (options.weekStart !== undefined) refuseWithoutWeek(queries);
      const rowsMax = rowLimit(options.limit);
      const order = orderOf(options.order);
      if (options.csv && shell.output.isJson) {
        throw new UsageError("Cannot report: give --csv or --json, not both");
      }
      await readTranscripts(shell);
      const places = placesOf(shell);
      const views: ReportView[] = [];
      for (const query of queries) {
        const drawn = await drawReport(query, places);
        views.push(order === null ? drawn : ordered(drawn, order));
      }
      const { output } = shell;
      const { width } = output;
      const { cost: hasCost, breakdown: hasModels = false } = options;
      const look = { rowsMax, hasCost, hasModels, width };
      if (output.isJson) printJson(views, output);
      else if (options.csv) {
        for (const line of csvLines(views, look)) output.line(line);
      } else printTables(views, output, look);
      return EXIT.ok;
    }));
}

/**
 * Returns the queries of several sections with one span, the longest: sums of
 * different spans side by side look like a fault.
 */
function oneSpan(queries: readonly SpendQuery[]): readonly SpendQuery[] {
  const fromMs = Math.min(...queries.map(({ span }) => span.fromMs));
  return queries.map((query) => ({
    ...query,
    span: { ...query.span, fromMs },
  }));
}

/**
 * Returns the present accounts. Returns null if there is no ledger, or if an
 * account cannot be read because a keychain is locked: a report must not prompt
 * anybody to unlock it.
 */
async function plannedAccounts(
  shell: Shell,
): Promise<readonly PlanAccount[] | null> {
  try {
    // Without a ledger nothing is compared, and a vault is not made for that.
    await Deno.stat(databasePath(shell.paths.stateFolder));
    const how = { mayPrompt: false };
    const { accounts, damaged } = await storedAccounts(shell, how);
    return damaged.length === 0 ? planAccounts(accounts) : null;
  } catch {
    // A report of what was spent does not fail over what plans cost.
    return null;
  }
}

/** One report is printed as it is, several as the sections of one object. */
function printJson(views: readonly ReportView[], output: Output): void {
  const [only] = views;
  output.json(
    only !== undefined && views.length === 1
      ? only
      : { schema: "tc.report_sections/v1", sections: views },
  );
}

function printTables(
  views: readonly ReportView[],
  output: Output,
  look: ReportLook,
): void {
  // What holds for all sections is said once.
  const last = views.findLastIndex(({ rows }) => rows.length > 0);
  const isOneSpan = new Set(views.map(({ since }) => since.ms)).size === 1;
  views.forEach((view, index) => {
    if (index > 0) output.line();
    output.line(reportTitle(view, new Zone(view.timeZone)));
    if (view.rows.length === 0) {
      output.line("nothing was recorded in that time");
      return;
    }
    const hasLegend = index === last || !isOneSpan;
    for (const line of reportLines(view, output, { ...look, hasLegend })) {
      output.line(line);
    }
  });
}

function placesOf(shell: Shell): ReportPlaces {
  return {
    stateFolder: shell.paths.stateFolder,
    hasTranscripts: shell.config.settings.history.transcripts,
    claudeFolder: claudeFolder({
      environment: shell.environment,
      system: shell.system,
      userName: null,
    }).folder,
  };
}

function reportQuery(
  by: string,
  flags: ReportFlags,
  { nowMs, pricesAsOf }: Pick<SpendQuery, "nowMs" | "pricesAsOf">,
): SpendQuery {
  if (!isKind(by)) {
    throw new UsageError(
      `Cannot report by ${by}: it must be one of ${REPORT_KINDS.join(", ")}`,
      "tc report day",
    );
  }
  const zone = zoneOf(flags.tz);
  const week = flags.weekStart === undefined
    ? {}
    : { weekStart: weekdayOf(flags.weekStart) };
  const untilMs = flags.until === undefined
    ? nowMs
    : parseMoment(flags.until, { nowMs, zone, edge: "end" });
  if (flags.last !== undefined && flags.since !== undefined) {
    throw new UsageError("Cannot report: give --last or --since, not both");
  }
  const fromMs = flags.last !== undefined
    ? lastSince(by, countOf(flags.last), { untilMs, zone, ...week })
    : flags.since === undefined
    ? defaultSince(by, untilMs, zone)
    : parseMoment(flags.since, { nowMs, zone, edge: "start" });
  if (fromMs >= untilMs) {
    throw new UsageError("Cannot report: --since is not before --until");
  }
  const hasModels = flags.breakdown === true;
  if (hasModels && !BREAKDOWN_KINDS.some((kind) => kind === by)) {
    throw new UsageError(
      `Cannot show the models of each ${by}: --breakdown is for ${
        BREAKDOWN_KINDS.join(", ")
      }`,
      "tc report day --breakdown",
    );
  }
  const { project, session } = flags;
  const machine = flags.machine === "this" ? THIS_MACHINE : flags.machine;
  const filter = {
    ...machine === undefined ? {} : { machine },
    ...project === undefined ? {} : { project },
    ...session === undefined ? {} : { session },
  };
  const span = { fromMs, untilMs };
  return { by, nowMs, span, zone, pricesAsOf, hasModels, filter, ...week };
}

function countOf(text: string): number {
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new UsageError(
    `Cannot report the last ${text}: it must be a whole number from 1 to 9999`,
    "tc report day --last 3",
  );
}

/** Throws UsageError if no section of the report is by week. */
function refuseWithoutWeek(queries: readonly SpendQuery[]): void {
  if (queries.some(({ by }) => by === "week")) return;
  throw new UsageError(
    "Cannot use --week-start: it is for reports by week",
    "tc report week --week-start sunday",
  );
}

/** Returns the day that is named in full or by three letters. Throws UsageError. */
function weekdayOf(text: string): Weekday {
  const word = text.toLowerCase();
  const day = WEEKDAYS.find((one) => word === one || word === one.slice(0, 3));
  if (day !== undefined) return day;
  throw new UsageError(
    `Cannot begin weeks on ${text}: it must be one of ${WEEKDAYS.join(", ")}`,
    "tc report week --week-start sunday",
  );
}

function orderOf(text: string | undefined): typeof ORDERS[number] | null {
  if (text === undefined) return null;
  const order = ORDERS.find((known) => known === text);
  if (order !== undefined) return order;
  throw new UsageError(
    `Cannot order by ${text}: it must be asc or desc`,
    "tc report day --order desc",
  );
}

/** Returns the report with its rows in the order of time. */
function ordered(view: ReportView, order: typeof ORDERS[number]): ReportView {
  const rows = view.rows.toSorted((a, b) =>
    a.firstAt.ms - b.firstAt.ms || a.lastAt.ms - b.lastAt.ms
  );
  return { ...view, rows: order === "asc" ? rows : rows.reverse() };
}

/** Returns the default start, at the beginning of a day. */
function defaultSince(by: ReportKind, untilMs: number, zone: Zone): number {
  const frame = { nowMs: untilMs, zone, edge: "start" } as const;
  return zone.instantOf(zone.dateOf(parseMoment(SINCE[by], frame)));
}

function isKind(text: string): text is ReportKind {
  return (REPORT_KINDS as readonly string[]).includes(text);
}

function zoneOf(name: string | undefined): Zone {
  if (name === undefined || name === "local") return systemZone();
  try {
    return new Zone(name === "utc" ? "UTC" : name);
  } catch {
    throw new UsageError(
      `Cannot use the time zone ${name}: there is no such zone`,
      "For example UTC, Europe/Berlin, America/New_York",
    );
  }
}

function rowLimit(text: string | undefined): number {
  if (text === undefined) return ROWS;
  if (/^[1-9]\d{0,6}$/.test(text)) return Number(text);
  throw new UsageError(`Cannot print ${text} rows: it must be a whole number`);
}

interface ReportPlaces {
  readonly stateFolder: string;
  readonly hasTranscripts: boolean;
  /** Claude Code's folder, where an orchestrator says who works on what. */
  readonly claudeFolder: string;
}

/**
 * Draws the report. Throws TcError if there is no history or it cannot be read.
 */
async function drawReport(
  query: SpendQuery,
  places: ReportPlaces,
): Promise<ReportView> {
  const path = databasePath(places.stateFolder);
  const usesIssues = query.by === "issue" || query.by === "session";
  const live = usesIssues
    ? await liveIssues(places.claudeFolder)
    : new Map<string, string>();
  using sources = new SpendSources(places.stateFolder, places);
  const { ledger } = sources;
  if (ledger !== null) refuseUnknown(query.filter?.machine, ledger);
  const known = usesIssues && ledger !== null
    ? readSessionIssues(ledger)
    : new Map();
  const issues = new Map<string, string>([...known, ...live]);
  if (ledger !== null) remember(path, changes(known, live), query.nowMs);
  return spendReport(sources, query, issues);
}

/** Throws UsageError for a machine of which the ledger has no request. */
function refuseUnknown(
  machine: string | undefined,
  ledger: DatabaseSync,
): void {
  if (machine === undefined || machine === THIS_MACHINE) return;
  const names = machineNames(ledger);
  if (names.includes(machine)) return;
  throw new UsageError(
    `Cannot report of ${machine}: the ledger knows no request of it`,
    `Machines: ${["this", ...names].map((name) => inert(name)).join(", ")}`,
  );
}

/** Returns the issue of each session that the orchestrator's files name now. */
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

/** Stores the issues in the ledger, because the files forget ended sessions. */
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
    // A report does not fail because a note cannot be written.
  }
}

/**
 * Draws a report from the ledger, for `tc report` and the page.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import { type BlockView, blockView } from "../control/history/block_view.ts";
import {
  plansCost,
  type PlansView,
  plansView,
} from "../control/history/plan_view.ts";
import {
  byPeriod,
  isCalendarUnit,
  type ReportKind,
  type ReportView,
  reportView,
} from "../control/history/report_view.ts";
import {
  type CalendarUnit,
  periodEnd,
  periodName,
  periodStart,
  type Weekday,
  type Zone,
} from "../core/calendar.ts";
import type { PlanAccount } from "../core/plans.ts";
import { projectName } from "../core/route/project_route.ts";
import {
  BLOCK_MS,
  blockAround,
  type BlockEdges,
  blockStarts,
} from "../core/blocks.ts";
import { DAY_MS } from "../core/time.ts";
import {
  contextTokens,
  grouped,
  type PartKind,
  type PartRow,
  type SpendRow,
} from "../core/usage.ts";
import { TcError } from "../errors.ts";
import { databasePath, openDatabase } from "../store/ledger/database.ts";
import {
  historyBlockEdges,
  historyBy,
  historyByPart,
  historyByTime,
  lastLook,
} from "../store/history/history_report.ts";
import { historyPath, openHistory } from "../store/history/history_store.ts";
import {
  isPart,
  ledgerBlockEdges,
  ledgerSince,
  spendBy,
  spendByPart,
  spendByTime,
  THIS_MACHINE,
  type TimeSpan,
} from "../store/ledger/ledger_report.ts";
import { QUARTER_MS } from "../store/ledger/ledger.ts";
import { type AccountLabels, readLabels } from "../store/ledger/pool_store.ts";
import { planUses } from "./plan_costs.ts";
import { filteredSpan, type ReportFilter } from "./report_filter.ts";

/** Kinds of report whose rows can be shown by model. */
export const BREAKDOWN_KINDS = [
  "day",
  "week",
  "month",
  "block",
  "session",
  "project",
] as const satisfies readonly ReportKind[];
type BreakdownKind = typeof BREAKDOWN_KINDS[number];

/** What is reported, and over which time. */
export interface SpendQuery {
  readonly by: ReportKind;
  readonly nowMs: number;
  readonly span: TimeSpan;
  readonly zone: Zone;
  /** The day on which weeks begin; absent: monday. */
  readonly weekStart?: Weekday;
  /** The date of the prices. */
  readonly pricesAsOf: string;
  /** Whether each row has its parts by model; absent: no. */
  readonly hasModels?: boolean;
  /** The accounts of now, whose plans are compared; absent: not known. */
  readonly accounts?: readonly PlanAccount[];
  /** What the report is limited to; absent: to nothing. */
  readonly filter?: ReportFilter;
  /** What each row is split by for a chart; absent: by nothing. */
  readonly split?: PartKind;
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

/**
 * Returns the report; `issues` names the issue of a session, where known.
 * Throws UsageError for a filter that nothing in that time is of.
 */
export function spendReport(
  { ledger, history }: Pick<SpendSources, "ledger" | "history">,
  asked: SpendQuery,
  issues: ReadonlyMap<string, string>,
): ReportView {
  const { filter = {} } = asked;
  const filtered = filteredSpan({ ledger, history }, asked.span, filter);
  const query = { ...asked, span: filtered };
  const { by, nowMs, span, zone, pricesAsOf } = query;
  const labels = by === "account" || query.split === "account"
    ? accountLabels(ledger, query)
    : {};
  const transcripts = history === null ? null : lastLook(history);
  const tcSinceMs = ledger === null ? Infinity : ledgerSince(ledger);
  const drawn = (of: SpendQuery) => [
    ...ledger === null ? [] : ledgerRows(ledger, of),
    ...history === null || !isOfThis(span)
      ? []
      : historyRows(history, of, tcSinceMs),
  ];
  const rows = by === "block"
    ? byBlock(drawn, query)
    : groupedBy(drawn(query), query, issues);
  const partsBy = (part: PartKind) =>
    rowParts({ ledger, history }, query, { part, rows, tcSinceMs });
  const models = query.hasModels === true ? partsBy("model") : null;
  const parts = query.split === undefined ? null : partsBy(query.split);
  return reportView(rows, {
    by,
    nowMs,
    sinceMs: span.fromMs,
    untilMs: span.untilMs,
    zone,
    only: isPart(span)
      ? {
        project: filter.project ?? null,
        session: span.sessions?.[0] ?? null,
        machine: span.machine ?? null,
      }
      : null,
    ...query.weekStart === undefined ? {} : { weekStart: query.weekStart },
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
    ...models === null ? {} : { modelsOf: (key) => models.get(key) ?? [] },
    ...parts === null ? {} : { partsOf: (key) => parts.get(key) ?? [] },
    partLabelOf: (key) =>
      query.split === "account"
        ? labels[key] ?? null
        : query.split === "project"
        ? projectName(key)
        : null,
    block: by === "block"
      ? runningBlock(rows, { ledger, history }, query)
      : null,
    ...planParts(ledger, query),
  });
}

/** Returns the names of accounts by id: those of now, and of removed ones. */
function accountLabels(
  ledger: DatabaseSync | null,
  { accounts = [] }: SpendQuery,
): AccountLabels {
  return {
    ...ledger === null ? {} : readLabels(ledger),
    ...Object.fromEntries(accounts.map(({ id, label }) => [id, label])),
  };
}

/** Returns what a report says of plans: of their whole work, not of a part. */
function planParts(
  ledger: DatabaseSync | null,
  query: SpendQuery,
): {
  readonly plans?: PlansView;
  readonly planUsdOf?: (row: SpendRow) => number | null;
} {
  const { by, span, zone, weekStart, accounts } = query;
  // A block is five hours by the clock, whose first may begin before the span.
  const isWhole = by !== "block" && !isPart(span);
  if (ledger === null || accounts === undefined || !isWhole) return {};
  const uses = planUses(ledger, accounts, query);
  const plans = plansView(uses, zone);
  if (isCalendarUnit(by)) {
    const planUsdOf = ({ firstAt }: SpendRow) =>
      plansCost(uses, {
        fromMs: periodStart(firstAt, by, zone, weekStart),
        untilMs: periodEnd(firstAt, by, zone, weekStart),
        zone,
      });
    return { plans, planUsdOf };
  }
  if (by !== "account") return { plans };
  const costs = new Map(plans.accounts.map(({ id, costUsd }) => [id, costUsd]));
  return { plans, planUsdOf: ({ key }) => costs.get(key ?? "") ?? null };
}

/**
 * Returns the parts of the rows, the dearest first, by the key of the row.
 */
function rowParts(
  { ledger, history }: Pick<SpendSources, "ledger" | "history">,
  query: SpendQuery,
  { part, rows, tcSinceMs }: {
    readonly part: PartKind;
    readonly rows: readonly SpendRow[];
    readonly tcSinceMs: number;
  },
): ReadonlyMap<string | null, readonly PartRow[]> {
  const { by, span } = query;
  const kind = BREAKDOWN_KINDS.find((known) => known === by);
  if (kind === undefined) return new Map();
  const starts = kind === "block"
    ? rows.map(({ key }) => Date.parse(key ?? ""))
    : [];
  const key = kind === "session" || kind === "project" ? kind : "quarter";
  const of = { key, part } as const;
  const whole = {
    ...span,
    fromMs: Math.min(span.fromMs, starts[0] ?? Infinity),
  };
  const drawn = [
    ...ledger === null ? [] : spendByPart(ledger, of, whole),
    ...history === null || !isOfThis(span)
      ? []
      : historyByPart(history, of, { span: whole, tcSinceMs }),
  ];
  const byKey = Map.groupBy(drawn, (row) => partKey(row, kind, query, starts));
  return new Map([...byKey].map(([key, parts]) => [key, byPart(parts)]));
}

/** Returns the key of the row that the part belongs to. */
function partKey(
  { key, firstAt }: SpendRow,
  kind: BreakdownKind,
  { zone, weekStart }: SpendQuery,
  starts: readonly number[],
): string | null {
  if (kind === "session" || kind === "project") return key;
  if (kind !== "block") return periodName(firstAt, kind, zone, weekStart);
  const start = blockAround(firstAt, starts);
  return start === null ? null : new Date(start).toISOString();
}

function byPart(parts: readonly PartRow[]): readonly PartRow[] {
  const rows = parts.map((row) => ({ ...row, key: row.part }));
  return grouped(rows, ({ key }) => key)
    .map((row) => ({ ...row, part: row.key }))
    .toSorted((a, b) =>
      b.spend.costNano - a.spend.costNano || b.spend.output - a.spend.output
    );
}

/** A chain of blocks without a pause goes back no further. */
const CHAIN_MS_MAX = 400 * DAY_MS;

/**
 * Returns the spend by block, oldest first; the key is the block's start. Where
 * a block begins depends on those before it, so it reads back to a pause.
 */
function byBlock(
  drawn: (query: SpendQuery) => readonly SpendRow[],
  query: SpendQuery,
): readonly SpendRow[] {
  const { span } = query;
  for (let backMs = DAY_MS;; backMs *= 4) {
    const fromMs = Math.max(0, span.fromMs - backMs);
    const rows = drawn({ ...query, span: { ...span, fromMs } })
      .toSorted((a, b) => a.firstAt - b.firstAt);
    const times = rows.filter(hasTokens).map(({ firstAt }) => firstAt);
    const isSure = fromMs === 0 || backMs > CHAIN_MS_MAX ||
      hasPause(times, fromMs, span.fromMs);
    if (!isSure) continue;
    const starts = blockStarts(times)
      .filter((start) => start + BLOCK_MS > span.fromMs);
    const inBlocks = rows.filter(({ firstAt }) =>
      blockAround(firstAt, starts) !== null
    );
    return grouped(
      inBlocks,
      ({ firstAt }) =>
        new Date(blockAround(firstAt, starts) ?? 0).toISOString(),
    );
  }
}

/** A failed request begins no block. */
function hasTokens({ spend }: SpendRow): boolean {
  return contextTokens(spend) + spend.output > 0;
}

/**
 * Whether no answer came for a block's length before `untilMs`: what comes then
 * begins a block, whatever was before. The quarters of answers are compared.
 */
function hasPause(
  times: readonly number[],
  fromMs: number,
  untilMs: number,
): boolean {
  let before = fromMs;
  for (const at of [...times.filter((one) => one < untilMs), untilMs]) {
    if (at - before >= BLOCK_MS + QUARTER_MS) return true;
    before = at;
  }
  return false;
}

/** Returns the last block if it has not ended; null if none runs now. */
function runningBlock(
  rows: readonly SpendRow[],
  { ledger, history }: Pick<SpendSources, "ledger" | "history">,
  { nowMs, span }: SpendQuery,
): BlockView | null {
  const last = rows.at(-1);
  const startsAt = Date.parse(last?.key ?? "");
  // Without its last answers a block has no rate.
  const isRunning = nowMs < startsAt + BLOCK_MS && span.untilMs >= nowMs;
  if (last === undefined || !isRunning) return null;
  const within = { ...span, fromMs: startsAt, untilMs: startsAt + BLOCK_MS };
  const found = [
    ledger === null ? null : ledgerBlockEdges(ledger, within),
    history === null || !isOfThis(span)
      ? null
      : historyBlockEdges(history, within),
  ].filter((one) => one !== null);
  if (found.length === 0) return null;
  const edges: BlockEdges = {
    firstAt: Math.min(...found.map(({ firstAt }) => firstAt)),
    lastAt: Math.max(...found.map(({ lastAt }) => lastAt)),
  };
  return blockView(last.spend, { startsAt, edges, nowMs });
}

function ledgerRows(
  ledger: DatabaseSync,
  { by, span }: SpendQuery,
): readonly SpendRow[] {
  return isTimeKind(by)
    ? spendByTime(ledger, span)
    : spendBy(ledger, by === "issue" ? "session" : by, span);
}

function historyRows(
  history: DatabaseSync,
  { by, span }: SpendQuery,
  tcSinceMs: number,
): readonly SpendRow[] {
  if (isTimeKind(by)) return historyByTime(history, { span, tcSinceMs });
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

/** Whether rows are spans of time. */
function isTimeKind(by: ReportKind): by is CalendarUnit | "block" {
  return by === "block" || isCalendarUnit(by);
}

/** Transcripts are those of this machine. */
function isOfThis({ machine }: TimeSpan): boolean {
  return machine === undefined || machine === THIS_MACHINE;
}

function groupedBy(
  rows: readonly SpendRow[],
  { by, zone, weekStart }: SpendQuery,
  issues: ReadonlyMap<string, string>,
): readonly SpendRow[] {
  if (isCalendarUnit(by)) {
    const inOrder = rows.toSorted((a, b) => a.firstAt - b.firstAt);
    return byPeriod(inOrder, by, zone, weekStart);
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
  { untilMs, zone, weekStart }: {
    readonly untilMs: number;
    readonly zone: Zone;
    /** Absent: monday. */
    readonly weekStart?: Weekday;
  },
): number {
  const unit = isCalendarUnit(by) ? by : "day";
  const startOf = (at: number) => periodStart(at, unit, zone, weekStart);
  let start: number = startOf(Math.max(0, untilMs - 1));
  for (let more = count; more > 1; more--) {
    start = startOf(start - 1);
  }
  return start;
}

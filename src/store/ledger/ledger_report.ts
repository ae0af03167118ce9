/**
 * The ledger as reports read it. It works on a database that a running server
 * writes to.
 *
 * @module
 */

import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import type { BlockEdges } from "../../core/blocks.ts";
import type { PartKind, PartRow, Spend, SpendRow } from "../../core/usage.ts";
import { QUARTER_MS, SUM_COLUMNS } from "./ledger.ts";

/** Start and end in epoch milliseconds, on whole quarters of an hour. */
export interface TimeSpan {
  readonly fromMs: number;
  readonly untilMs: number;
  /** Only the requests of this machine, by its name; absent: of all. */
  readonly machine?: string;
  /** Only those of these projects, by their paths; absent: of all. */
  readonly projects?: readonly string[];
  /** Only those of these sessions; absent: of all. */
  readonly sessions?: readonly string[];
}

/** Whether a span has only a part of the work that was done in its time. */
export function isPart({ machine, projects, sessions }: TimeSpan): boolean {
  return machine !== undefined || projects !== undefined ||
    sessions !== undefined;
}

/** What reports call the machine that they are drawn on. */
export const THIS_MACHINE = "this machine";

type SpendKey = "session" | "account" | "model" | "project" | "machine";

const SUMS = SUM_COLUMNS.map((name) => `sum(${name}) AS ${name}`).join(", ");
const IN_SPAN = "quarter >= ? AND quarter < ?";

/** A part of a WHERE clause, and the values of its question marks. */
interface SqlCondition {
  /** Empty, or ` AND …`. */
  readonly and: string;
  readonly values: readonly (number | string)[];
}

/** Returns the condition of a span of sums, and its values. */
function within(
  span: TimeSpan,
): { readonly where: string; readonly values: readonly (number | string)[] } {
  const machine = machineCondition(span);
  const named = namedCondition(span);
  return {
    where: IN_SPAN + machine.and + named.and,
    values: [...timeBounds(span), ...machine.values, ...named.values],
  };
}

function machineCondition({ machine }: TimeSpan): SqlCondition {
  if (machine === undefined) return { and: "", values: [] };
  if (machine === THIS_MACHINE) return { and: " AND machine = 0", values: [] };
  return {
    and: " AND machine = (SELECT id FROM names WHERE text = ?)",
    values: [machine],
  };
}

/**
 * Returns the condition for the projects and sessions of a span, in a database
 * with a table `names`.
 */
export function namedCondition(
  { projects, sessions }: TimeSpan,
): SqlCondition {
  const columns = [["project", projects], ["session", sessions]] as const;
  const parts = columns.flatMap(([column, names]) => {
    if (names === undefined) return [];
    const marks = names.map(() => "?").join(", ");
    return [{
      and: ` AND ${column} IN (SELECT id FROM names WHERE text IN (${marks}))`,
      values: names,
    }];
  });
  return {
    and: parts.map(({ and }) => and).join(""),
    values: parts.flatMap(({ values }) => values),
  };
}

/** Returns the projects or sessions with sums in the span. */
export function namesWithin(
  database: DatabaseSync,
  table: "quarters" | "sums",
  key: "project" | "session",
  span: TimeSpan,
): readonly string[] {
  const machine = table === "quarters"
    ? machineCondition(span)
    : { and: "", values: [] };
  const rows = database.prepare(
    `SELECT names.text AS name FROM
       (SELECT DISTINCT ${key} AS id FROM ${table} WHERE ${IN_SPAN}${machine.and})
     JOIN names USING (id) ORDER BY name`,
  ).all(...timeBounds(span), ...machine.values);
  return rows.map((row) => String(row["name"]));
}

/** Returns the names of the other machines in the ledger. */
export function machineNames(database: DatabaseSync): readonly string[] {
  const rows = database.prepare(
    `SELECT DISTINCT names.text AS name FROM quarters
     JOIN names ON names.id = quarters.machine ORDER BY name`,
  ).all();
  return rows.map((row) => String(row["name"]));
}

/** Sums of an older tc have no times: then those of the quarter hold. */
const QUARTER_START = `quarter * ${QUARTER_MS}`;
const FIRST =
  `min(CASE WHEN first_at > 0 THEN first_at ELSE ${QUARTER_START} END)`;
const LAST =
  `max(CASE WHEN last_at > 0 THEN last_at ELSE ${QUARTER_START} + ${QUARTER_MS} END)`;

/** Returns the quarters of an hour in which the span begins and ends. */
export function timeBounds({ fromMs, untilMs }: TimeSpan): [number, number] {
  return [Math.floor(fromMs / QUARTER_MS), Math.ceil(untilMs / QUARTER_MS)];
}

/**
 * Returns the spend by quarter of an hour, oldest first; the key is the
 * quarter's start.
 */
export function spendByTime(
  database: DatabaseSync,
  span: TimeSpan,
): readonly SpendRow[] {
  const { where, values } = within(span);
  const rows = database.prepare(
    `SELECT quarter, ${FIRST} AS first, ${LAST} AS last, ${SUMS}
     FROM quarters WHERE ${where} GROUP BY quarter ORDER BY quarter`,
  ).all(...values);
  return rows.map((row) => {
    const startsAt = Number(row["quarter"]) * QUARTER_MS;
    return {
      key: String(startsAt),
      // An answer belongs to the quarter in which it ended.
      firstAt: Math.max(startsAt, Number(row["first"])),
      lastAt: Number(row["last"]),
      spend: spendOf(row),
    };
  });
}

/** Returns the spend by one column of the sums, latest first. */
export function spendBy(
  database: DatabaseSync,
  key: SpendKey,
  span: TimeSpan,
): readonly SpendRow[] {
  const { where, values } = within(span);
  const rows = database.prepare(
    `SELECT names.text AS key, first, last, ${SUM_COLUMNS.join(", ")}
     FROM (SELECT ${key} AS id, ${FIRST} AS first, ${LAST} AS last, ${SUMS}
           FROM quarters WHERE ${where} GROUP BY ${key})
     LEFT JOIN names USING (id) ORDER BY last DESC, requests DESC`,
  ).all(...values);
  const none = key === "machine" ? THIS_MACHINE : null;
  return rows.map((row) => ({
    key: row["key"] === null ? none : String(row["key"]),
    firstAt: Number(row["first"]),
    lastAt: Number(row["last"]),
    spend: spendOf(row),
  }));
}

/** Which parts of which rows. */
export interface PartsOf {
  readonly key: "quarter" | "session" | "project";
  readonly part: PartKind;
}

/**
 * Returns what each model, account or project cost within each quarter, session
 * or project.
 */
export function spendByPart(
  database: DatabaseSync,
  { key, part }: PartsOf,
  span: TimeSpan,
): readonly PartRow[] {
  const { where, values } = within(span);
  const rows = database.prepare(
    `SELECT sums.id, keys.text AS key, parts.text AS part, first, last,
       ${SUM_COLUMNS.join(", ")}
     FROM (SELECT ${key} AS id, ${part} AS partId, ${FIRST} AS first,
             ${LAST} AS last, ${SUMS}
           FROM quarters WHERE ${where} GROUP BY 1, 2) AS sums
     LEFT JOIN names AS keys ON keys.id = sums.id
     LEFT JOIN names AS parts ON parts.id = sums.partId ORDER BY last DESC`,
  ).all(...values);
  return rows.map((row) => {
    const startsAt = key === "quarter" ? Number(row["id"]) * QUARTER_MS : 0;
    return {
      key: key === "quarter" ? String(startsAt) : textOf(row["key"]),
      part: textOf(row["part"]),
      firstAt: Math.max(startsAt, Number(row["first"])),
      lastAt: Number(row["last"]),
      spend: spendOf(row),
    };
  });
}

function textOf(value: SQLOutputValue | undefined): string | null {
  return typeof value === "string" ? value : null;
}

function spendOf(row: Record<string, SQLOutputValue>): Spend {
  const sum = (name: typeof SUM_COLUMNS[number]) => Number(row[name] ?? 0);
  return {
    requests: sum("requests"),
    failed: sum("failed"),
    input: sum("input"),
    cacheRead: sum("cache_read"),
    cacheWrite5m: sum("cache_write_5m"),
    cacheWrite1h: sum("cache_write_1h"),
    output: sum("output"),
    costNano: sum("cost_nano"),
    unpriced: sum("unpriced"),
    coldRebuilds: sum("cold_rebuilds"),
    switches: sum("switches"),
    switchRebuild: sum("switch_rebuild"),
    waitedMs: sum("waited_ms"),
    paidNano: sum("paid_nano"),
  };
}

/**
 * Returns when the ledger begins, in epoch milliseconds on a quarter of an hour;
 * Infinity if it is empty.
 */
export function ledgerSince(database: DatabaseSync): number {
  const row = database.prepare("SELECT min(quarter) AS first FROM quarters")
    .get();
  const first = row?.["first"] ?? null;
  return first === null ? Infinity : Number(first) * QUARTER_MS;
}

/** What an account covered, in nanodollars, and when. */
export interface AccountWorth {
  readonly account: string;
  readonly firstAt: number;
  readonly lastAt: number;
  readonly costNano: number;
  /** The part of it that was really paid. */
  readonly paidNano: number;
  /** Answers without a price. */
  readonly unpriced: number;
}

/**
 * Returns what each account covered, which is less to add up than all sums of
 * {@linkcode spendBy}.
 */
export function worthByAccount(
  database: DatabaseSync,
  span: TimeSpan,
): readonly AccountWorth[] {
  const { where, values } = within(span);
  return database.prepare(
    `SELECT names.text AS account, first, last, cost, paid, unpriced
     FROM (SELECT account AS id, ${FIRST} AS first, ${LAST} AS last,
             sum(cost_nano) AS cost, sum(paid_nano) AS paid,
             sum(unpriced) AS unpriced
           FROM quarters WHERE ${where} GROUP BY account)
     JOIN names USING (id) ORDER BY last DESC`,
  ).all(...values).map((row) => ({
    account: String(row["account"]),
    firstAt: Number(row["first"]),
    lastAt: Number(row["last"]),
    costNano: Number(row["cost"]),
    paidNano: Number(row["paid"]),
    unpriced: Number(row["unpriced"]),
  }));
}

/** Whether the ledger has a request of the account from before `beforeMs`. */
export function accountSeenBefore(
  database: DatabaseSync,
  account: string,
  beforeMs: number,
): boolean {
  const row = database.prepare(
    `SELECT 1 FROM quarters
     WHERE quarter < ? AND account = (SELECT id FROM names WHERE text = ?)
     LIMIT 1`,
  ).get(Math.floor(beforeMs / QUARTER_MS), account);
  return row !== undefined;
}

/** Returns when the first and the last answer of a span ended; null if none did. */
export function ledgerBlockEdges(
  database: DatabaseSync,
  span: TimeSpan,
): BlockEdges | null {
  const { fromMs, untilMs } = span;
  // The rows of this machine have no machine in them.
  const machine = span.machine === THIS_MACHINE
    ? { and: " AND machine IS NULL", values: [] }
    : machineCondition(span);
  const named = namedCondition(span);
  const row = database.prepare(
    `SELECT min(ended_at) AS first, max(ended_at) AS last FROM requests
     WHERE ended_at >= ? AND ended_at < ? AND input IS NOT NULL
     ${machine.and}${named.and}`,
  ).get(fromMs, untilMs, ...machine.values, ...named.values);
  const first = row?.["first"] ?? null;
  return first === null
    ? null
    : { firstAt: Number(first), lastAt: Number(row?.["last"]) };
}

/** Returns what was paid from `fromMs` on, in nanodollars, by account id. */
export function paidSince(
  database: DatabaseSync,
  fromMs: number,
): ReadonlyMap<string, number> {
  const rows = database.prepare(
    `SELECT names.text AS account, sum(paid_nano) AS nano FROM quarters
     JOIN names ON names.id = quarters.account
     WHERE quarter >= ? AND paid_nano > 0 GROUP BY quarters.account`,
  ).all(Math.floor(fromMs / QUARTER_MS));
  return new Map(
    rows.map((row) => [String(row["account"]), Number(row["nano"])]),
  );
}

/** Returns the issue of each session for which one was ever seen. */
export function readSessionIssues(
  database: DatabaseSync,
): ReadonlyMap<string, string> {
  const rows = database.prepare("SELECT session, issue FROM session_issues")
    .all();
  return new Map(
    rows.map((row) => [String(row["session"]), String(row["issue"])]),
  );
}

/** Stores the issues of sessions; a newer statement wins. */
export function writeSessionIssues(
  database: DatabaseSync,
  issues: ReadonlyMap<string, string>,
  atMs: number,
): void {
  const put = database.prepare(
    "INSERT OR REPLACE INTO session_issues (session, issue, seen_at) VALUES (?, ?, ?)",
  );
  for (const [session, issue] of issues) put.run(session, issue, atMs);
}

/**
 * What was read from transcripts, as reports and replays use it. It is what the
 * ledger does not have: from before tc, or sent past it.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import type { BlockEdges } from "../../core/blocks.ts";
import type { TranscriptAnswer } from "../../core/transcript.ts";
import {
  NO_SPEND,
  type OutsideSource,
  type PartRow,
  type Spend,
  type SpendRow,
} from "../../core/usage.ts";
import { QUARTER_MS } from "../ledger/ledger.ts";
import {
  namedCondition,
  type PartsOf,
  timeBounds,
  type TimeSpan,
} from "../ledger/ledger_report.ts";
import { answerOf, readNames } from "./history_store.ts";

const SUMS = `sum(requests) AS requests, sum(input) AS input,
  sum(cache_read) AS cacheRead, sum(cache_write_5m) AS cacheWrite5m,
  sum(cache_write_1h) AS cacheWrite1h, sum(output) AS output,
  sum(cost_nano) AS costNano, sum(unpriced) AS unpriced,
  sum(cold_rebuilds) AS coldRebuilds,
  min(first_at) AS first, max(last_at) AS last`;

interface HistoryQuery {
  readonly span: TimeSpan;
  /** When the ledger begins, in epoch milliseconds; Infinity if it is empty. */
  readonly tcSinceMs: number;
}

/** Returns the spend by quarter of an hour, oldest first. */
export function historyByTime(
  database: DatabaseSync,
  { span, tcSinceMs }: HistoryQuery,
): readonly SpendRow[] {
  const named = namedCondition(span);
  return database.prepare(
    `SELECT quarter, ${SUMS} FROM sums
     WHERE quarter >= ? AND quarter < ?${named.and}
     GROUP BY quarter ORDER BY quarter`,
  ).all(...timeBounds(span), ...named.values).map((row) => {
    const startsAt = Number(row["quarter"]) * QUARTER_MS;
    const spend = spendOf(row);
    return {
      key: String(startsAt),
      firstAt: Math.max(startsAt, Number(row["first"])),
      lastAt: Number(row["last"]),
      spend,
      outside: { [sourceOf(startsAt, tcSinceMs)]: spend },
    };
  });
}

/**
 * Returns the spend by session, model or project, and before tc apart from
 * later; for `null`, all of it.
 */
export function historyBy(
  database: DatabaseSync,
  key: "session" | "model" | "project" | null,
  { span, tcSinceMs }: HistoryQuery,
): readonly SpendRow[] {
  const named = namedCondition(span);
  return database.prepare(
    `SELECT names.text AS key, isBefore, ${SUM_NAMES} FROM
       (SELECT ${key ?? "0"} AS id, quarter < ? AS isBefore, ${SUMS}
        FROM sums WHERE quarter >= ? AND quarter < ?${named.and} GROUP BY 1, 2)
     LEFT JOIN names USING (id) ORDER BY last DESC`,
  ).all(
    firstQuarter(tcSinceMs),
    ...timeBounds(span),
    ...named.values,
  ).map((row) => {
    const spend = spendOf(row);
    const source = row["isBefore"] === 1 ? "before_tc" : "not_through_tc";
    return {
      key: row["key"] === null ? null : String(row["key"]),
      firstAt: Number(row["first"]),
      lastAt: Number(row["last"]),
      spend,
      outside: { [source]: spend },
    };
  });
}

/**
 * Returns what each model or project cost within each quarter, session or
 * project; the account of all of it is unknown.
 */
export function historyByPart(
  database: DatabaseSync,
  { key, part }: PartsOf,
  { span, tcSinceMs }: HistoryQuery,
): readonly PartRow[] {
  const named = namedCondition(span);
  return database.prepare(
    `SELECT sums.id, keys.text AS key, parts.text AS part, isBefore,
       ${SUM_NAMES} FROM
       (SELECT ${key} AS id, ${part === "account" ? 0 : part} AS partId,
          quarter < ? AS isBefore, ${SUMS}
        FROM sums WHERE quarter >= ? AND quarter < ?${named.and}
        GROUP BY 1, 2, 3) AS sums
     LEFT JOIN names AS keys ON keys.id = sums.id
     LEFT JOIN names AS parts ON parts.id = sums.partId ORDER BY last DESC`,
  ).all(
    firstQuarter(tcSinceMs),
    ...timeBounds(span),
    ...named.values,
  ).map((row) => {
    const startsAt = key === "quarter" ? Number(row["id"]) * QUARTER_MS : 0;
    const spend = spendOf(row);
    const source = row["isBefore"] === 1 ? "before_tc" : "not_through_tc";
    return {
      key: key === "quarter" ? String(startsAt) : textOf(row["key"]),
      part: textOf(row["part"]),
      firstAt: Math.max(startsAt, Number(row["first"])),
      lastAt: Number(row["last"]),
      spend,
      outside: { [source]: spend },
    };
  });
}

function textOf(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

/** Returns the quarter of an hour in which the ledger begins. */
function firstQuarter(tcSinceMs: number): number {
  return Number.isFinite(tcSinceMs)
    ? Math.floor(tcSinceMs / QUARTER_MS)
    : Number.MAX_SAFE_INTEGER;
}

const COUNTS = [
  "requests",
  "input",
  "cacheRead",
  "cacheWrite5m",
  "cacheWrite1h",
  "output",
  "costNano",
  "unpriced",
  "coldRebuilds",
] as const;
const SUM_NAMES = [...COUNTS, "first", "last"].join(", ");

function spendOf(row: Readonly<Record<string, unknown>>): Spend {
  return {
    ...NO_SPEND,
    ...Object.fromEntries(
      COUNTS.map((name) => [name, Number(row[name] ?? 0)]),
    ),
  };
}

function sourceOf(at: number, tcSinceMs: number): OutsideSource {
  return at + QUARTER_MS <= tcSinceMs || !Number.isFinite(tcSinceMs)
    ? "before_tc"
    : "not_through_tc";
}

/** Returns when the first and the last answer past tc came; null if none did. */
export function historyBlockEdges(
  database: DatabaseSync,
  span: TimeSpan,
): BlockEdges | null {
  const named = namedCondition(span);
  const row = database.prepare(
    `SELECT min(at) AS first, max(at) AS last FROM answers
     WHERE quarter >= ? AND quarter < ? AND is_through_tc = 0${named.and}`,
  ).get(...timeBounds(span), ...named.values);
  const first = row?.["first"] ?? null;
  return first === null
    ? null
    : { firstAt: Number(first), lastAt: Number(row?.["last"]) };
}

/** Returns when the transcripts were last looked at; null if never. */
export function lastLook(
  database: DatabaseSync,
): { readonly at: number; readonly isWhole: boolean } | null {
  const row = database.prepare("SELECT at, is_whole FROM looks").get();
  return row === undefined
    ? null
    : { at: Number(row["at"]), isWhole: row["is_whole"] === 1 };
}

/** Returns the answers since `fromMs` that tc did not serve, by their time. */
export function answersSince(
  database: DatabaseSync,
  fromMs: number,
): readonly TranscriptAnswer[] {
  const names = readNames(database);
  return database.prepare(
    `SELECT * FROM answers WHERE quarter >= ? AND is_through_tc = 0
     ORDER BY started_at`,
  ).all(Math.floor(fromMs / QUARTER_MS)).map((row) => answerOf(row, names));
}

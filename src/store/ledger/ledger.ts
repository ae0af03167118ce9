/**
 * The ledger: one row per finished request, and the sums behind reports. It
 * never holds prompt text.
 *
 * @module
 */

import type { DatabaseSync, StatementSync } from "node:sqlite";
import { cacheAccount, NO_CACHE_USE, NO_USAGE } from "../../core/usage.ts";
import type { PriceTerms } from "../../core/pricing.ts";
import { DAY_MS, type Instant } from "../../core/time.ts";
import type { RequestRecord } from "../../ports.ts";
import { isRefused, transaction } from "./database.ts";

/**
 * The provider's last statement about an account's two windows; null is
 * unknown.
 */
export interface SpentWindows {
  readonly fiveHour: number | null;
  readonly fiveHourResetsAt: Instant | null;
  readonly week: number | null;
  readonly weekResetsAt: Instant | null;
}

export const NOTHING_SPENT: SpentWindows = {
  fiveHour: null,
  fiveHourResetsAt: null,
  week: null,
  weekResetsAt: null,
};

export interface LedgerEntry {
  readonly record: RequestRecord;
  /** Nanodollars at list price; null is unpriced. */
  readonly costNano: number | null;
  /** The account's windows after the answer. */
  readonly windows: SpentWindows;
  /** The name of the machine that served it; absent for this one. */
  readonly machine?: string;
}

/** An entry with its number among this machine's rows. */
export interface OwnEntry {
  readonly sequence: number;
  readonly entry: LedgerEntry;
}

/**
 * Sums cover a quarter of an hour, because in every time zone a day begins on
 * one.
 */
export const QUARTER_MS = 900_000;

const ROW_COLUMNS = [
  "id",
  "started_at",
  "ended_at",
  "method",
  "path",
  "session",
  "agent",
  "conversation",
  "model_asked",
  "model_answered",
  "is_stream",
  "is_prompt",
  "is_side",
  "is_compaction",
  "is_compacted",
  "account",
  "reason",
  "moved_from",
  "policy",
  "attempts",
  "status",
  "waited_ms",
  "first_byte_ms",
  "duration_ms",
  "input",
  "cache_read",
  "cache_write_5m",
  "cache_write_1h",
  "output",
  "stop_reason",
  "ended",
  "error_type",
  "cost_nano",
  "spent_5h",
  "resets_5h",
  "spent_7d",
  "resets_7d",
  "is_paid",
  "terms",
  "web_searches",
  "provider_id",
  "project",
  "machine",
] as const;

/** Columns that hold the number of a text in `names`. */
export const NAME_COLUMNS = [
  "method",
  "path",
  "session",
  "agent",
  "conversation",
  "model_asked",
  "model_answered",
  "account",
  "reason",
  "moved_from",
  "policy",
  "stop_reason",
  "ended",
  "error_type",
  "project",
] as const satisfies readonly (typeof ROW_COLUMNS[number])[];

const KEY_COLUMNS = [
  "quarter",
  "session",
  "account",
  "model",
  "project",
  "machine",
] as const;

export const SUM_COLUMNS = [
  "requests",
  "failed",
  "input",
  "cache_read",
  "cache_write_5m",
  "cache_write_1h",
  "output",
  "cost_nano",
  "unpriced",
  "cold_rebuilds",
  "switches",
  "switch_rebuild",
  "waited_ms",
  "paid_nano",
] as const;

type Value = string | number | null;

function places(columns: readonly string[]): string {
  return columns.map(() => "?").join(", ");
}

const INSERT_ROW = `INSERT INTO requests (${ROW_COLUMNS.join(", ")}) VALUES (${
  places(ROW_COLUMNS)
})`;

const TIME_COLUMNS = ["first_at", "last_at"] as const;
const QUARTER_COLUMNS = [...KEY_COLUMNS, ...SUM_COLUMNS, ...TIME_COLUMNS];

const ADD_SUMS = `INSERT INTO quarters (${QUARTER_COLUMNS.join(", ")})
VALUES (${places(QUARTER_COLUMNS)})
ON CONFLICT (${KEY_COLUMNS.join(", ")}) DO UPDATE SET ${
  SUM_COLUMNS.map((name) => `${name} = ${name} + excluded.${name}`).join(", ")
}, first_at = min(first_at, excluded.first_at),
   last_at = max(last_at, excluded.last_at)`;

/** What a batch adds to one row of `quarters`. */
interface QuarterSum {
  readonly key: readonly number[];
  readonly sums: number[];
  firstAt: number;
  lastAt: number;
}

export class Ledger {
  readonly #database: DatabaseSync;
  readonly #insertRow: StatementSync;
  readonly #addSums: StatementSync;
  readonly #names: LedgerNames;
  /** Ids of the last batch, because a caller that is unsure writes it again. */
  #written: ReadonlySet<string> = new Set();

  constructor(database: DatabaseSync) {
    this.#database = database;
    this.#insertRow = database.prepare(INSERT_ROW);
    this.#addSums = database.prepare(ADD_SUMS);
    this.#names = new LedgerNames(database);
  }

  /**
   * Writes all of `entries` or none, except those with a value that cannot be
   * stored, and returns how many were written. Entries of the last batch,
   * recognised by request id, are not written or counted again. `written` is
   * told of the rows once they are in the file.
   */
  write(
    entries: readonly LedgerEntry[],
    written: (rows: readonly OwnEntry[]) => void = () => {},
  ): number {
    const fresh = entries.filter(({ record }) => !this.#written.has(record.id));
    if (fresh.length === 0) return 0;
    try {
      const rows = transaction(this.#database, () => {
        const kept = fresh.flatMap((entry): OwnEntry[] => {
          const sequence = this.#insert(entry);
          return sequence === null ? [] : [{ sequence, entry }];
        });
        this.#addUp(kept.map(({ entry }) => entry));
        return kept;
      });
      this.#written = new Set(fresh.map(({ record }) => record.id));
      written(rows);
      return fresh.length - rows.length;
    } catch (cause) {
      // The remembered names may have been rolled back.
      this.#names.forget();
      throw cause;
    }
  }

  /**
   * Writes entries of another machine, and with them, in the same transaction,
   * how far that machine's rows were taken.
   */
  take(entries: readonly LedgerEntry[], note: () => void): void {
    try {
      transaction(this.#database, () => {
        this.#addUp(entries.filter((entry) => this.#insert(entry) !== null));
        note();
      });
    } catch (cause) {
      this.#names.forget();
      throw cause;
    }
  }

  /** Returns the number of the entry's row; null if it cannot be stored. */
  #insert(entry: LedgerEntry): number | null {
    let sequence: number | null = null;
    isStored(() => {
      const { lastInsertRowid } = this.#insertRow.run(...this.#rowOf(entry));
      sequence = Number(lastInsertRowid);
    });
    return sequence;
  }

  /** Adds one statement per key of the batch, not per request. */
  #addUp(entries: readonly LedgerEntry[]): void {
    const sums = new Map<string, QuarterSum>();
    for (const entry of entries) {
      const { record } = entry;
      if (!isMessage(record)) continue;
      const key = this.#keyOf(entry);
      const name = key.join("/");
      const known = sums.get(name);
      if (known === undefined) {
        sums.set(name, {
          key,
          sums: sumsOf(entry),
          firstAt: record.startedAt,
          lastAt: record.endedAt,
        });
        continue;
      }
      sumsOf(entry).forEach((value, index) => {
        known.sums[index] = (known.sums[index] ?? 0) + value;
      });
      known.firstAt = Math.min(known.firstAt, record.startedAt);
      known.lastAt = Math.max(known.lastAt, record.endedAt);
    }
    for (const { key, sums: values, firstAt, lastAt } of sums.values()) {
      // A sum beyond the largest number stays as it is; the rows have the
      // figures.
      isStored(() => this.#addSums.run(...key, ...values, firstAt, lastAt));
    }
  }

  #rowOf({ record, costNano, windows, machine }: LedgerEntry): Value[] {
    const at = record.endedAt;
    const name = (text: string) => this.#names.idOf(text, at);
    const nameOrNull = (text: string | null) =>
      text === null ? null : name(text);
    const { usage } = record;
    return [
      record.id,
      record.startedAt,
      record.endedAt,
      name(record.method),
      name(record.path),
      nameOrNull(record.session),
      nameOrNull(record.agent),
      nameOrNull(record.conversation),
      nameOrNull(record.modelAsked),
      nameOrNull(record.modelAnswered),
      Number(record.isStream),
      Number(record.isPrompt),
      Number(record.isSide),
      Number(record.isCompaction),
      Number(record.isCompacted),
      nameOrNull(record.accountId),
      name(record.reason),
      nameOrNull(record.movedFrom),
      name(record.policy),
      attemptsText(record),
      record.status,
      Math.round(record.waitedMs),
      record.firstByteMs === null ? null : Math.round(record.firstByteMs),
      Math.round(record.durationMs),
      usage?.input ?? null,
      usage?.cacheRead ?? null,
      usage?.cacheWrite5m ?? null,
      usage?.cacheWrite1h ?? null,
      usage?.output ?? null,
      nameOrNull(record.stopReason),
      name(record.end),
      nameOrNull(record.errorType),
      costNano,
      windows.fiveHour,
      windows.fiveHourResetsAt,
      windows.week,
      windows.weekResetsAt,
      Number(record.isPaid),
      termsNumber(record.terms),
      record.terms.webSearches,
      record.providerId?.slice(0, TEXT_LENGTH_MAX) ?? null,
      nameOrNull(record.project),
      nameOrNull(machine ?? null),
    ];
  }

  #keyOf({ record, machine }: LedgerEntry): number[] {
    const at = record.endedAt;
    const idOrZero = (text: string | null) =>
      text === null ? 0 : this.#names.idOf(text, at);
    return [
      Math.floor(at / QUARTER_MS),
      idOrZero(record.session),
      idOrZero(record.accountId),
      idOrZero(record.modelAnswered ?? record.modelAsked),
      idOrZero(record.project),
      idOrZero(machine ?? null),
    ];
  }
}

/**
 * Returns whether a statement accepted its values; the transaction goes on
 * either way.
 */
function isStored(run: () => unknown): boolean {
  try {
    run();
    return true;
  } catch (cause) {
    if (!isRefused(cause)) throw cause;
    return false;
  }
}

/** Reports count messages, because token counts and telemetry cost nothing. */
export function isMessage({ path }: { readonly path: string }): boolean {
  return path.endsWith("/v1/messages");
}

/** Returns null in the common case of one served try. */
function attemptsText({ attempts }: RequestRecord): string | null {
  if (attempts.length === 1 && attempts[0]?.verdict === "served") return null;
  return JSON.stringify(
    attempts.map(({ accountId, verdict, status }) => [
      accountId,
      verdict,
      status,
    ]),
  );
}

function sumsOf({ record, costNano }: LedgerEntry): number[] {
  const usage = record.usage ?? NO_USAGE;
  const cache = record.usage === null
    ? NO_CACHE_USE
    : cacheAccount(record.usage, { isSwitch: record.movedFrom !== null });
  const isFailed = record.status >= 400 || record.end === "upstream_failed" ||
    record.end === "refused";
  return [
    1,
    Number(isFailed),
    usage.input,
    usage.cacheRead,
    usage.cacheWrite5m,
    usage.cacheWrite1h,
    usage.output,
    costNano ?? 0,
    Number(costNano === null && record.usage !== null),
    cache.coldRebuilds,
    cache.switches,
    cache.switchRebuild,
    Math.round(record.waitedMs),
    record.isPaid ? costNano ?? 0 : 0,
  ];
}

/** One bit for each of the terms that change the price. */
const TERM_BITS = { isFast: 1, isBatch: 2, isUs: 4 } as const;

/** Returns the terms as a number for a row. */
export function termsNumber({ isFast, isBatch, isUs }: PriceTerms): number {
  return (isFast ? TERM_BITS.isFast : 0) + (isBatch ? TERM_BITS.isBatch : 0) +
    (isUs ? TERM_BITS.isUs : 0);
}

/** Returns the terms that a row states. */
export function termsOf(bits: number, webSearches: number): PriceTerms {
  return {
    isFast: (bits & TERM_BITS.isFast) > 0,
    isBatch: (bits & TERM_BITS.isBatch) > 0,
    isUs: (bits & TERM_BITS.isUs) > 0,
    webSearches,
  };
}

/** Most names remembered in memory; beyond it all are looked up again. */
const KNOWN_MAX = 20_000;

/** Longest stored text. Texts come from clients; longer ones are cut. */
const TEXT_LENGTH_MAX = 512;

interface Known {
  readonly id: number;
  /** When it was last marked as seen. */
  readonly markedAt: number;
}

class LedgerNames {
  readonly #put: StatementSync;
  readonly #find: StatementSync;
  readonly #known = new Map<string, Known>();

  constructor(database: DatabaseSync) {
    this.#put = database.prepare(
      "INSERT INTO names (text, seen_at) VALUES (?, ?) ON CONFLICT (text) DO UPDATE SET seen_at = max(seen_at, excluded.seen_at)",
    );
    this.#find = database.prepare("SELECT id FROM names WHERE text = ?");
  }

  /** Returns the number of `text`, marked as seen at `at`. */
  idOf(whole: string, at: number): number {
    const text = whole.slice(0, TEXT_LENGTH_MAX);
    const known = this.#known.get(text);
    if (known !== undefined && at < known.markedAt + DAY_MS) return known.id;
    this.#put.run(text, at);
    const id = Number(this.#find.get(text)?.["id"]);
    if (this.#known.size >= KNOWN_MAX) this.#known.clear();
    this.#known.set(text, { id, markedAt: at });
    return id;
  }

  /** Forgets all names after a transaction that failed. */
  forget(): void {
    this.#known.clear();
  }
}

/**
 * Recorded requests as a workload: what people and agents wanted, whoever
 * served it. A pause is the time between an answer and the next request; how
 * people would have worked with shorter waits is unknown.
 *
 * @module
 */

import { modelFamily } from "../../core/account.ts";
import { type Instant, instantFromMs } from "../../core/time.ts";
import { contextTokens } from "../../core/usage.ts";
import {
  type HistoryRow,
  UNKNOWN_ACCOUNT,
} from "../../store/ledger/ledger_history.ts";
import {
  fitted,
  type FittedAccount,
  type HistoryAccount,
  recordedCost,
} from "./history_fit.ts";
import { plan } from "./plans.ts";
import {
  HEAD_MS,
  type PlannedAccount,
  type PlannedRequest,
  type PlannedSession,
  type Workload,
} from "./workload.ts";

interface HistoryWish {
  readonly accounts: readonly HistoryAccount[];
  readonly cacheReadWeight: number;
  /** A cache life other than the recorded one, or null. */
  readonly cacheTtlMs: number | null;
}

export interface History {
  readonly workload: Workload;
  readonly fits: readonly FittedAccount[];
  readonly policy: string;
  readonly requests: number;
  /** Recorded quota tokens of requests whose account is not known. */
  readonly unknownTokens: number;
}

const HOUR_MS = 3_600_000;
const SHORT_TTL_MS = 300_000;
/** A turn has at least two blocks: the answer before it, and what was said. */
const CACHE_TURNS_BACK = 9;
/** Time that the last conversation still gets after its last answer. */
const TAIL_MS = HOUR_MS;

/**
 * Returns the workload of `rows`, which must not be empty and are sorted by
 * start.
 */
export function historyOf(
  rows: readonly HistoryRow[],
  wish: HistoryWish,
): History {
  const startsAt = instantFromMs(
    rows.reduce((first, row) => Math.min(first, row.askedAt), Infinity),
  );
  const endsAt = instantFromMs(
    rows.reduce<number>((last, row) => Math.max(last, row.endedAt), startsAt) +
      TAIL_MS,
  );
  const recordedTtlMs = ttlOf(rows);
  const unit = {
    cacheReadWeight: wish.cacheReadWeight,
    cacheTtlMs: recordedTtlMs,
  };
  const fits = wish.accounts.map((account) =>
    fitted(account, rows.filter((row) => row.account === account.id), unit)
  );
  const workload: Workload = {
    name: "history",
    startsAt,
    endsAt,
    accounts: fits.map((fit) => plannedAccount(fit, startsAt)),
    sessions: [...Map.groupBy(rows, (row) => row.conversation)]
      .map(([id, own]) => sessionOf(id, own)),
    cacheTtlMs: wish.cacheTtlMs ?? recordedTtlMs,
    cacheReadWeight: wish.cacheReadWeight,
    cacheTurnsBack: CACHE_TURNS_BACK,
    headMs: headMs(rows),
    sharedTokens: sharedTokens(rows),
    storms: [],
    isKnown: true,
    pollMs: null,
    speaksLimits: true,
  };
  return {
    workload,
    fits,
    policy: mostUsed(rows),
    requests: rows.length,
    unknownTokens: rows.reduce(
      (sum, row) =>
        row.account === UNKNOWN_ACCOUNT ? sum + recordedCost(row, unit) : sum,
      0,
    ),
  };
}

/**
 * The kind with the most written tokens decides, because one request may hold
 * both.
 */
function ttlOf(rows: readonly HistoryRow[]): number {
  let long = 0;
  let short = 0;
  for (const { usage } of rows) {
    long += usage.cacheWrite1h;
    short += usage.cacheWrite5m;
  }
  return long > short ? HOUR_MS : SHORT_TTL_MS;
}

/** Returns how long most answers took to begin that nothing held up. */
function headMs(rows: readonly HistoryRow[]): number {
  const times = rows.flatMap(({ firstByteMs, waitedMs, isSide }) =>
    firstByteMs === null || waitedMs > 0 || isSide ? [] : [firstByteMs]
  );
  times.sort((a, b) => a - b);
  return times[Math.floor(times.length / 2)] ?? HEAD_MS;
}

/** Returns what most new conversations read from the cache at once. */
function sharedTokens(rows: readonly HistoryRow[]): number {
  const seen = new Set<string>();
  const reads: number[] = [];
  for (const row of rows) {
    if (row.isSide || seen.has(row.conversation)) continue;
    seen.add(row.conversation);
    if (row.usage.cacheRead > 0) reads.push(row.usage.cacheRead);
  }
  reads.sort((a, b) => a - b);
  return reads[Math.floor(reads.length / 2)] ?? 0;
}

function mostUsed(rows: readonly HistoryRow[]): string {
  const ours = rows.filter(({ policy }) => policy !== "");
  const groups = [...Map.groupBy(ours, ({ policy }) => policy)];
  groups.sort(([, a], [, b]) => b.length - a.length);
  return groups[0]?.[0] ?? "";
}

function sessionOf(id: string, rows: readonly HistoryRow[]): PlannedSession {
  const startsAt = instantFromMs(rows[0]?.askedAt ?? 0);
  const requests: PlannedRequest[] = [];
  let cursor: number = startsAt;
  for (const row of rows) {
    requests.push(plannedRequest(row, Math.max(0, row.askedAt - cursor)));
    // The conversation goes on beside a side request.
    cursor = row.isSide ? row.askedAt : row.endedAt;
  }
  return { id, startsAt, deadline: null, requests };
}

function plannedRequest(row: HistoryRow, gapMs: number): PlannedRequest {
  return {
    gapMs,
    contextTokens: contextTokens(row.usage),
    outputTokens: row.usage.output,
    durationMs: Math.max(1, row.endedAt - row.startedAt - row.waitedMs),
    family: modelFamily(row.model),
    isPrompt: row.isPrompt,
    isCompacted: row.isCompacted,
    isSide: row.isSide,
    agents: [],
  };
}

const WEEK_HOURS = 168;

function plannedAccount(
  { account, fiveHourTokens, weekTokens, first }: FittedAccount,
  startsAt: Instant,
): PlannedAccount {
  const usual = plan(account.label, account.tier, { weekEndsIn: WEEK_HOURS });
  const isWeekOn = first.resets7d !== null && first.resets7d > startsAt;
  return {
    ...usual,
    kind: account.kind,
    fiveHourTokens: fiveHourTokens ?? usual.fiveHourTokens,
    weekTokens: weekTokens ?? usual.weekTokens,
    fiveHourUsed: first.spent5h ?? 0,
    fiveHourResetsAt: first.resets5h !== null && first.resets5h > startsAt
      ? instantFromMs(first.resets5h)
      : null,
    weekUsed: isWeekOn ? first.spent7d ?? 0 : 0,
    weekResetsAt: instantFromMs(
      isWeekOn ? first.resets7d ?? startsAt : startsAt + WEEK_HOURS * HOUR_MS,
    ),
  };
}

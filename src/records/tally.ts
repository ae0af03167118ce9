/**
 * Sums of what was asked of the server since it started: per session, per
 * account and for the whole pool. Bounded; the Deck and `tc status` show them.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import type { Instant } from "../core/time.ts";
import { costNanodollars, type PriceBook } from "../core/pricing.ts";
import { cacheWritten } from "../core/usage.ts";
import type { ErrorMark, UsageSum } from "../control/status_view.ts";
import type { RequestRecord } from "../ports.ts";

/** Sessions beyond these are forgotten, the longest unused first. */
const SESSIONS_MAX = 2_000;

const EMPTY: UsageSum = {
  requests: 0,
  input: 0,
  cacheRead: 0,
  cacheWrite: 0,
  output: 0,
  rebuilds: 0,
  costNano: null,
};

export interface SessionTally {
  readonly session: string;
  readonly accountId: AccountId | null;
  readonly usage: UsageSum;
  readonly firstSeenAt: Instant;
  readonly lastUsedAt: Instant;
  readonly lastError: ErrorMark | null;
}

export interface AccountTally {
  readonly usage: UsageSum;
  readonly lastError: ErrorMark | null;
}

interface AccountCell {
  usage: UsageSum;
  lastError: ErrorMark | null;
}

export class Tally {
  readonly startedAt: Instant;
  readonly #sessions = new Map<string, SessionTally>();
  readonly #accounts = new Map<AccountId, AccountCell>();
  #pool: UsageSum = EMPTY;
  #prices: PriceBook;

  constructor(startedAt: Instant, prices: PriceBook) {
    this.startedAt = startedAt;
    this.#prices = prices;
  }

  /** For what comes from here on; what was booked keeps its price. */
  usePrices(prices: PriceBook): void {
    this.#prices = prices;
  }

  get pool(): UsageSum {
    return this.#pool;
  }

  /** Sessions, the one used last first. */
  sessions(): readonly SessionTally[] {
    return [...this.#sessions.values()].reverse();
  }

  account(id: AccountId): AccountTally {
    const cell = this.#accounts.get(id);
    if (cell === undefined) {
      return { usage: EMPTY, lastError: null };
    }
    return {
      usage: cell.usage,
      lastError: cell.lastError,
    };
  }

  /** Books one request that has ended. */
  add(record: RequestRecord): void {
    const part = partOf(record, this.#prices);
    this.#pool = plus(this.#pool, part);
    this.#addToAccounts(record, part);
    if (record.session === null) return;
    this.#addToSession(record, record.session, part);
  }

  #addToSession(record: RequestRecord, session: string, part: UsageSum): void {
    const known = this.#sessions.get(session);
    // Taken out and put back, so that the map stays in the order of use.
    this.#sessions.delete(session);
    this.#sessions.set(session, {
      session,
      accountId: record.accountId ?? known?.accountId ?? null,
      usage: plus(known?.usage ?? EMPTY, part),
      firstSeenAt: known?.firstSeenAt ?? record.startedAt,
      lastUsedAt: record.endedAt,
      lastError: errorOf(record) ??
        (record.end === "complete" ? null : known?.lastError ?? null),
    });
    if (this.#sessions.size <= SESSIONS_MAX) return;
    const oldest = this.#sessions.keys().next().value;
    if (oldest !== undefined) this.#sessions.delete(oldest);
  }

  #addToAccounts(record: RequestRecord, part: UsageSum): void {
    for (const { accountId, status, verdict } of record.attempts) {
      if (accountId === record.accountId) continue;
      const text = verdict.replaceAll("_", " ");
      this.#cell(accountId).lastError = { at: record.endedAt, status, text };
    }
    if (record.accountId === null) return;
    const cell = this.#cell(record.accountId);
    cell.usage = plus(cell.usage, part);
    cell.lastError = errorOf(record) ?? cell.lastError;
  }

  #cell(id: AccountId): AccountCell {
    let cell = this.#accounts.get(id);
    if (cell === undefined) {
      cell = { usage: EMPTY, lastError: null };
      this.#accounts.set(id, cell);
    }
    return cell;
  }
}

function errorOf(record: RequestRecord): ErrorMark | null {
  if (record.status < 400 && record.errorType === null) return null;
  return {
    at: record.endedAt,
    status: record.status,
    text: (record.errorType ?? record.reason).replaceAll("_", " "),
  };
}

/** One request as a sum of its own. */
function partOf(record: RequestRecord, prices: PriceBook): UsageSum {
  const { usage, modelAnswered, modelAsked } = record;
  if (usage === null) return { ...EMPTY, requests: 1 };
  const written = cacheWritten(usage);
  return {
    requests: 1,
    input: usage.input,
    cacheRead: usage.cacheRead,
    cacheWrite: written,
    output: usage.output,
    // The seed's rule: more was written anew than read.
    rebuilds: written > usage.cacheRead ? 1 : 0,
    costNano: costNanodollars(usage, {
      model: modelAnswered ?? modelAsked,
      at: record.endedAt,
    }, prices),
  };
}

function plus(a: UsageSum, b: UsageSum): UsageSum {
  return {
    requests: a.requests + b.requests,
    input: a.input + b.input,
    cacheRead: a.cacheRead + b.cacheRead,
    cacheWrite: a.cacheWrite + b.cacheWrite,
    output: a.output + b.output,
    rebuilds: a.rebuilds + b.rebuilds,
    costNano: a.costNano === null ? b.costNano : a.costNano + (b.costNano ?? 0),
  };
}

/**
 * Sums of what was asked of the server since it started: per session, per
 * account and for the whole pool. Bounded; the Deck and `tc status` show them.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import type { Instant } from "../core/time.ts";
import { cacheWritten, type TokenUsage } from "../core/usage.ts";
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

  constructor(startedAt: Instant) {
    this.startedAt = startedAt;
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
    const { usage } = record;
    this.#pool = plus(this.#pool, usage);
    this.#addToAccounts(record);
    if (record.session !== null) this.#addToSession(record, record.session);
  }

  #addToSession(record: RequestRecord, session: string): void {
    const known = this.#sessions.get(session);
    // Taken out and put back, so that the map stays in the order of use.
    this.#sessions.delete(session);
    this.#sessions.set(session, {
      session,
      accountId: record.accountId ?? known?.accountId ?? null,
      usage: plus(known?.usage ?? EMPTY, record.usage),
      firstSeenAt: known?.firstSeenAt ?? record.startedAt,
      lastUsedAt: record.endedAt,
      lastError: errorOf(record) ??
        (record.end === "complete" ? null : known?.lastError ?? null),
    });
    if (this.#sessions.size <= SESSIONS_MAX) return;
    const oldest = this.#sessions.keys().next().value;
    if (oldest !== undefined) this.#sessions.delete(oldest);
  }

  #addToAccounts(record: RequestRecord): void {
    for (const { accountId, status, verdict } of record.attempts) {
      if (accountId === record.accountId) continue;
      const text = verdict.replaceAll("_", " ");
      this.#cell(accountId).lastError = { at: record.endedAt, status, text };
    }
    if (record.accountId === null) return;
    const cell = this.#cell(record.accountId);
    cell.usage = plus(cell.usage, record.usage);
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

function plus(sum: UsageSum, usage: TokenUsage | null): UsageSum {
  if (usage === null) return { ...sum, requests: sum.requests + 1 };
  const written = cacheWritten(usage);
  return {
    requests: sum.requests + 1,
    input: sum.input + usage.input,
    cacheRead: sum.cacheRead + usage.cacheRead,
    cacheWrite: sum.cacheWrite + written,
    output: sum.output + usage.output,
    // The seed's rule: more was written anew than read.
    rebuilds: sum.rebuilds + (written > usage.cacheRead ? 1 : 0),
  };
}

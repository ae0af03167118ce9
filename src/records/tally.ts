/**
 * Counts of the server's requests: since it started, per session, per account and
 * for the whole pool, and of the last hour by account. Bounded in memory; the
 * Deck and `tc status` show them.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import { type Instant, MINUTE_MS } from "../core/time.ts";
import { costNanodollars, type PriceBook } from "../core/pricing.ts";
import { cacheWritten, contextTokens } from "../core/usage.ts";
import type { ErrorMark, UsageSum } from "../control/status_view.ts";
import type { RequestRecord } from "../ports.ts";
import { isMessage } from "../store/ledger/ledger.ts";
import type { RecentView } from "../control/protocol.ts";

/** Limit of sessions; the one unused the longest is forgotten first. */
const SESSIONS_MAX = 2_000;

const EMPTY: UsageSum = {
  requests: 0,
  input: 0,
  cacheRead: 0,
  cacheWrite: 0,
  output: 0,
  rebuilds: 0,
  costNano: null,
  paidNano: null,
};

/** A period of paying ends when nothing was paid for this long. */
const PAYING_MS = 15 * MINUTE_MS;

/** A period in which an account served requests that are paid by the token. */
interface Paying {
  readonly since: Instant;
  readonly lastAt: Instant;
  readonly requests: number;
  /** Nanodollars at list price; null if nothing in it has a price. */
  readonly costNano: number | null;
}

export interface SessionTally {
  readonly session: string;
  readonly accountId: AccountId | null;
  /** Its repository; null where that is not known. */
  readonly project: string | null;
  readonly usage: UsageSum;
  readonly firstSeenAt: Instant;
  readonly lastUsedAt: Instant;
  readonly lastError: ErrorMark | null;
}

interface AccountTally {
  readonly usage: UsageSum;
  readonly lastError: ErrorMark | null;
  /** The period of paying that holds at the time asked for; null if none. */
  readonly paying: Paying | null;
}

interface AccountCell {
  usage: UsageSum;
  lastError: ErrorMark | null;
  paying: Paying | null;
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

  /** Uses `prices` from now on; what was booked keeps its price. */
  usePrices(prices: PriceBook): void {
    this.#prices = prices;
  }

  get pool(): UsageSum {
    return this.#pool;
  }

  /** Returns the sessions, the last used first. */
  sessions(): readonly SessionTally[] {
    return [...this.#sessions.values()].reverse();
  }

  account(id: AccountId, at: Instant): AccountTally {
    const cell = this.#accounts.get(id);
    if (cell === undefined) {
      return { usage: EMPTY, lastError: null, paying: null };
    }
    const { usage, lastError, paying } = cell;
    const isPaying = paying !== null && at - paying.lastAt < PAYING_MS;
    return { usage, lastError, paying: isPaying ? paying : null };
  }

  /**
   * Returns the periods of paying that hold at `at`, of all accounts together:
   * those that were closed, disabled or removed since were paid for as well.
   * Null if there are none.
   */
  paying(at: Instant): Paying | null {
    return [...this.#accounts.keys()]
      .flatMap((id) => this.account(id, at).paying ?? [])
      .reduce<Paying | null>((sum, one) =>
        sum === null ? one : {
          since: sum.since < one.since ? sum.since : one.since,
          lastAt: sum.lastAt > one.lastAt ? sum.lastAt : one.lastAt,
          requests: sum.requests + one.requests,
          costNano: addNano(sum.costNano, one.costNano),
        }, null);
  }

  /** Adds a finished request; returns its price, null if it has none. */
  add(record: RequestRecord): number | null {
    const { isPaid } = record;
    const sum = partOf(record, this.#prices);
    const part = isPaid ? { ...sum, paidNano: sum.costNano } : sum;
    this.#pool = plus(this.#pool, part);
    this.#addToAccounts(record, part);
    if (isPaid && record.accountId !== null && record.usage !== null) {
      const cell = this.#cell(record.accountId);
      cell.paying = paidOn(cell.paying, record, part.costNano);
    }
    if (record.session !== null) {
      this.#addToSession(record, record.session, part);
    }
    return part.costNano;
  }

  #addToSession(record: RequestRecord, session: string, part: UsageSum): void {
    const known = this.#sessions.get(session);
    // Removed and added again, so that the map stays in the order of use.
    this.#sessions.delete(session);
    this.#sessions.set(session, {
      session,
      accountId: record.accountId ?? known?.accountId ?? null,
      project: record.project ?? known?.project ?? null,
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
      cell = { usage: EMPTY, lastError: null, paying: null };
      this.#accounts.set(id, cell);
    }
    return cell;
  }
}

/** Returns the period of paying after one more paid request. */
function paidOn(
  before: Paying | null,
  { startedAt, endedAt }: RequestRecord,
  costNano: number | null,
): Paying {
  const goesOn = before !== null && startedAt - before.lastAt < PAYING_MS;
  return {
    since: goesOn ? before.since : startedAt,
    lastAt: endedAt,
    requests: (goesOn ? before.requests : 0) + 1,
    costNano: addNano(goesOn ? before.costNano : null, costNano),
  };
}

function addNano(a: number | null, b: number | null): number | null {
  return a === null ? b : a + (b ?? 0);
}

function errorOf(record: RequestRecord): ErrorMark | null {
  if (record.status < 400 && record.errorType === null) return null;
  return {
    at: record.endedAt,
    status: record.status,
    text: (record.errorType ?? record.reason).replaceAll("_", " "),
  };
}

/** Returns the sums of a single request. */
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
    // A rebuild wrote more of the cache than it read.
    rebuilds: written > usage.cacheRead ? 1 : 0,
    paidNano: null,
    costNano: costNanodollars(usage, {
      model: modelAnswered ?? modelAsked,
      at: record.endedAt,
      terms: record.terms,
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
    costNano: addNano(a.costNano, b.costNano),
    paidNano: addNano(a.paidNano, b.paidNano),
  };
}

/** The parts of a record that are counted. */
export type Counted = Pick<
  RequestRecord,
  "accountId" | "endedAt" | "path" | "usage"
>;

interface Bucket {
  readonly minute: number;
  requests: number;
  cacheRead: number;
  prompt: number;
  output: number;
}

const MINUTES_MAX = 60;
const SHORT_MINUTES = 15;

export class RecentTally {
  readonly #accounts = new Map<AccountId, Bucket[]>();

  add(record: Counted): void {
    if (record.accountId === null || !isMessage(record)) return;
    const minute = Math.floor(record.endedAt / MINUTE_MS);
    const buckets = this.#accounts.get(record.accountId) ?? [];
    this.#accounts.set(record.accountId, buckets);
    const bucket = bucketAt(buckets, minute);
    bucket.requests += 1;
    if (record.usage === null) return;
    bucket.cacheRead += record.usage.cacheRead;
    bucket.prompt += contextTokens(record.usage);
    bucket.output += record.usage.output;
  }

  view(accountId: AccountId, now: number): RecentView {
    const minute = Math.floor(now / MINUTE_MS);
    const buckets = (this.#accounts.get(accountId) ?? []).filter((bucket) =>
      bucket.minute > minute - MINUTES_MAX && bucket.minute <= minute
    );
    const sum = (pick: (bucket: Bucket) => number, minutes: number) =>
      buckets.filter((bucket) => bucket.minute > minute - minutes)
        .reduce((total, bucket) => total + pick(bucket), 0);
    const prompt = sum((bucket) => bucket.prompt, MINUTES_MAX);
    const read = sum((bucket) => bucket.cacheRead, MINUTES_MAX);
    return {
      requests15m: sum((bucket) => bucket.requests, SHORT_MINUTES),
      requests1h: sum((bucket) => bucket.requests, MINUTES_MAX),
      hitRate1h: prompt === 0 ? null : read / prompt,
      tokens1h: prompt + sum((bucket) => bucket.output, MINUTES_MAX),
    };
  }
}

/** Returns the bucket of `minute`; removes buckets older than an hour. */
function bucketAt(buckets: Bucket[], minute: number): Bucket {
  const found = buckets.findLast((bucket) => bucket.minute === minute);
  if (found !== undefined) return found;
  const bucket = { minute, requests: 0, cacheRead: 0, prompt: 0, output: 0 };
  buckets.push(bucket);
  while ((buckets[0]?.minute ?? minute) <= minute - MINUTES_MAX) {
    buckets.shift();
  }
  return bucket;
}

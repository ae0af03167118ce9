/**
 * Writes what outlives the server, outside the request path: finished requests
 * in batches, and the pool's memory every few seconds. A crash loses at most
 * one second.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import { costNanodollars, type PriceBook } from "../core/pricing.ts";
import { persisted, type PersistedPool } from "../core/pool/persist.ts";
import { runningWindow } from "../core/quota/quota.ts";
import type { PoolState } from "../core/pool/state.ts";
import type { PaidSums } from "../core/quota/spending.ts";
import type { Instant } from "../core/time.ts";
import type { Clock, Journal, RequestLog, RequestRecord } from "../ports.ts";
import {
  type LedgerEntry,
  NOTHING_SPENT,
  type OwnEntry,
  type SpentWindows,
} from "../store/ledger/ledger.ts";
import { type AccountLabels, readLabels } from "../store/ledger/pool_store.ts";
import {
  type LedgerBounds,
  prune,
  reprice,
  type RepricePlace,
} from "../store/ledger/ledger_prune.ts";
import {
  newestRequest,
  recentRequests,
} from "../store/ledger/ledger_history.ts";
import { transaction } from "../store/ledger/database.ts";
import {
  noteWindows,
  type WindowSample,
} from "../store/ledger/window_history.ts";
import { paidSince } from "../store/ledger/ledger_report.ts";
import { SafeTime } from "../system/clock_steps.ts";
import type { Counted } from "./tally.ts";
import type { StateDatabase } from "./state_database.ts";

interface LedgerWriterOptions {
  readonly state: StateDatabase;
  readonly clock: Clock;
  readonly journal: Journal;
  /** Returns the present state of the pool. */
  readonly poolState: () => PoolState;
  readonly bounds: LedgerBounds;
  /** Whether the repository of a request is written down. */
  readonly hasProjects: boolean;
  readonly prices: PriceBook;
  /** Is told of each row once it is in the file. */
  readonly written?: (rows: readonly OwnEntry[]) => void;
}

/** Together with the time of a write, less than the second that may be lost. */
const FLUSH_MS = 500;
/**
 * This many rows are written at once, without waiting for the time: thousands
 * in one transaction would stop every answer for tens of milliseconds.
 */
const BATCH = 64;
const SAVE_MS = 5_000;
const PRUNE_MS = 60_000;
/** Time between two looks at the windows for their history. */
const SAMPLE_MS = 15_000;
/** Largest part of the time that saving the pool may take. */
const SAVE_SHARE = 0.01;
/**
 * Limit of requests kept while the database fails; the oldest are dropped
 * first.
 */
const WAITING_MAX = 10_000;

export class LedgerWriter implements RequestLog {
  readonly #options: LedgerWriterOptions;
  readonly #timer: ReturnType<typeof setInterval>;
  #prices: PriceBook;
  /** Position of the pass over unpriced requests; null when it is done. */
  #repriceFrom: RepricePlace = "";
  #waiting: LedgerEntry[] = [];
  #dropped = 0;
  #savedState: PoolState | null = null;
  #sampleAtMs = 0;
  /** The figures that are written, by account and window. */
  readonly #sampled = new Map<string, string>();
  #saveAtMs: number;
  #pruneAtMs: number;
  readonly #sureTime: SafeTime;
  #isOwner = true;
  #isServing = false;
  #isClaimed = false;
  #labels = "";

  constructor(options: LedgerWriterOptions) {
    this.#options = options;
    this.#prices = options.prices;
    const now = options.clock.monotonicMs();
    this.#saveAtMs = now;
    this.#sureTime = new SafeTime(options.clock);
    this.#pruneAtMs = now + PRUNE_MS;
    this.#timer = setInterval(() => this.#tick(), FLUSH_MS);
  }

  /**
   * Number of requests never written, because the database failed or refused
   * them.
   */
  get dropped(): number {
    return this.#dropped;
  }

  /** Number of requests in memory that are not in the database yet. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /** Uses `prices` from now on, also for requests that had no price yet. */
  usePrices(prices: PriceBook): void {
    this.#prices = prices;
    this.#repriceFrom = "";
  }

  finished(record: RequestRecord): void {
    const { poolState, clock, hasProjects } = this.#options;
    const model = record.modelAnswered ?? record.modelAsked;
    this.#waiting.push({
      record: hasProjects ? record : { ...record, project: null },
      costNano: record.usage === null ? null : costNanodollars(
        record.usage,
        { model, at: record.endedAt, terms: record.terms },
        this.#prices,
      ),
      windows: spentWindows(record.accountId, poolState(), clock.now()),
    });
    if (this.#waiting.length === BATCH) this.flush();
    if (this.#waiting.length <= WAITING_MAX) return;
    this.#waiting.shift();
    this.#dropped += 1;
  }

  /** Returns the pool as the last run saved it. */
  readMemory(): PersistedPool | null {
    let memory: PersistedPool | null = null;
    this.#options.state.attempt(({ pool, database }) => {
      memory = pool.read()?.pool ?? null;
      this.#sureTime.noEarlierThan(newestRequest(database));
    });
    return memory;
  }

  /** Returns the names of accounts by id, also of removed ones. */
  readLabels(): AccountLabels {
    let labels: AccountLabels = {};
    this.#options.state.attempt(({ database }) => {
      labels = readLabels(database);
    });
    return labels;
  }

  /**
   * Lets this run save the pool from now on. Only a listening server may call
   * it: a second server that finds the port taken must not stop the first from
   * saving.
   */
  serves(): void {
    this.#isServing = true;
  }

  /** Returns requests that ended within the last `ms`, from the ledger. */
  recent(ms: number): readonly Counted[] {
    let found: readonly Counted[] = [];
    this.#options.state.attempt(({ database }) => {
      found = recentRequests(database, this.#options.clock.now() - ms);
    });
    return found;
  }

  /**
   * Returns what was paid since each of `starts`, by account id, when all that
   * this server knows is written; null if the database fails.
   */
  paid(starts: PaidSums): ReadonlyMap<AccountId, PaidSums> | null {
    if (!this.flush()) return null;
    const found = new Map<AccountId, PaidSums>();
    const isRead = this.#options.state.attempt(({ database }) => {
      for (const unit of ["day", "week", "month"] as const) {
        for (const [account, nano] of paidSince(database, starts[unit])) {
          const id = account as AccountId;
          const known = found.get(id) ?? { day: 0, week: 0, month: 0 };
          found.set(id, { ...known, [unit]: nano });
        }
      }
    });
    return isRead ? found : null;
  }

  /** Writes waiting requests. Returns whether none wait any more. */
  flush(): boolean {
    if (this.#waiting.length === 0) return true;
    const entries = this.#waiting;
    let refused = 0;
    const isWritten = this.#options.state.attempt(({ ledger }) => {
      refused = ledger.write(entries, this.#options.written);
    });
    if (!isWritten) return false;
    this.#waiting = [];
    this.#dropped += refused;
    if (refused > 0) {
      this.#options.journal.log("error", "ledger", { refused });
    }
    return true;
  }

  /** Saves everything and closes; counts and reports what cannot be written. */
  close(): void {
    clearInterval(this.#timer);
    // A full disk may have room by now.
    this.#options.state.retryNow();
    // Another process may hold the file for a moment.
    if (!this.flush() && !this.flush()) {
      const lost = this.#waiting.length;
      this.#options.journal.log("error", "ledger", { lost });
    }
    this.#savePool();
    this.#options.state.close();
  }

  #tick(): void {
    this.flush();
    if (this.#isServing && this.#repriceFrom !== null) this.#reprice();
    const now = this.#options.clock.monotonicMs();
    if (now >= this.#saveAtMs) {
      this.#savePool();
      const tookMs = this.#options.clock.monotonicMs() - now;
      this.#saveAtMs = now + Math.max(SAVE_MS, tookMs / SAVE_SHARE);
    }
    if (now >= this.#sampleAtMs) this.#sample(now);
    if (now >= this.#pruneAtMs) this.#prune(now);
  }

  #savePool(): void {
    const { state, clock, poolState } = this.#options;
    const current = poolState();
    if (!this.#isServing || !this.#isOwner) return;
    if (current === this.#savedState) return;
    const now = clock.now();
    const accounts = [...current.accounts.values()].map((a) => a.account);
    const labels = JSON.stringify(accounts.map(({ id, label }) => [id, label]));
    state.attempt(({ pool }) => {
      if (!this.#isClaimed) pool.claim(now);
      this.#isClaimed = true;
      this.#isOwner = pool.save(persisted(current, now), now);
      this.#savedState = current;
      if (!this.#isOwner || labels === this.#labels) return;
      pool.nameAccounts(accounts, now);
      this.#labels = labels;
    });
  }

  /** Writes the windows whose figures have changed into their history. */
  #sample(nowMs: number): void {
    this.#sampleAtMs = nowMs + SAMPLE_MS;
    const { state, clock, poolState } = this.#options;
    if (!this.#isServing) return;
    const at = clock.now();
    const fresh = windowSamples(poolState()).filter((sample) => {
      const { account, window, utilization, resetsAt } = sample;
      const key = `${account} ${window}`;
      const figure = `${utilization} ${resetsAt}`;
      if (this.#sampled.get(key) === figure) return false;
      this.#sampled.set(key, figure);
      return true;
    });
    if (fresh.length === 0) return;
    const isWritten = state.attempt(({ database }) =>
      transaction(database, () => noteWindows(database, fresh, at))
    );
    if (!isWritten) this.#sampled.clear();
  }

  /** Prices one portion per tick, so that no request waits for it. */
  #reprice(): void {
    const from = this.#repriceFrom ?? "";
    this.#options.state.attempt(({ database }) => {
      const { next, priced } = reprice(
        database,
        from,
        (usage, about) => costNanodollars(usage, about, this.#prices),
      );
      this.#repriceFrom = next;
      if (priced > 0) this.#options.journal.log("info", "priced", { priced });
    });
  }

  #prune(nowMs: number): void {
    const { state, bounds } = this.#options;
    let isMore = false;
    state.attempt(({ database }) => {
      isMore = prune(database, bounds, this.#sureTime.now());
    });
    this.#pruneAtMs = nowMs + (isMore ? 0 : PRUNE_MS);
  }
}

/** Returns every window whose utilization is known, as last reported. */
function windowSamples({ accounts }: PoolState): readonly WindowSample[] {
  return [...accounts.values()].flatMap(({ account, windows }) =>
    Object.values(windows).flatMap(({ key, utilization, resetsAt }) =>
      utilization === null
        ? []
        : [{ account: account.id, window: key, utilization, resetsAt }]
    )
  );
}

/** Returns the account's two plan windows as last reported. */
function spentWindows(
  accountId: AccountId | null,
  { accounts }: PoolState,
  now: Instant,
): SpentWindows {
  const state = accountId === null ? undefined : accounts.get(accountId);
  if (state === undefined) return NOTHING_SPENT;
  const fiveHour = runningWindow(state.windows, "5h", now);
  const week = runningWindow(state.windows, "7d", now);
  return {
    fiveHour: fiveHour?.utilization ?? null,
    fiveHourResetsAt: fiveHour?.resetsAt ?? null,
    week: week?.utilization ?? null,
    weekResetsAt: week?.resetsAt ?? null,
  };
}

/**
 * Everything that the server records: ledger, pool memory and the counts of the
 * last hour, behind one interface for the daemon.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import type { PoolEvent } from "../core/pool/event.ts";
import type { PersistedPool } from "../core/pool/persist.ts";
import type { PoolState } from "../core/pool/state.ts";
import type { PriceBook } from "../core/pricing.ts";
import { HOUR_MS } from "../core/time.ts";
import type { NoticeView, RecentView } from "../control/protocol.ts";
import type {
  Clock,
  Journal,
  RequestLog,
  RequestRecord,
  Secret,
} from "../ports.ts";
import { databasePath } from "../store/ledger/database.ts";
import type { OwnEntry } from "../store/ledger/ledger.ts";
import type { AccountLabels } from "../store/ledger/pool_store.ts";
import { type Config, priceBook } from "../config/config.ts";
import { ExchangeFiles } from "./exchange_files.ts";
import { LedgerWriter } from "./ledger_writer.ts";
import type { PriceDesk } from "./prices.ts";
import { RecentTally } from "./tally.ts";
import { type OpenState, StateDatabase } from "./state_database.ts";
import type { PersonShell } from "../shell_words.ts";

/** The part of the pool that the records read and restore. */
interface RememberedPool {
  readonly state: PoolState;
  remember(memory: PersistedPool): void;
  dispatch(event: PoolEvent): void;
}

interface RecordsOptions {
  readonly config: Config;
  /** Masked in everything that is written. */
  readonly localKey: Secret;
  readonly stateFolder: string;
  /** Names this run, because two may share the state. */
  readonly run: string;
  readonly keeper: RememberedPool;
  readonly prices: PriceDesk;
  readonly clock: Clock;
  readonly journal: Journal;
  /** The shell for which hints are written. */
  readonly person: PersonShell;
}

const MEGABYTE = 1024 * 1024;

/** Time between two looks at what other servers of the pool have paid. */
const RECALL_MS = 15_000;

/**
 * Returns the notice of an account whose credential is gone, though nobody
 * removed it.
 */
export function lostLogin(label: string): string {
  return `The login of ${label} is gone: the last server had it, and nobody ` +
    "removed the account";
}

export class Records implements RequestLog {
  readonly #state: StateDatabase;
  readonly #writer: LedgerWriter;
  readonly #tally = new RecentTally();
  readonly #keeper: RememberedPool;
  readonly #clock: Clock;
  readonly #prices: PriceDesk;
  readonly #recalls: ReturnType<typeof setInterval>;
  #lost: readonly AccountId[] = [];
  #labels: AccountLabels = {};
  #written: (rows: readonly OwnEntry[]) => void = () => {};
  /** Whole exchanges, only if the user asked for them. */
  readonly exchanges: ExchangeFiles | null;

  constructor(options: RecordsOptions) {
    const { config, keeper, clock, journal } = options;
    const { ledger } = config.settings;
    this.#keeper = keeper;
    this.#clock = clock;
    this.#prices = options.prices;
    this.#recalls = setInterval(() => this.recallPaid(), RECALL_MS);
    this.#state = new StateDatabase({
      path: databasePath(options.stateFolder),
      writer: options.run,
      clock,
      journal,
      person: options.person,
    });
    this.exchanges = exchangeFiles(options);
    this.#writer = new LedgerWriter({
      state: this.#state,
      clock,
      journal,
      poolState: () => keeper.state,
      bounds: {
        days: ledger.days,
        bytesMax: ledger.megabytesMax * MEGABYTE,
      },
      hasProjects: ledger.projects,
      prices: priceBook(config),
      written: (rows) => this.#written(rows),
    });
  }

  /** Tells `listener` of each row of the ledger once it is in the file. */
  listen(listener: (rows: readonly OwnEntry[]) => void): void {
    this.#written = listener;
  }

  /**
   * Restores what the last run knew about the pool; its accounts must be
   * loaded.
   */
  restore(): void {
    const memory = this.#writer.readMemory();
    if (memory !== null) this.#keeper.remember(memory);
    const { accounts } = this.#keeper.state;
    this.#lost = memory?.accounts.map(({ id }) => id)
      .filter((id) => !accounts.has(id)) ?? [];
    this.recallPaid();
    this.#labels = this.#writer.readLabels();
    for (const request of this.#writer.recent(HOUR_MS)) {
      this.#tally.add(request);
    }
  }

  /**
   * Tells the pool what the ledger knows to have been paid, and goes on doing so:
   * a server that this one replaces may still pay.
   */
  recallPaid(): void {
    const keeper = this.#keeper;
    const prices = this.#prices;
    const isLimited = keeper.state.paid.max !== null ||
      [...keeper.state.accounts.values()].some(({ account }) =>
        (account.costMax ?? null) !== null
      );
    if (!isLimited) return;
    const sums = this.#writer.paid(prices.periodStarts());
    if (sums === null) return;
    const ends = prices.periodEnds();
    keeper.dispatch({ kind: "paid_recalled", sums, ends });
  }

  /** Lets this run save the pool, once it listens. */
  serves(): void {
    this.#writer.serves();
  }

  finished(record: RequestRecord): void {
    this.#tally.add(record);
    this.#writer.finished(record);
  }

  recent(accountId: AccountId): RecentView {
    return this.#tally.view(accountId, this.#clock.now());
  }

  /** Finished requests that wait to be written. */
  get unwritten(): number {
    return this.#writer.waiting;
  }

  /** Finished requests that could never be written. */
  get lostRows(): number {
    return this.#writer.dropped;
  }

  /**
   * Does `work` with the ledger, in which all finished requests are. Returns
   * whether that succeeded.
   */
  attempt(work: (state: OpenState) => void): boolean {
    this.#writer.flush();
    return this.#state.attempt(work);
  }

  usePrices(prices: PriceBook): void {
    this.#prices.use(prices);
    this.#writer.usePrices(prices);
  }

  /** Returns what the user should know about the records. */
  notices(): readonly NoticeView[] {
    return [
      ...this.#lostNotices(),
      ...this.#ledgerNotices(),
      ...exchangeNotices(this.exchanges?.lost ?? null),
    ];
  }

  /**
   * Returns notices of accounts that the last server had and that are gone,
   * though nobody removed them.
   */
  #lostNotices(): readonly NoticeView[] {
    const { accounts } = this.#keeper.state;
    return this.#lost.filter((id) => !accounts.has(id)).map((id) => ({
      level: "error",
      text: lostLogin(this.#labels[id] ?? id),
      mend: "tc login",
    }));
  }

  #ledgerNotices(): readonly NoticeView[] {
    const { fault } = this.#state;
    if (fault === null) return [];
    const { dropped, waiting } = this.#writer;
    const loss = [
      ...(waiting === 0 ? [] : [`; requests waiting in memory: ${waiting}`]),
      ...(dropped === 0 ? [] : [`; requests never recorded: ${dropped}`]),
    ].join("");
    return [{ level: "error", text: `${fault}${loss}`, mend: null }];
  }

  async close(): Promise<void> {
    clearInterval(this.#recalls);
    this.#writer.close();
    await this.exchanges?.close();
  }
}

function exchangeFiles(
  { config, clock, journal, keeper, localKey }: RecordsOptions,
): ExchangeFiles | null {
  const { to, bodies, days, megabytesMax } = config.settings.log;
  if (to === "") return null;
  return new ExchangeFiles({
    folder: to,
    hasBodies: bodies,
    days,
    bytesMax: megabytesMax * MEGABYTE,
    clock,
    journal,
    localKey,
    labelOf: (id) => keeper.state.accounts.get(id)?.account.label ?? id,
  });
}

/**
 * Returns the notice of exchanges that could not be written into the folder of
 * `--log-to`.
 */
function exchangeNotices(
  lost: { readonly reason: string; readonly dropped: number } | null,
): readonly NoticeView[] {
  if (lost === null) return [];
  const { reason, dropped } = lost;
  const count = dropped === 1 ? "1 is lost" : `${dropped} are lost`;
  return [{
    level: "warn",
    text: `Exchanges cannot be written: ${reason}; ${count}`,
    mend: null,
  }];
}

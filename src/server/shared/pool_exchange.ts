/**
 * The server's part in a shared pool: it says that this machine is there, tells
 * the others what the provider said here, and takes in what they were told.
 * Nothing that serves a request waits for it; while the database is away, it
 * keeps the newest of everything and sends that later.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import type { PoolEvent } from "../../core/pool/event.ts";
import {
  type BookedBefore,
  ownCounts,
  sumElsewhere,
  unheard,
} from "../../core/pool/headcount.ts";
import { spendLimitText } from "../../core/quota/spending.ts";
import type { PoolSnapshot, PoolState } from "../../core/pool/state.ts";
import { after, type Instant, SECOND_MS } from "../../core/time.ts";
import type { MachineView, NoticeView } from "../../control/protocol.ts";
import { timeView } from "../../control/status_view.ts";
import type { Clock, Journal } from "../../ports.ts";
import {
  ALIVE_MS,
  beat,
  enter,
  type Machine,
} from "../../store/shared/machines.ts";
import {
  type News,
  newsRows,
  readNews,
  type SharedClock,
} from "../../store/shared/knowledge.ts";
import type { SharedSettings } from "../../store/shared/account_settings.ts";
import type { SharedPool } from "../../store/shared/open_shared.ts";
import {
  CHANNEL,
  checkStore,
  STORE_SCHEMA,
} from "../../store/shared/schema.ts";
import { isStoreError } from "../../store/shared/store_error.ts";
import { PoolNews } from "./pool_news.ts";
import type { RequestExchange } from "./request_exchange.ts";
import { Rounds } from "../worker/rounds.ts";

/**
 * How often a machine tells that it is alive. Its news goes with the same
 * statement; a refusal does not wait for it.
 */
const BEAT_MS = 2 * SECOND_MS;
/** Figures of other machines are taken in at most this often. */
const TAKE_MS = SECOND_MS;

/** The pool as the exchange reads and changes it. */
interface SharedKeeper {
  readonly state: PoolState;
  snapshot(): PoolSnapshot;
  dispatch(event: PoolEvent): void;
  listen(listener: (event: PoolEvent, state: PoolState) => void): () => void;
}

interface PoolExchangeOptions {
  readonly shared: SharedPool;
  readonly keeper: SharedKeeper;
  readonly clock: Clock;
  readonly journal: Journal;
  readonly version: string;
  /** Reads the accounts again after they have changed in the store. */
  readonly reload: () => Promise<unknown>;
  readonly requests: RequestExchange;
}

/** What other machines have changed. */
type Topic = "accounts" | "settings" | "quota";

export class PoolExchange {
  readonly #options: PoolExchangeOptions;
  readonly #rounds: Rounds;
  readonly #news = new PoolNews();
  readonly #due = new Set<Topic>();
  #booked: BookedBefore = new Map();
  /** What the others said last; null before that, and when it is outdated. */
  #elsewhere: Omit<ReturnType<typeof sumElsewhere>, "booked"> | null = null;
  /** As the database had them at the last beat. */
  #machines: readonly Machine[] = [];
  /** How far the database's clock is ahead, at the last beat. */
  #offsetMs = 0;
  /** Whether a beat has measured it since the database was last away. */
  #isMeasured = false;
  #pin: AccountId | null = null;
  #isPinDue = false;
  /** Whether there is news that cannot wait for the next beat. */
  #isUrgent = false;
  /** When the others' figures may be taken in again. */
  #takeAtMs = 0;
  #settings: SharedSettings | null = null;
  #awaySince: Instant | null = null;
  #reason: string | null = null;
  #isTakingIn = false;
  #isListening = false;
  #wake = new AbortController();
  #unlisten: (() => void) | null = null;

  constructor(options: PoolExchangeOptions) {
    this.#options = options;
    this.#rounds = new Rounds({
      failure: "store_round_failed",
      clock: options.clock,
      journal: options.journal,
      afterFailureMs: BEAT_MS,
      round: (signal) => this.#round(signal),
    });
  }

  start(): void {
    this.#unlisten = this.#options.keeper.listen((event, state) =>
      this.#note(event, state)
    );
    this.#everythingIsDue();
    this.#rounds.start();
  }

  /** Sends what is left, if the database is there. */
  async stop(): Promise<void> {
    this.#unlisten?.();
    const ended = this.#rounds.stop();
    this.#wake.abort();
    await ended;
    if (this.#awaySince !== null) return;
    await this.#beat().then(() => this.#options.requests.send()).catch(() => {
      // It is away by now; the next server tells what it knows.
    });
  }

  /**
   * Returns the machines of the pool, as the database had them at the last
   * beat. While it is away nobody knows which of the others are there.
   */
  machines(): readonly MachineView[] {
    const { machine: own } = this.#options.shared.membership;
    const isKnown = this.#awaySince === null;
    return this.#machines.map((machine) => {
      const isThis = machine.id === own;
      const isThere = isThis ||
        (isKnown && machine.seenMsAgo <= ALIVE_MS);
      return {
        id: machine.id,
        name: machine.name,
        version: machine.version,
        isThis,
        isThere,
        lastSeenAt: isThere
          ? null
          : timeView(machine.seenAt - Math.round(this.#offsetMs)),
        requests: isThere ? machine.requests : null,
      };
    });
  }

  /** Returns what the user should know about the store. */
  notices(): readonly NoticeView[] {
    if (this.#awaySince === null) return [];
    return [{
      level: "error",
      text: `${this.#reason ?? "The store cannot be reached"}; ` +
        "requests go on, no login is renewed until it is back",
      mend: "tc store status",
    }];
  }

  async #round(signal: AbortSignal): Promise<number> {
    const { clock, requests } = this.#options;
    await this.#attempt(async () => {
      await this.#listen();
      await this.#beat();
      await this.#takeIn();
      await requests.exchange();
      this.#isBack();
    });
    const untilMs = clock.monotonicMs() + BEAT_MS;
    // What others tell is taken in between two beats.
    while (!signal.aborted && clock.monotonicMs() < untilMs) {
      await this.#pause(untilMs);
      if (this.#awaySince !== null) continue;
      if (this.#isUrgent) break;
      await this.#attempt(async () => {
        await this.#takeIn();
        if (clock.monotonicMs() >= requests.moreAtMs) await requests.exchange();
      });
    }
    return 0;
  }

  async #attempt(work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (cause) {
      if (!isStoreError(cause)) throw cause;
      this.#isAway(cause.message);
    }
  }

  /** Waits until `untilMs`, or until there is something to do before. */
  async #pause(untilMs: number): Promise<void> {
    const { clock, requests } = this.#options;
    const isAway = this.#awaySince !== null;
    const takeAtMs = this.#due.size > 0 ? this.#takeAtMs : Infinity;
    const endMs = isAway
      ? untilMs
      : Math.min(untilMs, takeAtMs, requests.moreAtMs);
    await clock
      .sleep(Math.max(1, endMs - clock.monotonicMs()), this.#wake.signal)
      .catch(() => {
        // There is news, or the server ends.
      });
    // News that comes from here on ends the next pause.
    if (this.#wake.signal.aborted) this.#wake = new AbortController();
  }

  async #listen(): Promise<void> {
    if (this.#isListening) return;
    const { database } = this.#options.shared;
    await checkStore(database);
    await database.listen(
      CHANNEL,
      (text) => this.#heard(text),
      // After an interruption too: what was said in the gap is lost.
      () => this.#everythingIsDue(),
    );
    this.#isListening = true;
  }

  #heard(text: string): void {
    const [topic = "", machine = ""] = text.split(" ");
    if (machine === this.#options.shared.membership.machine) return;
    switch (topic) {
      case "quota":
        // Figures can wait for a second: many machines tell them.
        this.#due.add(topic);
        break;
      case "refusal":
        this.#due.add("quota");
        this.#takeAtMs = 0;
        break;
      case "accounts":
      case "settings":
        this.#due.add(topic);
        this.#takeAtMs = 0;
        break;
      default:
        return;
    }
    this.#wake.abort();
  }

  #everythingIsDue(): void {
    for (const topic of ["accounts", "settings", "quota"] as const) {
      this.#due.add(topic);
    }
    this.#takeAtMs = 0;
  }

  async #beat(): Promise<void> {
    this.#isUrgent = false;
    await this.#tellPin();
    if (this.#isMeasured) {
      return await this.#news.telling(
        this.#options.keeper.state,
        (news) => this.#say(news),
      );
    }
    // The others cannot read this machine's times before the clocks are compared.
    await this.#say({ windows: [], refusals: [] });
    if (!this.#news.isEmpty) this.#urge();
  }

  /** Makes the next beat come at once. */
  #urge(): void {
    this.#isUrgent = true;
    this.#wake.abort();
  }

  async #say(news: News): Promise<void> {
    const { shared, keeper, clock, version } = this.#options;
    const snapshot = keeper.snapshot();
    const counts = ownCounts(snapshot);
    const { max } = snapshot.paid;
    const settings = {
      policy: snapshot.settings.policy,
      paidMax: max === null ? null : spendLimitText(max),
    };
    const sentAt = clock.now();
    const { databaseMs, schema, others, machines, isListed } = await beat(
      shared.database,
      shared.membership,
      {
        version,
        counts,
        settings,
        clockOffsetMs: this.#offsetMs,
        news: newsRows(news, this.#clock),
      },
    );
    this.#isMeasured = true;
    this.#offsetMs = Math.round(databaseMs - (sentAt + clock.now()) / 2);
    // Another machine has a newer tc, which has changed the tables.
    if (schema !== STORE_SCHEMA) await checkStore(shared.database);
    if (isListed) this.#machines = machines;
    else await this.#enter();
    const { machine } = shared.membership;
    const { booked, ...elsewhere } = sumElsewhere(
      { machine, ...counts },
      others,
      this.#booked,
    );
    this.#booked = booked;
    this.#elsewhere = elsewhere;
    const at = clock.now();
    this.#dispatch({ kind: "counted_elsewhere", ...elsewhere, at });
  }

  /** A machine that was taken for dead and is there again says so. */
  async #enter(): Promise<void> {
    const { shared, journal, version } = this.#options;
    const { database, membership } = shared;
    const name = await enter(database, membership, version);
    journal.log("warn", "store_entered_again", { machine: name });
  }

  /** Reads what others have changed. */
  async #takeIn(): Promise<void> {
    const now = this.#options.clock.monotonicMs();
    if (this.#due.size === 0 || now < this.#takeAtMs) return;
    this.#takeAtMs = now + TAKE_MS;
    const due = [...this.#due];
    this.#due.clear();
    try {
      if (due.includes("accounts") || due.includes("settings")) {
        await this.#takeAccounts();
      }
      if (due.includes("quota")) {
        const { shared: { database, membership: { machine } } } = this.#options;
        const clock = this.#clock;
        const news = await readNews(database, { machine, clock });
        const now = this.#options.clock.now();
        for (const event of this.#news.taken(news, now)) this.#dispatch(event);
      }
    } catch (cause) {
      for (const topic of due) this.#due.add(topic);
      throw cause;
    }
  }

  async #takeAccounts(): Promise<void> {
    const { shared, reload } = this.#options;
    await this.#tellPin();
    const isVaultChanged = await shared.vault.exchange();
    const before = this.#settings;
    this.#settings = await shared.settings.exchange();
    const { pin } = this.#settings;
    const isChanged = isVaultChanged || before !== this.#settings;
    if (isChanged) await reload();
    if (pin === this.#pin) return;
    this.#pin = pin as AccountId | null;
    this.#dispatch({ kind: "pinned", accountId: this.#pin });
  }

  async #tellPin(): Promise<void> {
    if (!this.#isPinDue) return;
    await this.#options.shared.settings.pin(this.#pin);
    this.#isPinDue = false;
  }

  #note(event: PoolEvent, state: PoolState): void {
    if (this.#isTakingIn) return;
    if (event.kind === "pinned") {
      if (event.accountId === this.#pin) return;
      this.#pin = event.accountId;
      // Until the store has it, the store's own pin is older.
      this.#isPinDue = true;
      this.#urge();
    } else if (this.#news.note(event, state)) this.#urge();
  }

  /** Changes the pool with what others know; that is not told again. */
  #dispatch(event: PoolEvent): void {
    this.#isTakingIn = true;
    try {
      this.#options.keeper.dispatch(event);
    } finally {
      this.#isTakingIn = false;
    }
  }

  get #clock(): SharedClock {
    const offsetMs = this.#offsetMs;
    return {
      toDatabase: (at) => at + offsetMs,
      fromDatabase: (ms) => after(0 as Instant, ms - offsetMs),
    };
  }

  #isAway(reason: string): void {
    this.#reason = reason;
    this.#isMeasured = false;
    const { clock, journal } = this.#options;
    if (this.#awaySince !== null) {
      if (clock.now() - this.#awaySince > ALIVE_MS) this.#countUnheard();
      return;
    }
    this.#awaySince = clock.now();
    journal.log("warn", "store_away", { reason });
  }

  /**
   * What the others last had in flight has ended by now: to count it further
   * would keep places empty for as long as the database is away.
   */
  #countUnheard(): void {
    if (this.#elsewhere === null) return;
    const { accounts, stalled } = this.#elsewhere;
    this.#elsewhere = null;
    this.#dispatch({
      kind: "counted_elsewhere",
      accounts: unheard(accounts),
      stalled,
      at: this.#options.clock.now(),
    });
  }

  #isBack(): void {
    if (this.#awaySince === null) return;
    const { clock, journal } = this.#options;
    const awayMs = clock.now() - this.#awaySince;
    journal.log("info", "store_back", { away_ms: awayMs });
    this.#awaySince = null;
    this.#reason = null;
    this.#everythingIsDue();
    this.#wake.abort();
  }
}

/**
 * The server's part in a shared pool: it says that this machine is there, tells
 * the others what the provider said here, and takes in what they were told.
 * Nothing that serves a request waits for it; while the database is away, it
 * keeps the newest of everything and sends that later.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import type { PoolEvent, SharedRefusal } from "../../core/pool/event.ts";
import {
  type BookedBefore,
  ownCounts,
  sumElsewhere,
  unheard,
} from "../../core/pool/headcount.ts";
import type { QuotaWindow } from "../../core/quota/quota.ts";
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
  type KnownRefusal,
  type KnownWindow,
  newerWindows,
  type News,
  readNews,
  type SharedClock,
  tellNews,
} from "../../store/shared/knowledge.ts";
import type { SharedSettings } from "../../store/shared/account_settings.ts";
import type { SharedPool } from "../../store/shared/open_shared.ts";
import {
  CHANNEL,
  checkStore,
  STORE_SCHEMA,
} from "../../store/shared/schema.ts";
import { isStoreError } from "../../store/shared/store_error.ts";
import type { RequestExchange } from "./request_exchange.ts";
import { Rounds } from "../worker/rounds.ts";

const BEAT_MS = 2 * SECOND_MS;
/** Figures are sent at most this often; a refusal at once. */
const TELL_MS = SECOND_MS;

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
  readonly #dirty = new Set<AccountId>();
  /** The figures of each window that this machine last sent to the store or took. */
  readonly #sent = new Map<string, QuotaWindow>();
  readonly #taken = new Map<string, Instant>();
  readonly #due = new Set<Topic>();
  #booked: BookedBefore = new Map();
  /** What the others said last; null before that, and when it is outdated. */
  #elsewhere: Omit<ReturnType<typeof sumElsewhere>, "booked"> | null = null;
  #refusals: KnownRefusal[] = [];
  /** As the database had them at the last beat. */
  #machines: readonly Machine[] = [];
  #offsetMs = 0;
  #pin: AccountId | null = null;
  #isPinDue = false;
  #settings: SharedSettings | null = null;
  #awaySince: Instant | null = null;
  #reason: string | null = null;
  #isTakingIn = false;
  /** Whether a request has ended, which the ledger may have by now. */
  #hasServed = false;
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
    await this.#rounds.stop();
    if (this.#awaySince !== null) return;
    await this.#tell().then(() => this.#options.requests.send()).catch(() => {
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
    const { clock } = this.#options;
    try {
      await this.#listen();
      await this.#beat();
      await this.#takeIn();
      await this.#tell();
      await this.#options.requests.exchange();
      this.#isBack();
    } catch (cause) {
      if (!isStoreError(cause)) throw cause;
      this.#isAway(cause.message);
    }
    const untilMs = clock.monotonicMs() + BEAT_MS;
    // News is told, and taken in, between two beats.
    while (!signal.aborted && clock.monotonicMs() < untilMs) {
      await this.#pause(untilMs - clock.monotonicMs(), signal);
      if (this.#awaySince !== null) continue;
      try {
        await this.#takeIn();
        await this.#tell();
        if (this.#hasServed) {
          this.#hasServed = false;
          await this.#options.requests.exchange();
        }
      } catch (cause) {
        if (!isStoreError(cause)) throw cause;
        this.#isAway(cause.message);
      }
    }
    return 0;
  }

  /** Waits, at most until the next figures may be told. */
  async #pause(leftMs: number, signal: AbortSignal): Promise<void> {
    this.#wake = new AbortController();
    const ms = Math.max(1, Math.min(leftMs, TELL_MS));
    await this.#options.clock
      .sleep(ms, AbortSignal.any([signal, this.#wake.signal]))
      .catch(() => {
        // There is news, or the server ends.
      });
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
        return;
      case "refusal":
        this.#due.add("quota");
        break;
      case "accounts":
      case "settings":
        this.#due.add(topic);
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
  }

  async #beat(): Promise<void> {
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
      { version, counts, settings, clockOffsetMs: this.#offsetMs },
    );
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
    const due = [...this.#due];
    this.#due.clear();
    try {
      if (due.includes("accounts") || due.includes("settings")) {
        await this.#takeAccounts();
      }
      if (due.includes("quota")) {
        const { shared: { database, membership: { machine } } } = this.#options;
        const clock = this.#clock;
        this.#takeNews(await readNews(database, { machine, clock }));
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

  #takeNews({ windows, refusals }: News): void {
    const byAccount = new Map<AccountId, KnownWindow[]>();
    for (const known of windows) {
      const { accountId, window } = known;
      if (!this.#isNew(`${accountId} ${window.key}`, window.observedAt)) {
        continue;
      }
      this.#sent.set(`${accountId} ${window.key}`, window);
      byAccount.set(accountId, [...byAccount.get(accountId) ?? [], known]);
    }
    for (const [accountId, known] of byAccount) {
      const newest = known.reduce((a, b) =>
        b.window.observedAt > a.window.observedAt ? b : a
      );
      this.#dispatch({
        kind: "quota_observed",
        observation: {
          accountId,
          at: newest.window.observedAt,
          source: newest.window.source,
          windows: known.map(({ window }) => window),
          overage: null,
        },
      });
    }
    const now = this.#options.clock.now();
    for (const { accountId, verdict, at } of refusals) {
      const key = `${accountId} ${verdict.kind} ${familyOf(verdict)}`;
      if (!this.#isNew(key, at) || verdict.until <= now) continue;
      this.#dispatch({ kind: "refused_elsewhere", accountId, verdict, at });
    }
  }

  #isNew(key: string, at: Instant): boolean {
    const known = this.#taken.get(key);
    if (known !== undefined && known >= at) return false;
    this.#taken.set(key, at);
    return true;
  }

  async #tellPin(): Promise<void> {
    if (!this.#isPinDue) return;
    await this.#options.shared.settings.pin(this.#pin);
    this.#isPinDue = false;
  }

  /** Tells the others what the provider has said here. */
  async #tell(): Promise<void> {
    await this.#tellPin();
    if (this.#dirty.size === 0 && this.#refusals.length === 0) return;
    const { shared: { database, membership: { machine } }, keeper } =
      this.#options;
    const accounts = [...this.#dirty];
    const refusals = this.#refusals;
    this.#dirty.clear();
    this.#refusals = [];
    const windows = accounts.flatMap((id) =>
      newerWindows(id, keeper.state.accounts.get(id)?.windows ?? {}, this.#sent)
    );
    if (windows.length === 0 && refusals.length === 0) return;
    try {
      await tellNews(database, { windows, refusals }, {
        machine,
        clock: this.#clock,
      });
    } catch (cause) {
      for (const id of accounts) this.#dirty.add(id);
      this.#refusals = [...refusals, ...this.#refusals].slice(-REFUSALS_MAX);
      throw cause;
    }
    for (const { accountId, window } of windows) {
      this.#sent.set(`${accountId} ${window.key}`, window);
    }
  }

  /** Notes what this server learns; costs the request a set's entry. */
  #note(event: PoolEvent, state: PoolState): void {
    if (this.#isTakingIn) return;
    switch (event.kind) {
      case "quota_observed": {
        this.#dirty.add(event.observation.accountId);
        const isRefused = event.observation.windows
          .some(({ status }) => status === "rejected");
        if (isRefused) this.#wake.abort();
        return;
      }
      case "verdict_given": {
        const { verdict, at } = event;
        if (verdict.kind !== "exhausted" && verdict.kind !== "throttled") {
          return;
        }
        const accountId = state.leases.get(event.leaseId)?.accountId;
        if (accountId === undefined) return;
        this.#refusals.push({ accountId, verdict, at });
        this.#wake.abort();
        return;
      }
      case "lease_closed":
        this.#hasServed = true;
        return;
      case "pinned":
        if (event.accountId === this.#pin) return;
        this.#pin = event.accountId;
        // Until the store has it, the store's own pin is older.
        this.#isPinDue = true;
        this.#wake.abort();
        return;
      default:
        return;
    }
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

/** Refusals that are kept while the database is away. */
const REFUSALS_MAX = 100;

function familyOf(verdict: SharedRefusal): string {
  return verdict.kind === "exhausted" ? verdict.family ?? "" : "";
}

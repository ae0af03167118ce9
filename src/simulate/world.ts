/**
 * A pool in simulated time: the real core on one side, the provider's true
 * state on the other.
 *
 * @module
 */

import type { Account, AccountId } from "../core/account.ts";
import {
  emptyPool,
  type PoolEvent,
  type PoolSnapshot,
  type PoolState,
  reduce,
  snapshot,
} from "../core/pool/pool.ts";
import {
  type QuotaSource,
  type QuotaWindow,
  type WindowKey,
  windowLengthMs,
  type WindowStatus,
} from "../core/quota/quota.ts";
import type { RouteSettings } from "../core/settings.ts";
import { type Instant, instantFromMs } from "../core/time.ts";
import { type Reception, SimulatedAccount } from "./provider.ts";
import { Random } from "./random.ts";
import { Tally } from "./tally.ts";
import type { PlannedAccount, Workload } from "./workload/workload.ts";

/** Utilization from which headers warn, as the provider's do. */
const WARNING_FROM = 0.75;
const OPENING_TOKENS = 500;

export class World {
  readonly workload: Workload;
  readonly clock: Clockwork;
  readonly tally: Tally;
  readonly accounts: ReadonlyMap<AccountId, SimulatedAccount>;
  state: PoolState;
  /** Called after each event that may let waiting requests go on. */
  onEvent: (event: PoolEvent) => void = () => {};
  /** Called after each event, for the other machines of the pool. */
  onNews: (event: PoolEvent) => void = () => {};

  /**
   * A machine of its own, or another one `beside`: it has the same provider, and
   * knows nothing of what the other knows.
   */
  constructor(
    workload: Workload,
    settings: RouteSettings,
    { seed, beside }: { readonly seed: number; readonly beside: World | null },
  ) {
    this.workload = workload;
    this.clock = beside?.clock ?? new Clockwork(workload.startsAt);
    this.tally = beside?.tally ?? new Tally();
    this.accounts = beside?.accounts ?? provider(workload, seed);
    this.state = emptyPool(settings);
    for (const plan of workload.accounts) {
      const account = accountOf(plan);
      this.dispatch({ kind: "account_put", account, at: this.now });
      if (workload.isKnown) this.observe(account.id, "usage_endpoint", null);
    }
  }

  get now(): Instant {
    return instantFromMs(this.clock.now);
  }

  get isStorm(): boolean {
    return this.workload.storms.some(({ from, to }) =>
      this.now >= from && this.now < to
    );
  }

  snapshot(): PoolSnapshot {
    return snapshot(this.state, this.now);
  }

  dispatch(event: PoolEvent): void {
    this.state = reduce(this.state, event);
    this.onEvent(event);
    this.onNews(event);
  }

  account(id: AccountId): SimulatedAccount {
    const found = this.accounts.get(id);
    if (found === undefined) throw new RangeError(`Cannot find account ${id}`);
    return found;
  }

  /** Gives the core what an answer's headers or the usage endpoint say. */
  observe(
    id: AccountId,
    source: QuotaSource,
    reception: Reception | null,
  ): void {
    const account = this.account(id);
    const { plan } = account;
    if (plan.kind === "api_key") return;
    if (plan.headers === "absent" && source === "response_headers") return;
    const windows = windowsOf(account, { at: this.now, source, reception });
    this.dispatch({
      kind: "quota_observed",
      observation: {
        accountId: id,
        at: this.now,
        source,
        windows,
        overage: null,
      },
    });
  }

  /** Starts the window of an idle account with a request of tc's own. */
  openWindow(id: AccountId): void {
    this.account(id).open(this.now, OPENING_TOKENS);
    this.tally.burnt += OPENING_TOKENS;
    this.observe(id, "response_headers", null);
  }
}

function provider(
  workload: Workload,
  seed: number,
): ReadonlyMap<AccountId, SimulatedAccount> {
  const random = new Random(seed);
  return new Map(
    workload.accounts.map((plan) => [
      accountOf(plan).id,
      new SimulatedAccount(plan, workload, random.fork()),
    ]),
  );
}

function accountOf(plan: PlannedAccount): Account {
  return {
    // A plan's name is its id, because simulated accounts have no other
    // identity.
    id: plan.name as AccountId,
    label: plan.name,
    kind: plan.kind,
    tier: plan.tier,
    priority: 0,
    enabled: true,
    leasesMax: null,
    utilizationMax: null,
    signInEndsAt: null,
  };
}

interface Seen {
  readonly at: Instant;
  readonly source: QuotaSource;
  readonly reception: Reception | null;
}

function windowsOf(account: SimulatedAccount, seen: Seen): QuotaWindow[] {
  const { fiveHour, fiveHourResetsAt, week, weekResetsAt, families } = account
    .figures(seen.at);
  const windows: QuotaWindow[] = [];
  if (fiveHour !== null && fiveHourResetsAt !== null) {
    windows.push(stated(account, seen, {
      key: "5h",
      used: fiveHour,
      resetsAt: fiveHourResetsAt,
      family: null,
    }));
  } else if (seen.source === "usage_endpoint") {
    // The endpoint lists an idle window as unused, without a reset.
    const idle = { key: "5h", used: 0, resetsAt: null, family: null };
    windows.push(stated(account, seen, idle));
  }
  windows.push(stated(account, seen, {
    key: "7d",
    used: week,
    resetsAt: weekResetsAt,
    family: null,
  }));
  for (const [family, used] of families) {
    const key = "7d_oi";
    windows.push(
      stated(account, seen, { key, used, resetsAt: weekResetsAt, family }),
    );
  }
  return windows;
}

function stated(
  { plan }: SimulatedAccount,
  { at, source, reception }: Seen,
  window: {
    readonly key: WindowKey;
    readonly used: number;
    readonly resetsAt: number | null;
    readonly family: string | null;
  },
): QuotaWindow {
  const isRejected = reception?.kind === "exhausted" &&
    reception.window === window.key;
  return {
    key: window.key,
    utilization: shown(plan, window.used),
    status: source === "usage_endpoint"
      ? null
      : statusOf(isRejected, window.used),
    lengthMs: windowLengthMs(window.key),
    resetsAt: window.resetsAt === null ? null : instantFromMs(window.resetsAt),
    observedAt: at,
    source,
    family: window.family,
  };
}

/** Headers give two decimals. */
function shown({ headers }: PlannedAccount, used: number): number {
  switch (headers) {
    case "true":
    case "absent":
      return Math.round(used * 100) / 100;
    case "half":
      return Math.round(used * 50) / 100;
    case "stuck_full":
      return 1;
  }
}

function statusOf(isRejected: boolean, used: number): WindowStatus {
  if (isRejected) return "rejected";
  return used >= WARNING_FROM ? "allowed_warning" : "allowed";
}

interface Due {
  readonly at: number;
  readonly order: number;
  readonly run: () => void;
}

/** A queue of timed actions as a binary heap; equal times keep their order. */
export class Clockwork {
  readonly #heap: Due[] = [];
  #order = 0;
  #now: number;

  constructor(startsAt: number) {
    this.#now = startsAt;
  }

  get now(): number {
    return this.#now;
  }

  /** Runs `run` at `at`, or now if that has passed. */
  at(at: number, run: () => void): void {
    const due = { at: Math.max(at, this.#now), order: this.#order++, run };
    this.#heap.push(due);
    this.#rise(this.#heap.length - 1);
  }

  /** Runs everything up to `end`. */
  runUntil(end: number): void {
    for (let due = this.#heap[0]; due !== undefined; due = this.#heap[0]) {
      if (due.at > end) break;
      this.#take();
      this.#now = due.at;
      due.run();
    }
    this.#now = Math.max(this.#now, end);
  }

  #take(): void {
    const last = this.#heap.pop();
    if (last === undefined || this.#heap.length === 0) return;
    this.#heap[0] = last;
    this.#sink(0);
  }

  #isBefore(a: number, b: number): boolean {
    const x = this.#heap[a];
    const y = this.#heap[b];
    if (x === undefined || y === undefined) return x !== undefined;
    return x.at < y.at || (x.at === y.at && x.order < y.order);
  }

  #swap(a: number, b: number): void {
    const x = this.#heap[a];
    const y = this.#heap[b];
    if (x === undefined || y === undefined) return;
    this.#heap[a] = y;
    this.#heap[b] = x;
  }

  #rise(index: number): void {
    let place = index;
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!this.#isBefore(place, parent)) return;
      this.#swap(place, parent);
      place = parent;
    }
  }

  #sink(index: number): void {
    let place = index;
    while (true) {
      const left = 2 * place + 1;
      const right = left + 1;
      let first = place;
      if (left < this.#heap.length && this.#isBefore(left, first)) first = left;
      if (right < this.#heap.length && this.#isBefore(right, first)) {
        first = right;
      }
      if (first === place) return;
      this.#swap(place, first);
      place = first;
    }
  }
}

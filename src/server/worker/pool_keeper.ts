/**
 * The only mutable state of the pool: it holds the state, folds events into it,
 * and wakes those who wait for a change.
 *
 * @module
 */

import type { AccountId, LeaseId } from "../../core/account.ts";
import {
  type PoolEvent,
  type PoolSnapshot,
  type PoolState,
  reduce,
  type RouteFacts,
  snapshot,
  wakesWaiters,
} from "../../core/pool/pool.ts";
import type { Payment } from "../../core/pool/event.ts";
import { type PersistedPool, restore } from "../../core/pool/persist.ts";
import type { Instant } from "../../core/time.ts";
import type { TokenUsage } from "../../core/usage.ts";
import type { CapacityVerdict } from "../../core/quota/verdict.ts";
import type { Clock, Entropy, Lease, Pool } from "../../ports.ts";
import { SetBack } from "../../system/clock_steps.ts";

/** Called after each event, with the new state. */
type PoolListener = (event: PoolEvent, state: PoolState) => void;

export class PoolKeeper implements Pool {
  readonly #clock: Clock;
  readonly #leasePrefix: string;
  readonly #listeners = new Set<PoolListener>();
  readonly #setBack: SetBack;
  #state: PoolState;
  #leaseCount = 0;
  /** In order of arrival, so that the first to wait decides first. */
  #waiting = new Set<() => void>();
  #isWakeDue = false;
  /**
   * Waiters that are woken together decide at one instant until one of them
   * changes the pool, so the pool is counted once for all of them.
   */
  #wokenAt: Instant | null = null;
  /** The last snapshot. One request asks for several in the same millisecond. */
  #shown: { readonly of: PoolState; readonly as: PoolSnapshot } | null = null;

  constructor(state: PoolState, clock: Clock, entropy: Entropy) {
    this.#state = state;
    this.#clock = clock;
    this.#setBack = new SetBack(clock);
    this.#leasePrefix = entropy.uuid().slice(0, 8);
  }

  get state(): PoolState {
    return this.#state;
  }

  /** Adds what an earlier run knew about the present accounts. */
  remember(memory: PersistedPool): void {
    const at = this.#now();
    this.#state = restore(this.#state, memory, at);
    this.#wake();
  }

  snapshot(): PoolSnapshot {
    // Read the time first: doing so may change the state.
    const at = this.#wokenAt ?? this.#now();
    const shown = this.#shown;
    if (shown !== null && shown.of === this.#state && shown.as.at === at) {
      return shown.as;
    }
    const as = snapshot(this.#state, at);
    this.#shown = { of: this.#state, as };
    return as;
  }

  dispatch(event: PoolEvent): void {
    this.#followClock(this.#clock.now());
    this.#take(event);
  }

  #take(event: PoolEvent): void {
    const before = this.#state;
    this.#state = reduce(before, event);
    const isNew = this.#state !== before;
    if (isNew && this.#wokenAt !== null) this.#wokenAt = this.#clock.now();
    for (const listener of this.#listeners) listener(event, this.#state);
    if (wakesWaiters(event)) this.#wake();
  }

  /** Returns the function that removes the listener. */
  listen(listener: PoolListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  openLease(accountId: AccountId, query: RouteFacts): Lease {
    const id = `${this.#leasePrefix}-${++this.#leaseCount}` as LeaseId;
    this.#take({
      kind: "lease_opened",
      leaseId: id,
      accountId,
      query,
      at: this.#now(),
    });
    let isOpen = true;
    return {
      id,
      accountId,
      close: (usage: TokenUsage | null, paid: Payment | null = null): void => {
        if (!isOpen) return;
        isOpen = false;
        const at = this.#now();
        this.#take({ kind: "lease_closed", leaseId: id, usage, paid, at });
      },
    };
  }

  judge(lease: Lease, verdict: CapacityVerdict): void {
    const at = this.#now();
    this.#take({ kind: "verdict_given", leaseId: lease.id, verdict, at });
  }

  changed(until: Instant, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) return reject(signal.reason);
      const waiting = this.#waiting;
      const alarm = new AbortController();
      function leave(): void {
        alarm.abort();
        waiting.delete(done);
        signal.removeEventListener("abort", abort);
      }
      function done(): void {
        leave();
        resolve();
      }
      function abort(): void {
        leave();
        reject(signal.reason);
      }
      signal.addEventListener("abort", abort, { once: true });
      waiting.add(done);
      const ms = Math.max(0, until - this.#clock.now());
      // Only a waiter that was woken or has left aborts it.
      this.#clock.sleep(ms, alarm.signal).then(done, () => {});
    });
  }

  /**
   * Returns the time; if the clock was set back, the pool is adjusted first.
   */
  #now(): Instant {
    const now = this.#clock.now();
    this.#followClock(now);
    return now;
  }

  #followClock(now: Instant): void {
    const backMs = this.#setBack.since(now);
    if (backMs > 0) this.#take({ kind: "clock_set_back", byMs: backMs });
  }

  /** Wakes once per tick, however many events came in it. */
  #wake(): void {
    if (this.#isWakeDue || this.#waiting.size === 0) return;
    this.#isWakeDue = true;
    queueMicrotask(() => {
      this.#isWakeDue = false;
      this.#wokenAt = this.#clock.now();
      for (const wake of [...this.#waiting]) wake();
      // Runs after all woken waiters have decided.
      queueMicrotask(() => {
        this.#wokenAt = null;
      });
    });
  }
}

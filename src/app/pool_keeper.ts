/**
 * The one mutable cell of the house: it holds the pool's state, folds events
 * into it and wakes those who wait for a change.
 *
 * @module
 */

import type { AccountId, LeaseId } from "../core/account.ts";
import {
  type PoolEvent,
  type PoolSnapshot,
  type PoolState,
  reduce,
  type RouteFacts,
  snapshot,
  wakesWaiters,
} from "../core/pool.ts";
import { type PersistedPool, restore } from "../core/persist.ts";
import type { Instant } from "../core/time.ts";
import type { TokenUsage } from "../core/usage.ts";
import type { CapacityVerdict } from "../core/verdict.ts";
import type { Clock, Entropy, Lease, Pool } from "../ports.ts";

/** Called after each event with the state that it led to. */
export type PoolListener = (event: PoolEvent, state: PoolState) => void;

export class PoolKeeper implements Pool {
  readonly #clock: Clock;
  readonly #leasePrefix: string;
  readonly #listeners = new Set<PoolListener>();
  #state: PoolState;
  #leaseCount = 0;
  /** In the order of their asking, so that the first to wait decides first. */
  #waiting = new Set<() => void>();
  #isWakeDue = false;

  constructor(state: PoolState, clock: Clock, entropy: Entropy) {
    this.#state = state;
    this.#clock = clock;
    this.#leasePrefix = entropy.uuid().slice(0, 8);
  }

  get state(): PoolState {
    return this.#state;
  }

  /** Adds what an earlier run knew of the accounts that are here. */
  remember(memory: PersistedPool): void {
    this.#state = restore(this.#state, memory, this.#clock.now());
    this.#wake();
  }

  snapshot(): PoolSnapshot {
    return snapshot(this.#state, this.#clock.now());
  }

  dispatch(event: PoolEvent): void {
    this.#state = reduce(this.#state, event);
    for (const listener of this.#listeners) listener(event, this.#state);
    if (wakesWaiters(event)) this.#wake();
  }

  /** Returns the function that takes the listener off again. */
  listen(listener: PoolListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  openLease(accountId: AccountId, query: RouteFacts): Lease {
    const id = `${this.#leasePrefix}-${++this.#leaseCount}` as LeaseId;
    this.dispatch({
      kind: "lease_opened",
      leaseId: id,
      accountId,
      query,
      at: this.#clock.now(),
    });
    let isOpen = true;
    return {
      id,
      accountId,
      close: (usage: TokenUsage | null): void => {
        if (!isOpen) return;
        isOpen = false;
        const at = this.#clock.now();
        this.dispatch({ kind: "lease_closed", leaseId: id, usage, at });
      },
    };
  }

  judge(lease: Lease, verdict: CapacityVerdict): void {
    const at = this.#clock.now();
    this.dispatch({ kind: "verdict_given", leaseId: lease.id, verdict, at });
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
      // It is cut short only by who was woken or has left already.
      this.#clock.sleep(ms, alarm.signal).then(done, () => {});
    });
  }

  /** Once a tick, however many events came in it. */
  #wake(): void {
    if (this.#isWakeDue || this.#waiting.size === 0) return;
    this.#isWakeDue = true;
    queueMicrotask(() => {
      this.#isWakeDue = false;
      for (const wake of [...this.#waiting]) wake();
    });
  }
}

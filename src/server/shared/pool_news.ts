/**
 * The quota news that machines of a shared pool exchange. This server's news is
 * kept here until the store has it, and the others' news that is known here
 * already is left out.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import type { PoolEvent, SharedRefusal } from "../../core/pool/event.ts";
import type { PoolState } from "../../core/pool/state.ts";
import type { QuotaWindow } from "../../core/quota/quota.ts";
import type { Instant } from "../../core/time.ts";
import {
  type KnownRefusal,
  type KnownWindow,
  newerWindows,
  type News,
} from "../../store/shared/knowledge.ts";

/** Refusals that are kept while the database is away. */
const REFUSALS_MAX = 100;

export class PoolNews {
  readonly #dirty = new Set<AccountId>();
  /** What the store has of each window, as far as this machine sent or read it. */
  readonly #sent = new Map<string, QuotaWindow>();
  readonly #taken = new Map<string, Instant>();
  #refusals: KnownRefusal[] = [];

  get isEmpty(): boolean {
    return this.#dirty.size + this.#refusals.length === 0;
  }

  /**
   * Notes what the provider has said here. Each request calls it, so it only adds
   * to a set or a list. Returns whether the others should know it at once.
   */
  note(event: PoolEvent, state: PoolState): boolean {
    switch (event.kind) {
      case "quota_observed":
        this.#dirty.add(event.observation.accountId);
        return event.observation.windows
          .some(({ status }) => status === "rejected");
      case "verdict_given": {
        const { verdict, at } = event;
        if (verdict.kind !== "exhausted" && verdict.kind !== "throttled") {
          return false;
        }
        const accountId = state.leases.get(event.leaseId)?.accountId;
        if (accountId === undefined) return false;
        this.#refusals.push({ accountId, verdict, at });
        return true;
      }
      default:
        return false;
    }
  }

  /** Calls `tell` with the news; if it fails, keeps the news for the next call. */
  async telling(
    state: PoolState,
    tell: (news: News) => Promise<void>,
  ): Promise<void> {
    const accounts = [...this.#dirty];
    const refusals = this.#refusals;
    this.#dirty.clear();
    this.#refusals = [];
    const windows = accounts.flatMap((id) =>
      newerWindows(id, state.accounts.get(id)?.windows ?? {}, this.#sent)
    );
    try {
      await tell({ windows, refusals });
    } catch (cause) {
      for (const id of accounts) this.#dirty.add(id);
      this.#refusals = [...refusals, ...this.#refusals].slice(-REFUSALS_MAX);
      throw cause;
    }
    for (const { accountId, window } of windows) {
      this.#sent.set(`${accountId} ${window.key}`, window);
    }
  }

  /** Returns what the pool learns from the news of the others. */
  taken({ windows, refusals }: News, now: Instant): readonly PoolEvent[] {
    const byAccount = new Map<AccountId, KnownWindow[]>();
    for (const known of windows) {
      const { accountId, window } = known;
      if (!this.#isNew(`${accountId} ${window.key}`, window.observedAt)) {
        continue;
      }
      this.#sent.set(`${accountId} ${window.key}`, window);
      byAccount.set(accountId, [...byAccount.get(accountId) ?? [], known]);
    }
    const events: PoolEvent[] = [...byAccount].map(observationOf);
    for (const { accountId, verdict, at } of refusals) {
      const key = `${accountId} ${verdict.kind} ${familyOf(verdict)}`;
      if (!this.#isNew(key, at) || verdict.until <= now) continue;
      events.push({ kind: "refused_elsewhere", accountId, verdict, at });
    }
    return events;
  }

  #isNew(key: string, at: Instant): boolean {
    const known = this.#taken.get(key);
    if (known !== undefined && known >= at) return false;
    this.#taken.set(key, at);
    return true;
  }
}

function observationOf(
  [accountId, known]: readonly [AccountId, readonly KnownWindow[]],
): PoolEvent {
  const newest = known.reduce((a, b) =>
    b.window.observedAt > a.window.observedAt ? b : a
  );
  return {
    kind: "quota_observed",
    observation: {
      accountId,
      at: newest.window.observedAt,
      source: newest.window.source,
      windows: known.map(({ window }) => window),
      overage: null,
    },
  };
}

function familyOf(verdict: SharedRefusal): string {
  return verdict.kind === "exhausted" ? verdict.family ?? "" : "";
}

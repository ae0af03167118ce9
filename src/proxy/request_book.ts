/**
 * The requests in hand and the last ones that ended, for status and the Deck.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import type { Instant } from "../core/time.ts";
import type { TokenUsage } from "../core/usage.ts";
import type { RequestRecord } from "../ports.ts";

/** A request in hand, as it changes. */
export interface OpenRequest {
  readonly id: string;
  readonly startedAt: Instant;
  readonly session: string | null;
  readonly agent: string | null;
  readonly model: string | null;
  state: "waiting" | "held" | "sent" | "streaming";
  accountId: AccountId | null;
  /** Why it waits, or why this account. */
  reason: string | null;
  /** What its answer cost by now; null before one runs. */
  usage: (() => TokenUsage | null) | null;
}

const ENDED_MAX = 200;

export class RequestBook {
  readonly #open = new Map<string, OpenRequest>();
  readonly #ended: RequestRecord[] = [];

  add(request: OpenRequest): void {
    this.#open.set(request.id, request);
  }

  end(record: RequestRecord): void {
    this.#open.delete(record.id);
    this.#ended.push(record);
    if (this.#ended.length > ENDED_MAX) this.#ended.shift();
  }

  /** Requests in hand, oldest first. */
  open(): readonly Readonly<OpenRequest>[] {
    return [...this.#open.values()];
  }

  /** The last requests that ended, newest first. */
  ended(): readonly RequestRecord[] {
    return this.#ended.toReversed();
  }

  get openCount(): number {
    return this.#open.size;
  }
}

/**
 * What simulated sessions met: sums as a client sees them.
 *
 * @module
 */

import { NO_USAGE, type TokenUsage } from "../../core/usage.ts";
import { addUsage } from "../provider/records.ts";

export interface TrafficReport {
  /** Requests sent, tries again included. */
  readonly requests: number;
  /** Streams that came to their `message_stop`. */
  readonly complete: number;
  /** Streams that ended or broke before it. */
  readonly broken: number;
  /** Streams with an `event: error`. */
  readonly errorEvents: number;
  /** Requests without any answer. */
  readonly unreachable: number;
  /** Streams that the client itself left. */
  readonly left: number;
  /** Sends after a first one of the same message. */
  readonly retries: number;
  /** Messages given up after the last retry. */
  readonly givenUp: number;
  readonly prompts: number;
  readonly toolCalls: number;
  readonly subagents: number;
  readonly compactions: number;
  readonly byStatus: Readonly<Record<number, number>>;
  readonly usage: TokenUsage;
  readonly bySession: Readonly<Record<string, TokenUsage>>;
}

export type Counter =
  | "requests"
  | "complete"
  | "broken"
  | "errorEvents"
  | "unreachable"
  | "left"
  | "retries"
  | "givenUp"
  | "prompts"
  | "toolCalls"
  | "subagents"
  | "compactions";

/** Adds up while the traffic runs. */
export class TrafficBook {
  readonly #counts = new Map<Counter, number>();
  readonly #byStatus = new Map<number, number>();
  readonly #bySession = new Map<string, TokenUsage>();
  #usage = NO_USAGE;

  count(counter: Counter): void {
    this.#counts.set(counter, this.of(counter) + 1);
  }

  countStatus(status: number): void {
    this.#byStatus.set(status, (this.#byStatus.get(status) ?? 0) + 1);
  }

  addUsage(session: string, usage: TokenUsage): void {
    const known = this.#bySession.get(session) ?? NO_USAGE;
    this.#bySession.set(session, addUsage(known, usage));
    this.#usage = addUsage(this.#usage, usage);
  }

  of(counter: Counter): number {
    return this.#counts.get(counter) ?? 0;
  }

  report(): TrafficReport {
    return {
      requests: this.of("requests"),
      complete: this.of("complete"),
      broken: this.of("broken"),
      errorEvents: this.of("errorEvents"),
      unreachable: this.of("unreachable"),
      left: this.of("left"),
      retries: this.of("retries"),
      givenUp: this.of("givenUp"),
      prompts: this.of("prompts"),
      toolCalls: this.of("toolCalls"),
      subagents: this.of("subagents"),
      compactions: this.of("compactions"),
      byStatus: Object.fromEntries(this.#byStatus),
      usage: this.#usage,
      bySession: Object.fromEntries(this.#bySession),
    };
  }
}

/**
 * Work that the server does by itself, round after round, until it ends.
 *
 * @module
 */

import type { Clock, Journal } from "../../ports.ts";
import { reasonOf } from "../../errors.ts";

export interface RoundsOptions {
  /** The event of a round that failed, in the log. */
  readonly failure: string;
  readonly clock: Clock;
  readonly journal: Journal;
  /** Does one round; how long to wait for the next. */
  readonly round: (signal: AbortSignal) => Promise<number>;
  /** The wait after a round that failed. */
  readonly afterFailureMs: number;
}

export class Rounds {
  readonly #options: RoundsOptions;
  readonly #stop = new AbortController();
  #running: Promise<void> | null = null;

  constructor(options: RoundsOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Ends the round under way; resolves when it is over. Never rejects. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const waitMs = await this.#round(signal);
      await this.#options.clock.sleep(waitMs, signal).catch(() => {
        // The server ends; the loop's condition says so.
      });
    }
  }

  async #round(signal: AbortSignal): Promise<number> {
    const { round, journal, failure, afterFailureMs } = this.#options;
    try {
      return await round(signal);
    } catch (cause) {
      if (signal.aborted) return 0;
      // Rounds that end with their first failure would do so unnoticed.
      const reason = reasonOf(cause);
      journal.log("warn", failure, { reason });
      return afterFailureMs;
    }
  }
}

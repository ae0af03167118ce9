/**
 * Periodic work of the server, round after round until it ends.
 *
 * @module
 */

import type { Clock, Journal } from "../../ports.ts";
import { reasonOf } from "../../errors.ts";

interface RoundsOptions {
  /** Name of the log event for a failed round. */
  readonly failure: string;
  readonly clock: Clock;
  readonly journal: Journal;
  /** Runs one round. Returns the wait until the next one, in milliseconds. */
  readonly round: (signal: AbortSignal) => Promise<number>;
  /** The wait after a failed round. */
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

  /** Ends the current round. Resolves when it is over; never rejects. */
  async stop(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stop;
    while (!signal.aborted) {
      const waitMs = await this.#round(signal);
      await this.#options.clock.sleep(waitMs, signal).catch(() => {
        // The server ends; the loop's condition ends the loop.
      });
    }
  }

  async #round(signal: AbortSignal): Promise<number> {
    const { round, journal, failure, afterFailureMs } = this.#options;
    try {
      return await round(signal);
    } catch (cause) {
      if (signal.aborted) return 0;
      // Without the catch the rounds would stop unnoticed at the first failure.
      const reason = reasonOf(cause);
      journal.log("warn", failure, { reason });
      return afterFailureMs;
    }
  }
}

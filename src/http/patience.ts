/**
 * How long a client may leave an answer untaken: an account's lease and the
 * connection to the upstream are kept for it all the while.
 *
 * @module
 */

import { Lateness } from "./deadline.ts";

export class Patience {
  readonly #lateness = new Lateness();
  readonly #limitMs: number;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** Calls `late` when the client has taken nothing for about that long. */
  watch(late: () => void): void {
    this.#lateness.watch(late, this.#limitMs);
  }

  forget(late: () => void): void {
    this.#lateness.forget(late);
  }

  /** Forgets all; no timer is left. */
  close(): void {
    this.#lateness.close();
  }
}

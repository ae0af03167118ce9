/**
 * Time limits of the bodies that are on their way: one timer for all, since
 * nearly every body is here before a timer of its own would have been set up.
 *
 * @module
 */

import type { Clock } from "../ports.ts";

/** Looks within one limit; a limit is passed by one look at most. */
const LOOKS_PER_LIMIT = 8;

export class Lateness {
  /** How many looks each has left. */
  readonly #waiting = new Map<() => void, number>();
  #timer: ReturnType<typeof setTimeout> | null = null;

  /** Calls `late` after about `limitMs`, which is the same for all. */
  watch(late: () => void, limitMs: number): void {
    // The next look may come at once: it does not count.
    this.#waiting.set(late, LOOKS_PER_LIMIT + 1);
    this.#timer ??= this.#lookIn(limitMs / LOOKS_PER_LIMIT);
  }

  forget(late: () => void): void {
    this.#waiting.delete(late);
  }

  /** Forgets all; no timer is left. */
  close(): void {
    this.#waiting.clear();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #lookIn(ms: number): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      this.#timer = null;
      for (const [late, left] of this.#waiting) {
        if (left > 1) this.#waiting.set(late, left - 1);
        else {
          this.#waiting.delete(late);
          late();
        }
      }
      if (this.#waiting.size > 0) this.#timer = this.#lookIn(ms);
    }, ms);
  }
}

// MERGED patience.ts: How long a client may leave an answer untaken: an account's lease and the connection to the upstream are kept for it all the while.

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

// MERGED time_limit.ts: The data plane: gives a step of opening a connection its time limit.

/** A step took longer than its limit. */
export class TimeLimitError extends Error {}

export interface TimeLimit {
  readonly clock: Clock;
  readonly limitMs: number;
  /** The caller's own wish to stop. */
  readonly signal: AbortSignal;
}

/**
 * Runs `work` and aborts the signal it gets when the limit passes, with a
 * TimeLimitError, or when the caller's signal aborts, with its reason. `work`
 * must end soon after that abort. No timer outlives the call.
 */
export async function withinLimit<T>(
  { clock, limitMs, signal }: TimeLimit,
  work: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const limit = new AbortController();
  const finished = new AbortController();
  const sleeping = clock.sleep(limitMs, finished.signal).then(
    () => limit.abort(new TimeLimitError(`no success within ${limitMs} ms`)),
    () => {
      // The work was done first, and `finished` ended the sleep.
    },
  );
  try {
    return await work(AbortSignal.any([signal, limit.signal]));
  } finally {
    finished.abort();
    await sleeping;
  }
}

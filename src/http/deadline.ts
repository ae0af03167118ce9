/**
 * Time limits: one timer for many waits of the same length, and a limit around
 * one step of opening a connection.
 *
 * @module
 */

import type { Clock } from "../ports.ts";

/** Checks within one limit: a wait is at most one of them late. */
const CHECKS_PER_LIMIT = 8;

/**
 * One time limit for many waits. They share a timer, since nearly every wait
 * ends before a timer of its own would have been set up.
 */
export class Deadline {
  readonly #limitMs: number;
  /** How many checks each wait has left. */
  readonly #waits = new Map<() => void, number>();
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /** Calls `late` after about the limit, and never before it. */
  watch(late: () => void): void {
    // The next check may come at once, so it does not count.
    this.#waits.set(late, CHECKS_PER_LIMIT + 1);
    this.#timer ??= this.#nextCheck();
  }

  /** Ends a wait in time: `late` is not called. */
  forget(late: () => void): void {
    this.#waits.delete(late);
  }

  /** Ends all waits; no timer is left. */
  close(): void {
    this.#waits.clear();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #nextCheck(): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      this.#timer = null;
      for (const [late, left] of this.#waits) {
        if (left > 1) this.#waits.set(late, left - 1);
        else {
          this.#waits.delete(late);
          late();
        }
      }
      if (this.#waits.size > 0) this.#timer = this.#nextCheck();
    }, this.#limitMs / CHECKS_PER_LIMIT);
  }
}

/** A step took longer than its limit. */
export class TimeLimitError extends Error {}

/** The limit of one step. */
export interface TimeLimit {
  readonly clock: Clock;
  readonly limitMs: number;
  /** Aborted when the caller gives the step up. */
  readonly signal: AbortSignal;
}

/**
 * Runs `work` with a signal that aborts when the limit passes, with a
 * {@linkcode TimeLimitError}, or when the caller's signal aborts, with its
 * reason. `work` must end soon after that. No timer outlives the call.
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

/**
 * Time limits: one timer for many waits of the same length, and a limit around
 * one step of opening a connection.
 *
 * @module
 */

import type { Clock } from "../ports.ts";

/** Checks within one limit: a wait is at most one of them late. */
const CHECKS_PER_LIMIT = 8;

/** A wait that can be used again; at most one {@linkcode Deadline} limits it. */
export class Wait {
  readonly late: () => void;
  /** The list that holds it, and its index there; null while nothing limits it. */
  among: Wait[] | null = null;
  place = 0;
  /** How many checks it has left. */
  checksLeft = 0;

  /** `late` is called when the limit passes. */
  constructor(late: () => void) {
    this.late = late;
  }

  /** Ends the wait in time: `late` is not called. */
  end(): void {
    const { among, place } = this;
    if (among === null) return;
    this.among = null;
    const last = among.pop();
    if (last === undefined || last === this) return;
    among[place] = last;
    last.place = place;
  }
}

/**
 * One time limit for many waits. They share a timer, since nearly every wait
 * ends before a timer of its own would have been set up.
 */
export class Deadline {
  readonly #limitMs: number;
  /**
   * A list and not a map, whose old tables would keep what ended alive (see
   * `RequestBook` in proxy/proxy.ts).
   */
  readonly #waits: Wait[] = [];
  #timer: ReturnType<typeof setTimeout> | null = null;

  constructor(limitMs: number) {
    this.#limitMs = limitMs;
  }

  /**
   * Calls the wait's `late` after about the limit, and never before it. Another
   * deadline that limited the wait does so no more.
   */
  watch(wait: Wait): void {
    // The next check may come at once, so it does not count.
    wait.checksLeft = CHECKS_PER_LIMIT + 1;
    if (wait.among !== this.#waits) {
      wait.end();
      wait.among = this.#waits;
      wait.place = this.#waits.push(wait) - 1;
    }
    this.#timer ??= this.#nextCheck();
  }

  /** Ends all waits; no timer is left. */
  close(): void {
    while (this.#waits.length > 0) this.#waits.at(-1)?.end();
    if (this.#timer !== null) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #nextCheck(): ReturnType<typeof setTimeout> {
    return setTimeout(() => {
      this.#timer = null;
      for (const wait of this.#waits) wait.checksLeft--;
      for (const wait of this.#waits.filter((one) => one.checksLeft === 0)) {
        // An earlier one may have ended it.
        if (wait.among === null) continue;
        wait.end();
        wait.late();
      }
      if (this.#waits.length > 0) this.#timer ??= this.#nextCheck();
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

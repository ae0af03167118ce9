/**
 * Time limits of the bodies that are on their way: one timer for all, since
 * nearly every body is here before a timer of its own would have been set up.
 *
 * @module
 */

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

/**
 * Log lines for requests that were refused before they became work: a wrong
 * key, a body that is too large, a name that nobody has. Whoever may connect
 * can cause them, so their number is limited.
 *
 * @module
 */

import type { Clock, Journal } from "../ports.ts";
import { MINUTE_MS } from "../core/time.ts";

export interface Refusal {
  readonly method: string;
  /** As it came, with authority and query. */
  readonly url: string;
  readonly status: number;
  readonly why: string;
}

/** Lines a minute; the rest is counted. */
const LINES_MAX = 20;

export class RefusalLog {
  readonly #clock: Clock;
  readonly #journal: Journal;
  #startedMs = -Infinity;
  #lines = 0;
  #left = 0;

  constructor(clock: Clock, journal: Journal) {
    this.#clock = clock;
    this.#journal = journal;
  }

  /** Writes a line, or counts it where this minute has had its share. */
  tell({ method, url, status, why }: Refusal): void {
    const now = this.#clock.monotonicMs();
    if (now - this.#startedMs >= MINUTE_MS) {
      if (this.#left > 0) {
        this.#journal.log("warn", "refused", { more: this.#left });
      }
      this.#startedMs = now;
      this.#lines = 0;
      this.#left = 0;
    }
    if (this.#lines === LINES_MAX) {
      this.#left += 1;
      return;
    }
    this.#lines += 1;
    this.#journal.log("warn", "refused", {
      method: method.slice(0, 16),
      path: pathOf(url),
      status,
      why,
    });
  }
}

/** The path without what may be a key, and not longer than a line. */
function pathOf(url: string): string {
  const path = /^[a-z]+:\/\/[^/?#]*([^?#]*)/i.exec(url)?.[1] ?? url;
  return path.replace(/^\/+k(\/[^/]*)?/, "/k/…").slice(0, 200);
}

/**
 * Learns how long connections to one origin may rest in the pool. An upstream
 * or a corporate proxy may close idle connections earlier than we do; a request
 * written to such a connection is lost, since nobody can say whether it arrived.
 *
 * @module
 */

import { MINUTE_MS, SECOND_MS } from "../core/time.ts";

/** A connection that ended sooner than this ended for another reason. */
const EVIDENCE_MS_MIN = SECOND_MS;

/** We close at this share of the shortest rest that was seen to be too long. */
const MARGIN = 0.75;

/** After this long without a death the limit doubles: proxies change. */
const FORGET_MS = 10 * MINUTE_MS;

/** The longest safe rest of one origin's connections. */
export class RestLimit {
  #limitMs = Infinity;
  #changedAtMs = 0;

  /** Returns the longest rest, in ms, after which a connection is still used. */
  limitMs(nowMs: number): number {
    const doublings = Math.floor((nowMs - this.#changedAtMs) / FORGET_MS);
    return this.#limitMs * 2 ** Math.max(0, doublings);
  }

  /** Notes at `nowMs` that the other side ended a connection after `restMs` of rest. */
  ended(restMs: number, nowMs: number): void {
    if (restMs < EVIDENCE_MS_MIN) return;
    const learnedMs = restMs * MARGIN;
    if (learnedMs >= this.limitMs(nowMs)) return;
    this.#limitMs = learnedMs;
    this.#changedAtMs = nowMs;
  }
}

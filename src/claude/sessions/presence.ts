/**
 * Whether a session is here: the seed's rule. Pure.
 *
 * @module
 */

import { MINUTE_MS, SECOND_MS } from "../../core/time.ts";
import type { LastTurn } from "./transcript.ts";

/** A session that took no turn for longer drops out of the Deck. */
export const PRESENT_MS = 30 * MINUTE_MS;

/** So long a new session may have no transcript. */
export const NEW_MS = 120 * SECOND_MS;

export interface PresenceFacts {
  readonly isToolRunning: boolean;
  readonly lastTurn: LastTurn;
  readonly startedAt: number | null;
}

/**
 * Present iff a tool runs now, or the last real turn was within 30 minutes, or
 * nothing is known of turns and it was started within 120 seconds. Process ids
 * do not count: the system gives them to others.
 */
export function isPresent(facts: PresenceFacts, now: number): boolean {
  if (facts.isToolRunning) return true;
  if (facts.lastTurn.kind !== "unknown") {
    return now - facts.lastTurn.at <= PRESENT_MS;
  }
  return facts.startedAt !== null && now - facts.startedAt <= NEW_MS;
}

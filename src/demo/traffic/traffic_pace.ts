/**
 * How fast simulated sessions go.
 *
 * @module
 */

import { MINUTE_MS, SECOND_MS } from "../../core/time.ts";
import type { Dice } from "../dice.ts";

export type PaceName =
  /** A person who reads and thinks between prompts. */
  | "human"
  /** Agents that go on as soon as their tools are done. */
  | "fleet"
  /** No wait at all: for load tests. */
  | "instant";

/** Waits in milliseconds. */
export interface Pace {
  /** Between the end of a turn and the next prompt. */
  thinkMs(dice: Dice): number;
  /** What a tool takes. */
  toolMs(dice: Dice): number;
  /** Before try `retry` + 1, when the answer asked for so many seconds. */
  retryMs(retry: number, retryAfterSeconds: number): number;
}

const BACKOFF_MS = 500;
const BACKOFF_MS_MAX = 32 * SECOND_MS;
const INSTANT_RETRY_MS = 5;
const THINK_MS_MEDIAN = 8 * SECOND_MS;
const THINK_MS_MAX = 2 * MINUTE_MS;

/** The real client waits half a second, doubled each time, or what it is told. */
function patientRetryMs(retry: number, retryAfterSeconds: number): number {
  const backoffMs = Math.min(BACKOFF_MS * 2 ** retry, BACKOFF_MS_MAX);
  return Math.max(backoffMs, retryAfterSeconds * SECOND_MS);
}

export const PACES: Readonly<Record<PaceName, Pace>> = {
  human: {
    // Log-normal: most pauses are short, some are long.
    thinkMs: (dice) =>
      Math.min(THINK_MS_MAX, THINK_MS_MEDIAN * Math.exp(0.8 * normal(dice))),
    toolMs: (dice) => dice.integer(300, 3_000),
    retryMs: patientRetryMs,
  },
  fleet: {
    thinkMs: (dice) => dice.integer(200, 1_500),
    toolMs: (dice) => dice.integer(100, 1_000),
    retryMs: patientRetryMs,
  },
  instant: {
    thinkMs: () => 0,
    toolMs: () => 0,
    retryMs: () => INSTANT_RETRY_MS,
  },
};

/** A standard normal throw (Box and Muller). */
function normal(dice: Dice): number {
  const radius = Math.sqrt(-2 * Math.log(1 - dice.random()));
  return radius * Math.cos(2 * Math.PI * dice.random());
}

/**
 * Waiting for work that others wait for as well: giving up does not stop it.
 *
 * @module
 */

import type { Clock } from "../ports.ts";

export interface Patience {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** How long to wait; null waits until `signal` aborts. */
  readonly limitMs: number | null;
}

/** The result of `work`, or null when patience ended first. */
export async function within<Result>(
  work: Promise<Result>,
  { clock, signal, limitMs }: Patience,
): Promise<Result | null> {
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const end = limitMs === null
    ? aborted(either)
    : clock.sleep(limitMs, either).then(() => null, () => null);
  try {
    return await Promise.race([work, end]);
  } finally {
    stop.abort();
  }
}

function aborted(signal: AbortSignal): Promise<null> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve(null);
    signal.addEventListener("abort", () => resolve(null), { once: true });
  });
}

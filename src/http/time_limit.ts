/**
 * The data plane: gives a step of opening a connection its time limit.
 *
 * @module
 */

import type { Clock } from "../ports.ts";

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

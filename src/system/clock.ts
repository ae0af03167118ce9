/**
 * The system's clocks and random source.
 *
 * @module
 */

import { localZone, type Zone } from "../core/calendar.ts";
import { instantFromMs } from "../core/time.ts";
import type { Clock, Entropy } from "../ports.ts";

export const systemClock: Clock = {
  now: () => instantFromMs(Date.now()),
  monotonicMs: () => performance.now(),
  sleep: (ms, signal) => sleep(ms, signal),
};

export const systemEntropy: Entropy = {
  random: () => Math.random(),
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  uuid: () => crypto.randomUUID(),
};

/** Returns the time zone of this machine. */
export function systemZone(): Zone {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return localZone(timeZone, -new Date().getTimezoneOffset());
}

/** Longer timers overflow to zero in every JavaScript runtime. */
const TIMER_MS_MAX = 2_147_483_647;

function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const timer = setTimeout(done, Math.min(Math.max(0, ms), TIMER_MS_MAX));
    function done(): void {
      signal?.removeEventListener("abort", abort);
      resolve();
    }
    function abort(): void {
      clearTimeout(timer);
      reject(signal?.reason);
    }
    signal?.addEventListener("abort", abort, { once: true });
  });
}

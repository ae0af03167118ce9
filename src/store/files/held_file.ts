/**
 * Waits for files that another program holds open for a moment: Windows neither
 * renames nor removes a file that a virus scanner, an indexer or a reader has
 * open.
 *
 * @module
 */

import { systemCode } from "./file_target.ts";

/** A scanner is done with a new file within this time. */
const HELD_MS_MAX = 10_000;
const PAUSE_MS_MIN = 20;
const PAUSE_MS_MAX = 500;

/**
 * The os errors 5, 32 and 33: access denied, sharing violation, lock violation.
 */
const HELD = ["EACCES", "EBUSY"];

interface HeldOptions {
  readonly system?: string;
  readonly msMax?: number;
}

/**
 * Returns what `act` returns. On Windows it is called again while another
 * program holds the file. `act` itself must not pause.
 */
export async function pastHolders<Result>(
  act: () => Result,
  options: HeldOptions = {},
): Promise<Result> {
  for (const pauseMs of pauses(options)) {
    try {
      return act();
    } catch (cause) {
      if (!HELD.includes(systemCode(cause) ?? "")) throw cause;
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
  }
  return act();
}

/**
 * Like {@linkcode pastHolders}, synchronously, for files without which tc
 * cannot start.
 */
export function pastHoldersNow<Result>(
  act: () => Result,
  options: HeldOptions = {},
): Result {
  const clock = new Int32Array(new SharedArrayBuffer(4));
  for (const pauseMs of pauses(options)) {
    try {
      return act();
    } catch (cause) {
      if (!HELD.includes(systemCode(cause) ?? "")) throw cause;
    }
    Atomics.wait(clock, 0, 0, pauseMs);
  }
  return act();
}

/**
 * Yields the pauses between tries in milliseconds. Only Windows refuses to
 * replace a file that somebody has open, so elsewhere there are none.
 */
function* pauses(
  { system = Deno.build.os, msMax = HELD_MS_MAX }: HeldOptions,
): Generator<number> {
  if (system !== "windows") return;
  const endMs = performance.now() + msMax;
  let pauseMs = PAUSE_MS_MIN;
  while (performance.now() < endMs) {
    yield pauseMs;
    pauseMs = Math.min(pauseMs * 2, PAUSE_MS_MAX);
  }
}

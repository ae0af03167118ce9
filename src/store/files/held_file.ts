/**
 * Files that another program holds for a moment. Windows renames and removes
 * none that a virus scanner, an indexer or a reader has open.
 *
 * @module
 */

import { systemCode } from "./file_target.ts";

/** A scanner that looks into a new file is done with it by then. */
const HELD_MS_MAX = 10_000;
const PAUSE_MS_MIN = 20;
const PAUSE_MS_MAX = 500;

/** The os errors 5, 32 and 33: denied, shared, locked. */
const HELD = ["EACCES", "EBUSY"];

export interface HeldOptions {
  readonly system?: string;
  readonly msMax?: number;
}

/**
 * Returns what `act` returns; on Windows it is called again, without a pause of
 * its own inside, while another program holds the file.
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

/** As {@linkcode pastHolders}, for what a start cannot go on without. */
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

/** The pauses between the tries; none where a held file is no hindrance. */
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

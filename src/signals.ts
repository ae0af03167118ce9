/**
 * The signals that each system knows.
 *
 * @module
 */

import type { System } from "./variables.ts";

/** The runtime refuses to listen for any other signal on Windows. */
const OF_WINDOWS: readonly Deno.Signal[] = ["SIGINT", "SIGBREAK"];

/** Returns those of `signals` that a process on `system` can listen for. */
export function knownSignals<Wanted extends Deno.Signal>(
  signals: readonly Wanted[],
  system: System,
): readonly Wanted[] {
  return signals.filter((signal) =>
    system === "windows" ? OF_WINDOWS.includes(signal) : signal !== "SIGBREAK"
  );
}

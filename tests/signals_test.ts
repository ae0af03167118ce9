/** Which signals each system knows. */

import { deepStrictEqual } from "node:assert/strict";
import { knownSignals } from "../src/signals.ts";

Deno.test("knownSignals() keeps what a process on the system can listen for", () => {
  const all = ["SIGINT", "SIGBREAK", "SIGTERM", "SIGHUP", "SIGUSR1"] as const;
  const unix = ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR1"];
  deepStrictEqual(knownSignals(all, "linux"), unix);
  deepStrictEqual(knownSignals(all, "darwin"), unix);
  deepStrictEqual(knownSignals(all, "windows"), ["SIGINT", "SIGBREAK"]);
  // What it returns for this system, the runtime takes.
  for (const signal of knownSignals(all, Deno.build.os)) {
    const listener = () => {};
    Deno.addSignalListener(signal, listener);
    Deno.removeSignalListener(signal, listener);
  }
});

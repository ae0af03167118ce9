/** What a terminal can do on each system. */

import { systemTerminal } from "../../src/deck/terminal/terminal.ts";
import { needs } from "../fixtures/skipped.ts";

Deno.test("on Windows the size is looked at, because no signal tells of it", async () => {
  const terminal = systemTerminal("windows");
  const told = Promise.withResolvers<void>();
  const release = terminal.onResize(told.resolve);
  await told.promise;
  release();
  // There is nobody to resume it.
  terminal.suspend();
});

Deno.test({
  name: "elsewhere a signal tells of the size",
  ignore: needs("signals"),
  fn: async () => {
    // A listener alone does not keep a process waiting.
    const awake = setInterval(() => {}, 1_000);
    for (const system of ["linux", "darwin"] as const) {
      const told = Promise.withResolvers<void>();
      const release = systemTerminal(system).onResize(told.resolve);
      Deno.kill(Deno.pid, "SIGWINCH");
      await told.promise;
      release();
    }
    clearInterval(awake);
  },
});

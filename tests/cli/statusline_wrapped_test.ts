/** The status line that was there before, run beside tc's own. */

import { ok, strictEqual } from "node:assert/strict";
import { runWrapped } from "../../src/cli/statusline_wrapped.ts";

Deno.test({
  name: "runWrapped() waits no longer for what the old command left running",
  ignore: Deno.build.os === "windows",
  async fn() {
    for (const rest of ["sleep 20; true", "sleep 20 & true"]) {
      const startMs = performance.now();
      const command = `echo mine; ${rest}`;
      const line = await runWrapped({ type: "command", command }, "", 500);
      ok(performance.now() - startMs < 10_000, rest);
      strictEqual(line, "mine");
    }
  },
});

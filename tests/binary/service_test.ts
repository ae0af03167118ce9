/** The service of Windows, whose manager ends a program without a word to it. */

import "../fixtures/clean_environment.ts";
import { strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { listening } from "../fixtures/listening.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { needsWindows } from "../fixtures/skipped.ts";

Deno.test({
  name: "tc service stop on Windows lets the server end in order",
  ignore: needsWindows("tasks"),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api);
    const child = pool.command(["server", "--headless"], {
      stdout: "null",
      stderr: "null",
    }).spawn();
    await listening(pool.port);
    const end = await pool.tc(["service", "stop"]);
    strictEqual(end.code, 0, end.stderr);
    // A process that was terminated ends with 1.
    strictEqual((await child.status).code, 0);
  },
});

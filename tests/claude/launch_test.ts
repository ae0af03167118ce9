/** How the client is run in the place of this process. */

import { strictEqual } from "node:assert/strict";
import { runInPlace } from "../../src/claude/launch.ts";

Deno.test({
  name: "runInPlace() ends with the client's own code, also after any signal",
  ignore: Deno.build.os === "windows",
  async fn() {
    const run = (script: string) =>
      runInPlace(
        "/bin/sh",
        ["-c", script],
        { PATH: "/usr/bin:/bin" },
        Deno.build.os,
      );
    strictEqual(await run("exit 7"), 7);
    strictEqual(await run("kill -TERM $$"), 143);
    strictEqual(await run("kill -ABRT $$"), 134);
    strictEqual(await run("kill -SEGV $$"), 139);
  },
});

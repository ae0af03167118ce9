/** How many files a process may open, as each system tells it. */

import { ok, strictEqual } from "node:assert/strict";
import { openFiles, withOpenFiles } from "../../src/system/open_files.ts";
import { needs, needsLinux } from "../fixtures/skipped.ts";

Deno.test("openFiles() knows of no limit on Windows, and nothing is raised there", async () => {
  strictEqual(await openFiles("windows"), null);
  const command = ["C:\\tc.exe", "server"];
  strictEqual(withOpenFiles(command, "windows"), command);
});

Deno.test({
  name: "openFiles() asks a shell where there is no /proc",
  ignore: needs("scripts"),
  fn: async () => {
    const files = await openFiles("darwin");
    // Null is: as many as the process likes.
    ok(files === null || files > 0, String(files));
    strictEqual(withOpenFiles(["tc"], "darwin")[0], "/bin/sh");
  },
});

Deno.test({
  name: "openFiles() says the same by /proc and by a shell",
  ignore: needsLinux("limits"),
  fn: async () => {
    strictEqual(await openFiles("linux"), await openFiles("darwin"));
  },
});

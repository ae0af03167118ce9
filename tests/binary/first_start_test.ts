/** The first command in a home without a file of tc. */

import "../fixtures/clean_environment.ts";
import { match, strictEqual } from "node:assert/strict";
import { cleanVariables, tcCommand } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

const END_MS_MAX = 60_000;

Deno.test("the first command makes key and vault and ends", async () => {
  await using home = new TempFolder();
  const [program, ...first] = tcCommand();
  for (let number = 0; number < 2; number++) {
    const { code, stderr, signal } = await new Deno.Command(program, {
      args: [...first, "accounts"],
      clearEnv: true,
      env: cleanVariables(home.path),
      stdin: "null",
      signal: AbortSignal.timeout(END_MS_MAX),
    }).output();
    strictEqual(signal, null);
    strictEqual(code, 0);
    match(new TextDecoder().decode(stderr), /No accounts yet/);
  }
});

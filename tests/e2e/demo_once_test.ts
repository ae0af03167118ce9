/** The README's first command, as a newcomer types it. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { cleanVariables, tcCommand } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

async function demo(
  ...words: readonly string[]
): Promise<{ readonly code: number; readonly stdout: string }> {
  await using home = new TempFolder();
  const [program, ...first] = tcCommand();
  const { code, stdout } = await new Deno.Command(program, {
    args: [...first, "demo", ...words],
    clearEnv: true,
    env: cleanVariables(home.path),
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).output();
  return { code, stdout: new TextDecoder().decode(stdout) };
}

Deno.test("tc demo --once answers although the first account is spent", async () => {
  const { code, stdout } = await demo("--once", "--json");
  strictEqual(code, 0);
  const answer = JSON.parse(stdout);
  strictEqual(answer.schema, "tc.demo/v1");
  ok(answer.text.length > 20);
  strictEqual(answer.attempts, 2);
  strictEqual(answer.reason, "moved");
  match(answer.account, /^(work|home|spare)$/);
});

Deno.test("tc demo --once says in words who served and why", async () => {
  const { code, stdout } = await demo("--once");
  strictEqual(code, 0);
  match(stdout, /\nServed by \w+, one of 3 accounts, in \d+\.\d s\.\n/);
  match(
    stdout,
    /\nWhy \w+: it left \w+, and of the others with room this is the cheapest\.\n/,
  );
});

/** A whole `tc run` against the demo's provider, by the executable. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { putClient, STUB_MARK } from "../fixtures/client_stub.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { cleanVariables, tcCommand, TcPool } from "../fixtures/tc_process.ts";
import { TempFolder } from "../fixtures/temp_folder.ts";

/** What cmd.exe would change, cut, or refuse. */
const ARGUMENTS = [
  "-p",
  "two\nlines",
  '100% of %PATH% & "it"',
  "x".repeat(9e3),
];

Deno.test("tc run starts a server and the client, with its arguments as they are", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  const folder = pool.folder.join("bin");
  await Deno.mkdir(folder);
  const file = pool.folder.join("arguments");
  const { code } = await pool.command(["run", "--", ...ARGUMENTS], {
    env: { PATH: await putClient(folder), STUB_FILE: file },
    stdout: "null",
    stderr: "null",
  }).spawn().status;
  strictEqual(code, 0);
  const text = await Deno.readTextFile(file);
  deepStrictEqual(text.split(STUB_MARK).slice(0, -1), ARGUMENTS);
});

/**
 * Whether a server in the background gets all handles of who starts it, the pipe
 * of its output included: on Windows a detached child of Deno 2.7 does, with
 * which `.ci/run` makes the executable, and one of Deno 2.9 does not, with which
 * a release is made.
 */
async function isTiedToItsServer(): Promise<boolean> {
  if (Deno.build.os !== "windows") return false;
  await using home = new TempFolder();
  const [program, ...first] = tcCommand();
  const { stdout } = await new Deno.Command(program, {
    args: [...first, "version", "--json"],
    clearEnv: true,
    env: cleanVariables(home.path),
    stdin: "null",
  }).output();
  const { deno } = JSON.parse(new TextDecoder().decode(stdout));
  const [major = 0, minor = 0] = String(deno).split(".").map(Number);
  return major < 3 && minor < 9;
}

Deno.test({
  name:
    "a command's output ends with it, though the server that it started runs on",
  ignore: await isTiedToItsServer(),
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    for (const words of [["env"], ["restart"]]) {
      // It reads both pipes to their ends.
      const { code, stderr } = await pool.tc(words);
      strictEqual(code, 0, stderr);
      const { stdout } = await pool.tc(["status", "--json"]);
      strictEqual(JSON.parse(stdout).schema, "tc.status/v1", stdout);
    }
  },
});

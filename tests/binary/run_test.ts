/** A whole `tc run` against the demo's provider, by the executable. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { putClient, STUB_MARK } from "../fixtures/client_stub.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

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
  // An older base lets the server hold a pipe of the command's output open.
  const { code } = await pool.command(["run", "--", ...ARGUMENTS], {
    env: { PATH: await putClient(folder), STUB_FILE: file },
    stdout: "null",
    stderr: "null",
  }).spawn().status;
  strictEqual(code, 0);
  const text = await Deno.readTextFile(file);
  deepStrictEqual(text.split(STUB_MARK).slice(0, -1), ARGUMENTS);
});

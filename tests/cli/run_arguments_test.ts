/** Which words of `tc run` are tc's and which are Claude Code's. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, match, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { putClient, STUB_MARK } from "../fixtures/client_stub.ts";
import { TcPool } from "../fixtures/tc_process.ts";

/** What is typed behind `tc`, and what the client gets. */
const CASES: readonly (readonly [readonly string[], readonly string[]])[] = [
  [["run"], []],
  [["run", "-p", "hi"], ["-p", "hi"]],
  [["run", "--continue"], ["--continue"]],
  [["run", "hello", "-p"], ["hello", "-p"]],
  [["run", "--model", "opus", "-p", "hi", "-c"], [
    "--model",
    "opus",
    "-p",
    "hi",
    "-c",
  ]],
  [["run", "--policy", "pace", "-p", "hi"], ["-p", "hi"]],
  [["run", "-p", "hi", "--policy", "pace"], ["-p", "hi"]],
  [["run", "-p", "hi", "--", "--policy", "pace"], [
    "-p",
    "hi",
    "--policy",
    "pace",
  ]],
  [["run", "--", "-p", "a", "--", "b"], ["-p", "a", "--", "b"]],
  [["run", "--", "--", "b"], ["--", "b"]],
  [["run", "--", "--help"], ["--help"]],
  [["run", "mcp", "list"], ["mcp", "list"]],
  [["--resume", "ID", "-p", "x"], ["--resume", "ID", "-p", "x"]],
  [["-c"], ["-c"]],
  // What cmd.exe would change, cut, or refuse.
  [["run", "-p", "two\nlines"], ["-p", "two\nlines"]],
  [["run", "-p", '100% of %PATH% & "it"'], ["-p", '100% of %PATH% & "it"']],
  [["run", "-p", "x".repeat(20_000)], ["-p", "x".repeat(20_000)]],
];

Deno.test({
  name: "unknown options of tc run go to Claude Code, with or without --",
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const folder = pool.folder.join("bin");
    await Deno.mkdir(folder);
    const env = { PATH: await putClient(folder) };
    for (const [typed, expected] of CASES) {
      const { code, stdout, stderr } = await pool.tc(typed, env);
      strictEqual(code, 0, stderr);
      const got = stdout.split(STUB_MARK).slice(0, -1);
      deepStrictEqual(got, expected, typed.join(" "));
    }
    const help = await pool.tc(["run", "--help"], env);
    match(help.stdout, /tc run/);
    const missing = await pool.tc(["run", "--account"], env);
    strictEqual(missing.code, 2, missing.stdout);
  },
});

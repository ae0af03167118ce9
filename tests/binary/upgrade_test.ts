/** An upgrade of the executable while it runs, on Windows. */

import "../fixtures/clean_environment.ts";
import { match, strictEqual } from "node:assert/strict";
import { replaceProgram } from "../../src/release/upgrade.ts";
import { listening } from "../fixtures/listening.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { needsWindows } from "../fixtures/skipped.ts";

const BINARY = Deno.env.get("TC_TEST_BINARY");

Deno.test({
  name: "a program that runs is replaced, twice, and removed once it has ended",
  ignore: BINARY === undefined || needsWindows("files"),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api);
    const bin = pool.folder.join("bin");
    await Deno.mkdir(bin);
    const path = `${bin}\\tc.exe`;
    await Deno.copyFile(BINARY ?? "", path);
    const env = pool.variables;
    const { stdout } = await new Deno.Command(path, {
      args: ["--version"],
      clearEnv: true,
      env,
      stdin: "null",
    }).output();
    const version = /^tc (\S+)/.exec(new TextDecoder().decode(stdout))?.[1] ??
      "";
    match(version, /^\d+\.\d+/);
    const next = {
      program: await Deno.readFile(path),
      version,
      before: version,
    };
    async function names(): Promise<readonly string[]> {
      const found = await Array.fromAsync(Deno.readDir(bin));
      return found.map(({ name }) => name)
        .filter((name) => name.startsWith("tc.exe.old"));
    }
    const child = new Deno.Command(path, {
      args: ["server", "--headless"],
      clearEnv: true,
      env,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    await listening(pool.port);
    // The first runs on under another name; the second time it is still there.
    for (const count of [1, 2]) {
      await replaceProgram(path, next, Deno.build.os);
      strictEqual((await names()).length, count);
    }
    strictEqual((await pool.tc(["stop"])).code, 0);
    await child.status;
    await replaceProgram(path, next, Deno.build.os);
    // What was replaced last goes with the next upgrade.
    strictEqual((await names()).length, 1);
  },
});

/** Commands that the executable writes for later outlive its version. */

import "../fixtures/clean_environment.ts";
import { ok, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { needs } from "../fixtures/skipped.ts";

const BINARY = Deno.env.get("TC_TEST_BINARY");

Deno.test({
  name:
    "status line, hooks, and unit name the link on the PATH, not the version's folder",
  ignore: BINARY === undefined || needs("scripts"),
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using pool = await TcPool.of(api);
    const versions = ["1", "2"].map((one) =>
      pool.folder.join("Cellar", one, "tc")
    );
    for (const path of versions) {
      await Deno.mkdir(path.slice(0, -3), { recursive: true });
      await Deno.copyFile(BINARY ?? "", path);
    }
    const [old = "", next = ""] = versions;
    const link = pool.folder.join("bin", "tc");
    await Deno.mkdir(pool.folder.join("bin"));
    await Deno.symlink(old, link);
    const env = {
      ...pool.variables,
      PATH: `${pool.folder.join("bin")}:/usr/bin:/bin`,
    };
    async function run(...args: readonly string[]): Promise<string> {
      const { code, stdout, stderr } = await new Deno.Command(link, {
        args: [...args],
        clearEnv: true,
        env,
        stdin: "null",
      }).output();
      strictEqual(code, 0, new TextDecoder().decode(stderr));
      return new TextDecoder().decode(stdout);
    }
    await run("statusline", "install");
    const settings = await Deno.readTextFile(
      pool.folder.join(".claude", "settings.json"),
    );
    const plugin = await run("plugin", "install", "--dry-run").catch(() => "");
    const unit = await run("service", "print");
    for (const text of [settings, unit]) {
      ok(text.includes(link), text);
      ok(!text.includes("Cellar"), text);
    }
    ok(!plugin.includes("Cellar"), plugin);
    // An upgrade removes the old folder and leads the link to the new one.
    await Deno.remove(old);
    await Deno.remove(link);
    await Deno.symlink(next, link);
    const { command } = JSON.parse(settings).statusLine;
    const line = await new Deno.Command("/bin/sh", {
      args: ["-c", command],
      clearEnv: true,
      env,
      stdin: "null",
    }).output();
    strictEqual(line.code, 0);
  },
});

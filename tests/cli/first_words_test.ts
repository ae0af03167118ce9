/** What a newcomer types first, and where a shell puts it. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { isInForeground } from "../../src/system/terminal_job.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { tcCommand, TcPool } from "../fixtures/tc_process.ts";
import { hasTmux, Tmux } from "../fixtures/tmux.ts";

Deno.test("a group of commands without a command shows its help", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  for (const group of ["config", "swap", "profile", "plugin", "service"]) {
    const { code, stdout, stderr } = await pool.tc([group]);
    strictEqual(code, 2);
    match(stdout, new RegExp(`Usage: tc ${group} |tc ${group} `));
    ok(!`${stdout}${stderr}`.includes("outputHelp"), stderr);
  }
});

Deno.test("a proxy variable that is no URL is named, and is no bug in tc", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const { code, stderr } = await pool.tc(["server", "--headless"], {
    HTTPS_PROXY: "ht!tp://x:secret@z",
  });
  strictEqual(code, 78, stderr);
  match(stderr, /HTTPS_PROXY is not a URL/);
  ok(!/bug in tc|secret/.test(stderr), stderr);
});

Deno.test({
  name: "the config of another user's folder is not changed",
  ignore: Deno.build.os === "windows" || Deno.uid() !== 0,
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await TcPool.of(api);
    const folder = pool.folder.join("theirs");
    await Deno.mkdir(folder);
    const file = `${folder}/config.json`;
    await Deno.writeTextFile(file, "{}");
    for (const path of [file, folder]) await Deno.chown(path, 65534, 65534);
    const { code, stderr } = await pool.tc(
      ["config", "set", "proxy.port", "3471"],
      { TC_CONFIG: file },
    );
    strictEqual(code, 77, stderr);
    match(stderr, /belongs to user 65534/);
    strictEqual(await Deno.readTextFile(file), "{}");
  },
});

Deno.test("isInForeground() compares the process group with the terminal's", () => {
  const stat = (group: number, terminal: number) => () =>
    `42 (a b) c) S 1 ${group} 7 34816 ${terminal} 4194560 0 0`;
  strictEqual(isInForeground("linux", stat(42, 42)), true);
  strictEqual(isInForeground("linux", stat(42, 40)), false);
  strictEqual(isInForeground("linux", stat(42, -1)), true);
  strictEqual(isInForeground("darwin", stat(42, 40)), true);
  strictEqual(
    isInForeground("linux", () => {
      throw new Deno.errors.NotFound();
    }),
    true,
  );
});

Deno.test({
  name: "tc server & serves in the background of an interactive shell",
  ignore: !hasTmux() || Deno.build.os !== "linux",
  fn: async () => {
    await using api = await startScriptedApi();
    api.account("work");
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    await using tmux = await Tmux.open({
      columns: 100,
      rows: 30,
      variables: { ...pool.variables },
    });
    await tmux.type(
      `set -m; ${tcCommand().join(" ")} server --port ${pool.port} &`,
    );
    for (let tries = 0;; tries++) {
      const { code } = await pool.tc(["status"]);
      if (code === 0) break;
      ok(tries < 60, await tmux.screen());
    }
    const screen = await tmux.screen();
    ok(!screen.includes("Stopped"), screen);
    strictEqual((await pool.tc(["stop"])).code, 0);
  },
});

/** A server that a shell puts into the background. */

import "../fixtures/clean_environment.ts";
import { ok, strictEqual } from "node:assert/strict";
import { isInForeground } from "../../src/system/terminal_job.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { needsLinux } from "../fixtures/skipped.ts";
import { tcCommand, TcPool } from "../fixtures/tc_process.ts";
import { hasTmux, Tmux } from "../fixtures/tmux.ts";

Deno.test("isInForeground() compares the process group with the terminal's", () => {
  const stat = (group: number, terminal: number) => () =>
    `42 (a b) c) S 1 ${group} 7 34816 ${terminal} 4194560 0 0`;
  strictEqual(isInForeground("linux", stat(42, 42)), true);
  strictEqual(isInForeground("linux", stat(42, 40)), false);
  strictEqual(isInForeground("linux", stat(42, -1)), true);
  for (
    const [text, isIn] of [
      ["   42    42\n", true],
      ["   42    40\n", false],
      ["   42     0\n", true],
      ["   42    -1\n", true],
      ["", true],
    ] as const
  ) {
    strictEqual(isInForeground("darwin", () => text), isIn, text);
  }
  strictEqual(isInForeground("windows", stat(42, 40)), true);
  strictEqual(
    isInForeground("linux", () => {
      throw new Deno.errors.NotFound();
    }),
    true,
  );
});

Deno.test({
  name: "tc server & serves in the background of an interactive shell",
  ignore: !hasTmux() || needsLinux("job"),
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

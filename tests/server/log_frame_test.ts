/** The first and last lines of a server's log. */

import "../fixtures/clean_environment.ts";
import { match, ok, strictEqual } from "node:assert/strict";
import { listening } from "../fixtures/listening.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

Deno.test("a server's log begins with its start, then mistyped variables, and ends with its end", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "pro" });
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  const log = pool.folder.join("own.log");
  const server = pool.command(["server", "--log-file", log], {
    stdout: "null",
    stderr: "null",
    env: { TC_HOLD_MAX: "3" },
  }).spawn();
  await listening(pool.port);
  strictEqual((await pool.tc(["stop"])).code, 0);
  await server.status;
  const lines = (await Deno.readTextFile(log)).trimEnd().split("\n");
  match(
    lines[0] ?? "",
    / info +starting +version=\S+ pid=\d+ address=http:\/\/127\.0\.0\.1:\d+$/,
  );
  match(lines[1] ?? "", / warn +variable +name=TC_HOLD_MAX .*TC_HOLD_MAX_MS/);
  match(lines.at(-1) ?? "", / info +stopped +pid=\d+ code=0$/);
  ok(lines.every((line) => !line.includes("code=null")));
});

/** Tables of whole commands in terminals of every usual width. */

import "../fixtures/clean_environment.ts";
import { ok, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

/** Words beside a table, which may wrap as text does. */
const SENTENCES = /^(list prices of|fast mode|your own:|[a-z-]+ · )/;

Deno.test("prices, swap list, profile list and simulate fit 40 to 200 columns, a row a line", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_20x" });
  api.account("an-account-with-a-long-name", { tier: "pro" });
  await using pool = await TcPool.of(api);
  strictEqual((await pool.tc(["profile", "add", "work"])).code, 0);
  for (
    const args of [
      ["prices"],
      ["prices", "plan"],
      ["swap", "list", "--offline"],
      ["profile", "list"],
      ["simulate", "--workload", "solo", "--policy", "price,pace"],
    ]
  ) {
    for (const width of [40, 60, 80, 120, 200]) {
      const { code, stdout, stderr } = await pool.tc(args, {
        COLUMNS: String(width),
      });
      strictEqual(code, 0, stderr);
      const lines = stdout.split("\n").filter((line) =>
        line !== "" && !SENTENCES.test(line)
      );
      ok(lines.length > 1, stdout);
      for (const line of lines) {
        ok(line.length <= width, `${args.join(" ")} at ${width}: ${line}`);
      }
    }
  }
});

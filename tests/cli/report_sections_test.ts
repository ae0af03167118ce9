/** Several sections of one `tc report` are of one span, and explained once. */

import "../fixtures/clean_environment.ts";
import { strictEqual } from "node:assert/strict";
import type { ReportView } from "../../src/control/history/report_view.ts";
import { instantFromMs } from "../../src/core/time.ts";
import { databasePath, openDatabase } from "../../src/store/ledger/database.ts";
import { Ledger } from "../../src/store/ledger/ledger.ts";
import { ledgerEntry } from "../fixtures/ledger_rows.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

Deno.test("sections of one report have one span, unless --last counts units", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const { stateFolder } = pool.paths;
  await Deno.mkdir(stateFolder, { recursive: true, mode: 0o700 });
  const database = openDatabase(databasePath(stateFolder), "read_write");
  new Ledger(database).write([20, 1].map((days) => {
    const at = instantFromMs(Date.now() - days * 86_400_000);
    return ledgerEntry({ startedAt: at, endedAt: at });
  }));
  database.close();
  const sections = async (...more: readonly string[]) => {
    const args = ["report", "day", "model", "session", ...more];
    const json = await pool.json(args) as unknown as {
      readonly sections: readonly ReportView[];
    };
    return json.sections.map(({ since, total }) => [since.ms, total.requests]);
  };
  const [day, model, session] = await sections();
  strictEqual(day?.[1], 2, "the request of 20 days ago is in all of them");
  strictEqual(String(day), String(model));
  strictEqual(String(day), String(session));
  const { stdout } = await pool.tc(["report", "day", "model"]);
  strictEqual(stdout.split("\nworth: covered by plans").length, 2, stdout);
  strictEqual(stdout.split("\nby model").length, 2);
  const counted = await pool.tc(["report", "day", "month", "--last", "2"]);
  strictEqual(counted.stdout.split("\nworth: covered by plans").length, 3);
});

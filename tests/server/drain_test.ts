/** What a server that stops still writes down. */

import { deepStrictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { databasePath, openDatabase } from "../../src/store/ledger/database.ts";
import { messageBody } from "../fixtures/demo_message.ts";
import { PoolFolder } from "../fixtures/pool_server.ts";

Deno.test("a stream that a stop cuts is still in the ledger", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_20x" });
  await using pool = new PoolFolder();
  await pool.fill(api, { timeouts: { drainMs: 200 } });
  const server = await pool.start();
  api.next("work").stream(["message_start", "hang"]);
  const answer = await fetch(`${server.baseUrl}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: messageBody(),
  });
  const reader = answer.body?.getReader();
  await reader?.read();

  await server.stop();
  await reader?.cancel().catch(() => {});

  const path = databasePath(pool.stateFolder);
  const database = openDatabase(path, "read_only");
  const rows = database.prepare(
    `SELECT status, names.text AS ended, input > 0 AS counted
     FROM requests JOIN names ON names.id = ended`,
  ).all().map((row) => ({ ...row }));
  database.close();
  deepStrictEqual(rows, [
    { status: 200, ended: "upstream_failed", counted: 1 },
  ]);
});

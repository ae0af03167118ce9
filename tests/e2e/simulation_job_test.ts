/** A replay of the history as a job of the server: progress, end, cancel. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { accountId } from "../../src/core/account.ts";
import { instantFromMs } from "../../src/core/time.ts";
import { databasePath, openDatabase } from "../../src/store/ledger/database.ts";
import { Ledger, NOTHING_SPENT } from "../../src/store/ledger/ledger.ts";
import { requestRecord } from "../fixtures/ledger_rows.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { TcPool } from "../fixtures/tc_process.ts";

/** Writes `count` answers of the last two days into the ledger. */
function fill(stateFolder: string, count: number): void {
  Deno.mkdirSync(stateFolder, { recursive: true, mode: 0o700 });
  const database = openDatabase(databasePath(stateFolder), "read_write");
  const ledger = new Ledger(database);
  const now = Date.now();
  const entries = Array.from({ length: count }, (_, index) => {
    const at = now - 172_800_000 + index * 172_000_000 / count;
    const session = `session-${index % 7}`;
    return {
      record: requestRecord({
        id: `r${index}`,
        startedAt: instantFromMs(at),
        endedAt: instantFromMs(at + 4_000),
        session,
        conversation: session,
        accountId: accountId(`acc-${index % 2}`),
      }),
      costNano: 1,
      windows: NOTHING_SPENT,
    };
  });
  for (let from = 0; from < count; from += 500) {
    ledger.write(entries.slice(from, from + 500));
  }
  database.close();
}

Deno.test("a replay runs as a job beside the server, and can be stopped", async () => {
  await using api = await startScriptedApi();
  api.account("work");
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  fill(pool.paths.stateFolder, 3_000);
  await pool.tc(["env", "--shell", "sh"]);
  const base = await pool.baseUrl();
  const key = base.slice(base.lastIndexOf("/") + 1);
  const call = async (
    method: string,
    body: unknown = null,
  ): Promise<Record<string, unknown>> => {
    const response = await fetch(
      `http://127.0.0.1:${pool.port}/tc/v1/simulate`,
      {
        method,
        headers: { "x-tc-key": key, "content-type": "application/json" },
        ...body === null ? {} : { body: JSON.stringify(body) },
      },
    );
    return await response.json();
  };
  strictEqual((await call("GET"))["state"], "none");
  const wrong = await call("POST", { days: 0 });
  deepStrictEqual(wrong["error"], {
    code: "bad_request",
    message: "Cannot simulate: days is not usable",
    hint: null,
  });
  const odd = await call("POST", { accounts: ["--workloads"] });
  ok("error" in odd, "no word of it becomes an option");

  strictEqual((await call("POST", { days: 7 }))["state"], "running");
  strictEqual((await call("DELETE"))["state"], "stopped");
  strictEqual((await call("GET"))["state"], "stopped");

  const asked = { days: 7, policies: ["price", "pace"], accounts: ["+5x"] };
  await call("POST", asked);
  let view = await call("GET");
  for (let tries = 0; tries < 240 && view["state"] === "running"; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    // Requests are served while it runs.
    const health = await fetch(`http://127.0.0.1:${pool.port}/tc/v1/status`, {
      headers: { "x-tc-key": key },
    });
    strictEqual(health.status, 200);
    await health.body?.cancel();
    view = await call("GET");
  }
  strictEqual(view["state"], "done", JSON.stringify(view));
  const { history } = view["result"] as {
    history: { requests: number; days: number };
  };
  ok(history.requests > 900, `${history.requests}`);
  strictEqual(history.days, 7);
});

/** What a restart keeps, and what the commands say of it. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { StatusView } from "../../src/control/protocol.ts";
import type { ReportView } from "../../src/control/history/report_view.ts";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { simulateSessions } from "../../src/demo/traffic/traffic.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { PoolFolder } from "../fixtures/pool_server.ts";
import { dirname } from "node:path";

async function printed(
  pool: PoolFolder,
  args: readonly string[],
): Promise<string> {
  const { code, stdout, stderr } = await pool.run(args).output();
  strictEqual(code, 0, new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

function memory({ accounts, server }: StatusView): unknown {
  return {
    pin: server.pin,
    accounts: accounts.map(({ label, windows, conversations, recent }) => ({
      label,
      conversations,
      recent,
      windows: windows.map(({ key, utilization, resetsAt }) => ({
        key,
        utilization,
        resetsAt,
      })),
    })),
  };
}

Deno.test("usage, bindings, counts and pin survive a restart", async () => {
  await using api = await startScriptedApi({ seed: 9 });
  for (const name of ["work", "home"]) {
    api.account(name, { tier: "max_5x" });
  }
  await using pool = new PoolFolder();
  await pool.fill(api);
  const first = await pool.start();
  const { requests } = await simulateSessions({
    baseUrl: first.baseUrl,
    clock: realClock,
    seed: 2,
    pace: "instant",
    sessions: 3,
    requestsMax: 40,
  }).done;
  const pinned = await fetch(`${first.baseUrl}/tc/v1/pin`, {
    method: "PUT",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ account: "home" }),
  });
  await pinned.body?.cancel();
  const before = await first.get<StatusView>("/tc/v1/status");
  await first.stop();

  const second = await pool.start();
  const after = await second.get<StatusView>("/tc/v1/status");
  strictEqual(after.server.pin, "home");
  ok(after.accounts.some(({ windows }) => windows.length > 0));
  ok(after.accounts.some(({ conversations }) => conversations > 0));
  deepStrictEqual(memory(after), memory(before));
  const live = await printed(pool, ["report", "account"]);
  await second.stop();

  const report = await printed(pool, ["report", "account"]);
  // What plans cost grows with the time that they are in the pool.
  const lasting = (text: string) =>
    text.replaceAll(/\$[\d.]+$|plans cost \$[\d.]+|[\d.]+ times/gm, "");
  strictEqual(lasting(report), lasting(live));
  ok(/^(work|home) /m.test(report));
  ok(report.split("\n").every((line) => line.length < 100));
  const view = JSON.parse(
    await printed(pool, ["report", "session", "--json"]),
  ) as ReportView;
  strictEqual(view.total.requests, requests);
  strictEqual(view.rows.length, 3);
});

Deno.test("a state folder that cannot be written stops no request", async () => {
  await using api = await startScriptedApi({ seed: 9 });
  api.account("work", { tier: "max_5x" });
  await using pool = new PoolFolder();
  await pool.fill(api);
  // A file where the folder should be.
  const folder = dirname(pool.stateFolder);
  await Deno.mkdir(dirname(folder), { recursive: true });
  await Deno.writeTextFile(folder, "");
  const server = await pool.start();
  const { complete } = await simulateSessions({
    baseUrl: server.baseUrl,
    clock: realClock,
    seed: 2,
    pace: "instant",
    sessions: 1,
    requestsMax: 5,
  }).done;
  strictEqual(complete, 5);
  await realClock.sleep(1_000);
  const { notices } = await server.get<StatusView>("/tc/v1/status");
  ok(
    notices.some(({ level, text }) =>
      level === "error" && text.includes("state.db")
    ),
  );
  await server.stop();
  ok((await server.output).includes("state.db"));
});

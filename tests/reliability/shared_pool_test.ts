/**
 * Servers of one shared pool under load: the database that comes and goes, and
 * limits that hold over all machines. Longer with TC_TEST_ROUNDS, see trials.ts.
 */

import { ok, strictEqual } from "node:assert/strict";
import type { StatusView } from "../../src/control/protocol.ts";
import { HAS_POSTGRES } from "../fixtures/postgres.ts";
import { PoolFolder, type PoolServer } from "../fixtures/pool_server.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { report } from "../fixtures/report.ts";
import {
  askOnce,
  sharedServers,
  SteadyLoad,
} from "../fixtures/shared_servers.ts";
import { trials } from "../fixtures/trials.ts";

Deno.test({
  name:
    "the database dies again and again under load: no request fails, all agree afterwards",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    const rounds = trials(2, 20);
    await using pool = await sharedServers(2, ["work", "home", "lab"]);
    const { postgres, servers, api } = pool;
    // Beside them one that has no database at all, on the same machine.
    await using alone = new PoolFolder();
    await alone.fill(api);
    const embedded = await alone.start();
    // The same servers while nothing happens to the database.
    const calm = servers.map((server) => new SteadyLoad(server, 100));
    await realClock.sleep(4_000);
    const before = await Promise.all(calm.map((load) => load.stop()));
    const loads = servers.map((server) => new SteadyLoad(server, 100));
    const beside = new SteadyLoad(embedded, 100);
    const agreedMs: number[] = [];
    for (let round = 0; round < rounds; round++) {
      await postgres.kill();
      await realClock.sleep(1_000);
      await postgres.begin();
      const backAt = performance.now();
      const name = ["work", "home", "lab"][round % 3] ?? "";
      const verb = round % 2 === 0 ? "disable" : "enable";
      const changed = await pool.folders[0]?.ended([verb, name]);
      strictEqual(changed?.code, 0, changed?.stderr);
      await agreement(servers, name, verb === "enable");
      agreedMs.push(performance.now() - backAt);
    }
    const results = await Promise.all(loads.map((load) => load.stop()));
    const compared = await beside.stop();
    for (const { failed, count } of results) {
      ok(count > 100);
      strictEqual(failed.length, 0, `failed: ${failed.join(", ")}`);
    }
    const p99 = (all: typeof results) =>
      Math.max(...all.map(({ p99Ms }) => p99Ms));
    report(
      `${rounds} deaths, ${results.reduce((sum, r) => sum + r.count, 0)} ` +
        `requests, 0 failed; p99 ${p99(before).toFixed(0)} ms calm, ` +
        `${p99(results).toFixed(0)} ms meanwhile, ` +
        `${
          compared.p99Ms.toFixed(0)
        } ms the embedded store's; all agreed after at most ` +
        `${Math.max(...agreedMs).toFixed(0)} ms, the command's start included`,
    );
  },
});

/** Resolves when every server says so; throws if that takes too long. */
async function agreement(
  servers: readonly PoolServer[],
  name: string,
  isEnabled: boolean,
): Promise<void> {
  const endAt = performance.now() + 20_000;
  for (const server of servers) {
    for (;;) {
      const { accounts } = await server.get<StatusView>("/tc/v1/status");
      const account = accounts.find(({ label }) => label === name);
      if (account?.enabled === isEnabled) break;
      if (performance.now() > endAt) throw new Error(`${name} differs`);
      await realClock.sleep(20);
    }
  }
}

Deno.test({
  name: "four machines: a limit on requests in flight holds for all together",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using pool = await sharedServers(4, ["work"]);
    const { api, servers, folders } = pool;
    const limited = await folders[0]?.ended([
      "priority",
      "work",
      "--max-requests",
      "4",
    ]);
    strictEqual(limited?.code, 0, limited?.stderr);
    // An account takes one request at a time until it has served one.
    for (const server of servers) strictEqual(await askOnce(server), 200);
    await realClock.sleep(3_000);
    // Each machine sends one by one, a heartbeat apart, and each takes long.
    for (let count = 0; count < 12; count++) {
      api.next("work").delay(14_000).say("slow");
    }
    const ends: Promise<number>[] = [];
    for (const server of servers) {
      for (let count = 0; count < 3; count++) {
        ends.push(
          fetch(`${server.baseUrl}/v1/messages`, {
            method: "POST",
            headers: {
              "content-type": "application/json",
              "x-demo-nonce": crypto.randomUUID(),
            },
            body: JSON.stringify({
              model: "claude-sonnet-5-5",
              max_tokens: 20,
              stream: true,
              messages: [{ role: "user", content: `hello ${count}` }],
            }),
          }).then(async (response) => {
            await response.body?.cancel();
            return response.status;
            // The servers are killed at the end.
          }).catch(() => 0),
        );
      }
      // The others hear of them with the next heartbeat.
      await realClock.sleep(2_500);
    }
    const inFlight = await Promise.all(
      servers.map(async (server) =>
        (await server.get<StatusView>("/tc/v1/status")).requests.length
      ),
    );
    const sent = 12 - api.scriptedLeft();
    report(`12 asked on four machines, ${sent} sent at a limit of 4`);
    // One heartbeat's requests of one machine may be too many.
    ok(sent <= 4 + 3, `${sent} were sent`);
    ok(inFlight.reduce((sum, count) => sum + count, 0) >= 4);
    for (const server of servers) await server.kill();
    await Promise.allSettled(ends);
  },
});

Deno.test({
  name:
    "at rest a machine asks the database less than once a second for each account",
  // It stands still for sixteen seconds.
  ignore: !HAS_POSTGRES || trials(0, 1) === 0,
  fn: async () => {
    const accounts = ["work", "home", "lab"];
    await using pool = await sharedServers(2, accounts);
    const { postgres } = pool;
    const count = async () =>
      Number(
        await postgres.sql(
          "pool_1",
          "SELECT xact_commit + xact_rollback FROM pg_stat_database " +
            "WHERE datname = 'pool_1'",
        ),
      );
    await realClock.sleep(6_000);
    const before = await count();
    const seconds = 10;
    await realClock.sleep(seconds * 1_000);
    const perSecond = (await count() - before) / seconds / 2;
    report(`${perSecond.toFixed(1)} transactions a second and machine at rest`);
    ok(perSecond <= accounts.length, `${perSecond} a second`);
  },
});

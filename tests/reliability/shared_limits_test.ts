/**
 * Two real servers of one pool and a provider that limits: what one is refused
 * the other knows, and together they are refused hardly more often than one.
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { HAS_POSTGRES } from "../fixtures/postgres.ts";
import { PoolFolder, type PoolServer } from "../fixtures/pool_server.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { report } from "../fixtures/report.ts";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { askOnce, sharedServers } from "../fixtures/shared_servers.ts";
import { trials } from "../fixtures/trials.ts";

/** The accounts that answered 429, in the order in which they did. */
function refused(api: ScriptedApi): readonly string[] {
  return api.log().flatMap((line) => {
    const [name = "", status] = line.split(" ");
    return status === "429" ? [name] : [];
  });
}

Deno.test({
  name: "what one machine is refused with a retry-after the other does not try",
  ignore: !HAS_POSTGRES,
  fn: async () => {
    await using pool = await sharedServers(2, ["work", "home"]);
    const { api, servers: [first, second] } = pool;
    ok(first !== undefined && second !== undefined);
    // An account takes one request at a time until it has served one.
    for (const server of [first, second, first, second]) {
      strictEqual(await askOnce(server), 200);
    }
    api.next().throttle({ retryAfterSeconds: 60 });
    strictEqual(await askOnce(first), 200);
    const [account] = refused(api);
    ok(account !== undefined, api.log().join(", "));
    await realClock.sleep(1_000);
    const before = api.log().length;
    for (let count = 0; count < 6; count++) {
      strictEqual(await askOnce(second), 200);
    }
    const other = account === "work" ? "home" : "work";
    deepStrictEqual(
      [...new Set(api.log().slice(before))],
      [`${other} 200 complete`],
    );
  },
});

const LIMITS = { concurrency: 4, requestsPerMinute: 10_000 };
const CLIENTS = 14;

/** Clients that ask again as soon as they have an answer, until `endMs`. */
async function busy(
  server: PoolServer,
  clients: number,
  endMs: number,
): Promise<number> {
  let served = 0;
  await Promise.all(Array.from({ length: clients }, async () => {
    while (performance.now() < endMs) {
      if (await askOnce(server) === 200) served++;
    }
  }));
  return served;
}

function slow(api: ScriptedApi): void {
  for (const account of api.accounts()) account.limits(LIMITS);
  api.set({ tokensPerSecond: 40 });
}

Deno.test({
  name:
    "two machines are refused at most 1.3 times as often as one with all work",
  // It takes a minute. What they serve is reported and not judged: two machines
  // that learn limits of short requests leave more places empty than one.
  ignore: !HAS_POSTGRES || trials(0, 1) === 0,
  fn: async () => {
    const names = ["work", "home"];
    await using pool = await sharedServers(2, names);
    await using api = await startScriptedApi({ seed: 3 });
    for (const name of names) api.account(name, { tier: "max_20x" });
    await using folder = new PoolFolder();
    await folder.fill(api);
    const alone = await folder.start();
    for (const one of [api, pool.api]) slow(one);
    const endMs = performance.now() + 40_000;
    const [one = 0, ...two] = await Promise.all([
      busy(alone, CLIENTS, endMs),
      ...pool.servers.map((server) => busy(server, CLIENTS / 2, endMs)),
    ]);
    const [single, both] = [refused(api).length, refused(pool.api).length];
    const served = two.reduce((sum, count) => sum + count, 0);
    report(
      `one machine served ${one} with ${single} 429s, two ${served} ` +
        `with ${both}`,
    );
    ok(single > 0, "the provider limited nobody");
    // Beside the 1.3, three for chance: one machine has some 16.
    ok(both <= 1.3 * single + 3, `${both} against ${single}`);
  },
});

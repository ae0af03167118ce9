/** kill -9 at any instant under load, and up again (K1). */

import { RefreshToken, type VaultEntry } from "../../src/ports.ts";
import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { join } from "node:path";
import { instantFromMs } from "../../src/core/time.ts";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { accountData } from "../../src/demo/demo_setup.ts";
import { checkLedger } from "../fixtures/ledger_check.ts";
import { PoolLoad } from "../fixtures/pool_load.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { report } from "../fixtures/report.ts";
import { answersAfterMs } from "../fixtures/listening.ts";
import { entryOf, TcPool } from "../fixtures/tc_process.ts";
import { trials } from "../fixtures/trials.ts";
import { needs, needsLinux } from "../fixtures/skipped.ts";

const KILLS = trials(5, 100);
const HANDOVERS = trials(2, 40);
/** The next server of a restart serves and takes over within it. */
const HANDOVER_MS = 900;
const CLIENTS = 6;
const ACCOUNTS = ["work", "home", "spare"];
const LIFE_MS_MAX = 600;
/** Inside the time ahead of its end in which a token is renewed. */
const NEAR_END_MS = 30_000;
const LAST_REQUESTS = trials(60, 1_000);
/**
 * Only the program as it is released is held to it, and by its best start: how
 * long the others take is for the machine to say, and reported.
 */
const UP_MS_MAX = 1_000;
const UNLIMITED = { concurrency: 1_000, requestsPerMinute: 1_000_000 };

/** A pool that has its key and never ran. */
async function poolOf(api: ScriptedApi): Promise<TcPool> {
  for (const name of ACCOUNTS) {
    api.account(name, { tier: "max_20x" }).limits(UNLIMITED);
  }
  const pool = await TcPool.of(api, { usage: { poll: false } });
  // It makes the key, and starts no server.
  strictEqual((await pool.tc(["status"])).code, 3);
  return pool;
}

function refreshTokenOf({ credential }: VaultEntry): string | null {
  return credential.kind === "oauth"
    ? RefreshToken.toStore(credential.refreshToken)
    : null;
}

/**
 * What the dead server left of each login: the newest, or an older one where
 * the answer to a refresh died with it, which then nobody may have used. A
 * login mends the latter; all get a token near its end, so that the next
 * server begins with refreshes. How many were lost.
 */
async function afterDeath(api: ScriptedApi, pool: TcPool): Promise<number> {
  const vault = await pool.vault();
  const { entries, damaged } = await vault.list();
  deepStrictEqual(damaged, []);
  strictEqual(entries.length, ACCOUNTS.length);
  let lost = 0;
  for (const account of api.accounts()) {
    const kept = entries.find(({ label }) => label === account.name);
    const fresh = await entryOf(accountData(account));
    if (kept === undefined || refreshTokenOf(kept) !== refreshTokenOf(fresh)) {
      lost++;
      const isUsed = api.requests("/v1/messages")
        .some(({ token }) => token === account.token());
      ok(!isUsed, `${account.name} used a token that is on no disk`);
    }
    const expiresAt = instantFromMs(Date.now() + NEAR_END_MS);
    const { credential } = fresh;
    if (credential.kind !== "oauth") continue;
    await vault.put({ ...fresh, credential: { ...credential, expiresAt } });
  }
  return lost;
}

/** Whether the private socket leads to a server. */
async function socketAnswers(pool: TcPool, key: string): Promise<boolean> {
  const path = join(pool.paths.stateFolder, "tc.sock");
  using connection = await Deno.connect({ transport: "unix", path });
  await connection.write(new TextEncoder().encode(
    `GET /k/${key}/healthz HTTP/1.1\r\nhost: 127.0.0.1\r\n` +
      "connection: close\r\n\r\n",
  ));
  return (await new Response(connection.readable).text()).includes(" 200 ");
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
}

Deno.test({
  name: "kill -9 at any instant: up again, nothing sent or counted twice",
  ignore: needs("end"),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await poolOf(api);
    const baseUrl = await pool.baseUrl();
    const key = baseUrl.split("/k/")[1] ?? "";
    // What a server that died in the middle of its start leaves behind.
    await Deno.mkdir(pool.paths.stateFolder, { recursive: true });
    await Deno.writeTextFile(join(pool.paths.stateFolder, "tc.sock.new"), "");
    const command = pool.command(["server", "--headless"], {
      stdout: "null",
      stderr: "null",
    });

    const load = new PoolLoad(baseUrl, {
      clients: CLIENTS,
      text: "demo:say ok",
    });
    const upMs: number[] = [];
    let lost = 0;
    for (let kill = 0; kill < KILLS; kill++) {
      lost += await afterDeath(api, pool);
      const child = command.spawn();
      upMs.push(await answersAfterMs(pool.port));
      if (Deno.build.os !== "windows") {
        ok(await socketAnswers(pool, key), `no socket after kill ${kill}`);
      }
      await realClock.sleep(Math.random() * LIFE_MS_MAX);
      child.kill("SIGKILL");
      await child.status;
      await api.idle();
    }
    const { whole, broken, unreached, statuses, stumps } = await load.stop();
    lost += await afterDeath(api, pool);
    const last = command.spawn();
    upMs.push(await answersAfterMs(pool.port));
    const calm = new PoolLoad(baseUrl, {
      clients: CLIENTS,
      text: "demo:say ok",
    });
    while (calm.tally.whole < LAST_REQUESTS && calm.tally.broken === 0) {
      await realClock.sleep(20);
    }
    const afterwards = await calm.stop();
    strictEqual((await pool.tc(["stop"])).code, 0);
    strictEqual((await last.status).code, 0);

    const [most, usual] = [Math.max(...upMs), median(upMs)].map(Math.round);
    report(
      `${KILLS} kills: ${whole} answers whole, ${broken} cut with their server,` +
        ` ${unreached} before it was up; up after ${usual} ms, ${most} at most;` +
        ` ${api.families().rotations} refreshes, ${lost} died in flight;` +
        ` then ${afterwards.whole} of ${afterwards.whole} whole`,
    );
    deepStrictEqual([...statuses], []);
    deepStrictEqual(stumps, []);
    deepStrictEqual([...afterwards.statuses], []);
    strictEqual(afterwards.broken + afterwards.unreached, 0);
    const sends = [...api.acceptedPerNonce().values()];
    deepStrictEqual(sends.filter((count) => count !== 1), []);
    // Every login lives: no token was shown twice, none was forgotten.
    const { reuses, killed, rotations } = api.families();
    deepStrictEqual([reuses, killed], [0, 0]);
    ok(rotations >= KILLS, `${rotations} refreshes`);
    ok(lost < rotations, `${lost} of ${rotations} lost`);
    const { total } = api.truth();
    const ledger = checkLedger(pool.paths.stateFolder);
    ok(ledger.rows <= sends.length + broken, `${ledger.rows} rows`);
    ok(ledger.output <= total.reported.output);
    ok(ledger.rows >= afterwards.whole);
    if (Deno.env.get("TC_TEST_BINARY") !== undefined) {
      const soonest = Math.min(...upMs);
      ok(soonest < UP_MS_MAX, `up after ${soonest} ms at the soonest`);
    }
  },
});

/** The processes that `pid` has started and that live. */
function childrenOf(pid: number): readonly number[] {
  const text = Deno.readTextFileSync(`/proc/${pid}/task/${pid}/children`);
  return text.trim().split(" ").filter((word) => word !== "").map(Number);
}

async function childOf(pid: number): Promise<number> {
  for (;;) {
    const [child] = childrenOf(pid);
    if (child !== undefined) return child;
    await realClock.sleep(1);
  }
}

async function isServing(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => null);
  await answer?.body?.cancel();
  return answer !== null;
}

async function endsWithin(
  child: Deno.ChildProcess,
  limitMs: number,
): Promise<boolean> {
  const { promise: late, resolve } = Promise.withResolvers<boolean>();
  const timer = setTimeout(() => resolve(false), limitMs);
  const hasEnded = child.status.then(() => true);
  try {
    return await Promise.race([hasEnded, late]);
  } finally {
    clearTimeout(timer);
  }
}

Deno.test({
  name: "kill -9 of either server in a restart leaves one that can be had",
  ignore: needsLinux("ports"),
  fn: async () => {
    await using api = await startScriptedApi();
    await using pool = await poolOf(api);
    const baseUrl = await pool.baseUrl();
    const command = pool.command(["server", "--headless"], {
      stdout: "null",
      stderr: "null",
    });
    const load = new PoolLoad(baseUrl, { clients: 3, text: "demo:say ok" });
    const found = { old: 0, next: 0, none: 0 };
    for (let round = 0; round < HANDOVERS; round++) {
      const old = command.spawn();
      await answersAfterMs(pool.port);
      const asked = await fetch(`${baseUrl}/tc/v1/restart`, { method: "POST" });
      await asked.body?.cancel();
      const next = await childOf(old.pid);
      const isOldKilled = round % 2 === 0;
      await realClock.sleep(Math.random() * HANDOVER_MS);
      Deno.kill(isOldKilled ? old.pid : next, "SIGKILL");
      if (isOldKilled) {
        // The one that comes was told to come, and comes.
        await answersAfterMs(pool.port);
        await old.status;
        found.next++;
      } else {
        const wasLeft = await endsWithin(old, 1_000);
        strictEqual(await isServing(pool.port), !wasLeft);
        found[wasLeft ? "none" : "old"]++;
      }
      await pool.tc(["stop"]);
      await old.status;
      while (await isServing(pool.port)) await realClock.sleep(20);
    }
    const { statuses, stumps } = await load.stop();
    report(
      `${HANDOVERS} kills within restarts: the old one serves on after ` +
        `${found.old}, the next after ${found.next}, neither after ${found.none}`,
    );
    deepStrictEqual([[...statuses], stumps], [[], []]);
    const sends = [...api.acceptedPerNonce().values()];
    deepStrictEqual(sends.filter((count) => count !== 1), []);
    deepStrictEqual([api.families().reuses, api.families().killed], [0, 0]);
    const { output } = checkLedger(pool.paths.stateFolder);
    ok(output > 0 && output <= api.truth().total.reported.output);
  },
});

/** A server that stands still for a while, as a lid that closes makes it (K5). */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { checkLedger } from "../fixtures/ledger_check.ts";
import { answersAfterMs } from "../fixtures/listening.ts";
import { messageBody } from "../fixtures/demo_message.ts";
import { startFaultProxy } from "../fixtures/fault_proxy.ts";
import { numbered } from "../fixtures/demo_plane.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { report } from "../fixtures/report.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { trials } from "../fixtures/trials.ts";
import { needs } from "../fixtures/skipped.ts";

const ROUNDS = trials(4, 20);
const ASLEEP_MS = trials(300, 5_000);
/** Longer than the silence that ends an answer, which is set to a second. */
const DEAF_MS = trials(3_500, 120_000);
const SILENT_MS_MAX = "1000";
const BURST = 6;

/** Posts a message; its nonce tells whether it was sent once. */
function post(baseUrl: string, text: string): Promise<Response> {
  return fetch(`${baseUrl}/v1/messages`, {
    method: "POST",
    headers: {
      "content-type": "application/json",
      "x-demo-nonce": crypto.randomUUID(),
    },
    body: messageBody({ text }),
  });
}

async function statusOf(answer: Promise<Response>): Promise<number> {
  const response = await answer;
  match(await response.text(), /message_stop|"type":"error"/);
  return response.status;
}

Deno.test({
  name: "after a sleep with dead connections the first requests are served",
  ignore: needs("signals"),
  fn: async () => {
    await using api = await startScriptedApi();
    await using network = await startFaultProxy(api.port);
    const limits = { concurrency: 1_000, requestsPerMinute: 1_000_000 };
    api.account("work", { tier: "max_20x" }).limits(limits);
    await using pool = await TcPool.of(api, {
      usage: { poll: false },
      upstream: network.url,
    });
    const server = pool.command(["server", "--headless"], {
      stdout: "null",
      stderr: "null",
    }).spawn();
    await answersAfterMs(pool.port);
    const baseUrl = await pool.baseUrl();
    const wakeMs: number[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      // Connections that rest in the pool when it falls asleep.
      const warm = await Promise.all(
        numbered(BURST, () => statusOf(post(baseUrl, "demo:say ok"))),
      );
      deepStrictEqual(warm, numbered(BURST, () => 200));
      server.kill("SIGSTOP");
      await realClock.sleep(ASLEEP_MS / 2);
      network.cutAll(round % 2 === 0 ? "rst" : "fin");
      // Clients that ask while it sleeps, and are there when it wakes.
      const asked = numbered(
        BURST,
        () => statusOf(post(baseUrl, "demo:say ok")),
      );
      await realClock.sleep(ASLEEP_MS / 2);
      server.kill("SIGCONT");
      const wokenMs = performance.now();
      deepStrictEqual(await Promise.all(asked), numbered(BURST, () => 200));
      wakeMs.push(performance.now() - wokenMs);
    }
    const sends = [...api.acceptedPerNonce().values()];
    deepStrictEqual(sends.filter((count) => count !== 1), []);
    strictEqual((await pool.tc(["stop"])).code, 0);
    strictEqual((await server.status).code, 0);
    const { output } = checkLedger(pool.paths.stateFolder);
    strictEqual(output, api.truth().total.reported.output);
    const most = Math.round(Math.max(...wakeMs));
    report(
      `${ROUNDS} sleeps, all connections dead: ${ROUNDS * BURST} requests` +
        ` served at the wake, the last after ${most} ms`,
    );
  },
});

Deno.test({
  name: "a sleep longer than the time limits cuts no answer that has come",
  ignore: needs("signals"),
  fn: async () => {
    await using api = await startScriptedApi({ tokensPerSecond: 40 });
    api.account("work", { tier: "max_20x" });
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    const server = pool.command(["server", "--headless"], {
      env: { TC_TIMEOUTS_IDLE_MS: SILENT_MS_MAX },
      stdout: "null",
      stderr: "null",
    }).spawn();
    await answersAfterMs(pool.port);
    const baseUrl = await pool.baseUrl();
    const streams = numbered(BURST, async () => {
      const answer = await post(baseUrl, "demo:tokens 60");
      return answer.text();
    });
    await realClock.sleep(700);
    server.kill("SIGSTOP");
    await realClock.sleep(DEAF_MS);
    server.kill("SIGCONT");
    for (const text of await Promise.all(streams)) match(text, /message_stop/);
    strictEqual(await statusOf(post(baseUrl, "demo:say ok")), 200);
    const status = await pool.json(["status"]);
    deepStrictEqual(status["notices"], []);
    ok(
      api.requests("/v1/messages").every(({ ending }) => ending === "complete"),
    );
    strictEqual((await pool.tc(["stop"])).code, 0);
    strictEqual((await server.status).code, 0);
  },
});

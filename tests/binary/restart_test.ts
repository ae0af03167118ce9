/** Restarts under load: nothing refused, nothing cut, one server throughout. */

import {
  deepStrictEqual,
  match,
  notStrictEqual,
  ok,
  rejects,
  strictEqual,
} from "node:assert/strict";
import { startScriptedApi } from "../fixtures/scripted_api.ts";
import { messageBody } from "../fixtures/demo_message.ts";
import { checkLedger } from "../fixtures/ledger_check.ts";
import { listening } from "../fixtures/listening.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { trials } from "../fixtures/trials.ts";
import { needsLinux } from "../fixtures/skipped.ts";

const RESTARTS = trials(2, 20);
const STREAMS = trials(8, 50);
const CLIENTS = trials(2, 8);
/** Requests of these clients and streams before the next restart begins. */
const REQUESTS_A_RESTART = trials(0, 1_000);
/** A stream takes some five seconds: it lives through a restart or two. */
const TOKENS_PER_SECOND = 40;

const SENDS_MAX = 3;
const PAUSE_MS = { stream: 2_000, request: trials(100, 15) };
/** Of all requests, how many may have to begin again beside one a restart. */
const UNREAD_SHARE_MAX = 0.01;

const SLOW_QUESTION = {
  model: "claude-opus-5-5",
  max_tokens: 2_000,
  stream: true,
  messages: [{ role: "user", content: "demo:tokens 200" }],
};

/** What came of the requests. */
class Tally {
  done = 0;
  /** Connections that ended before a byte was said on either side. */
  unread = 0;
  readonly bad: string[] = [];

  /** Counts one request; whatever goes wrong is kept by its words. */
  async count(what: string, request: () => Promise<void>): Promise<void> {
    try {
      await request();
      this.done++;
    } catch (cause) {
      const words = cause instanceof Error ? cause.message : String(cause);
      this.bad.push(`${what}: ${words}`);
    }
  }
}

/**
 * Sends until an answer begins, as every client of the API does. The kernel
 * resets a connection that a closing listener had not read from yet: nothing
 * was processed then, and it is counted. A refused connection fails.
 */
async function answered<Answer>(
  tally: Tally,
  send: () => Promise<Answer | null>,
): Promise<Answer> {
  for (let tries = 1;; tries++) {
    try {
      const answer = await send();
      if (answer !== null) return answer;
    } catch (cause) {
      const words = Deno.inspect(cause);
      const isUnread = /reset by peer|connection closed|broken pipe/i
        .test(words);
      if (!isUnread || tries === SENDS_MAX) throw cause;
    }
    tally.unread++;
  }
}

/** A small message; its nonce stays the same however often it is sent. */
async function ask(port: number, key: string, tally: Tally): Promise<void> {
  const nonce = crypto.randomUUID();
  whole(await answered(tally, () => askOnce(port, key, nonce)));
}

function whole(answer: string): void {
  match(answer, /^HTTP\/1\.1 200 /);
  match(answer, /"end_turn"/);
  match(answer, /\}\s*(0\r\n\r\n)?$/);
}

/** The whole answer as it came; null where the connection just ended. */
async function askOnce(
  port: number,
  key: string,
  nonce: string,
): Promise<string | null> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const body = messageBody({ text: "demo:say ok", isStream: false });
  const head = `POST /k/${key}/v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\n` +
    `content-type: application/json\r\ncontent-length: ${body.length}\r\n` +
    `x-demo-nonce: ${nonce}\r\nconnection: close\r\n\r\n`;
  await connection.write(new TextEncoder().encode(head + body));
  const answer = await new Response(connection.readable).text();
  return answer === "" ? null : answer;
}

async function stream(baseUrl: string, tally: Tally): Promise<void> {
  // On a connection that it has used before, fetch sends twice by itself.
  using client = Deno.createHttpClient({ poolMaxIdlePerHost: 0 });
  const nonce = crypto.randomUUID();
  const response = await answered(tally, () =>
    fetch(`${baseUrl}/v1/messages`, {
      client,
      method: "POST",
      headers: {
        "content-type": "application/json",
        "x-demo-nonce": nonce,
      },
      body: JSON.stringify(SLOW_QUESTION),
    }));
  strictEqual(response.status, 200);
  match(await response.text(), /message_stop/);
}

async function isFree(port: number): Promise<boolean> {
  const answer = await fetch(`http://127.0.0.1:${port}/`).catch(() => null);
  await answer?.body?.cancel();
  return answer === null;
}

Deno.test({
  name: "restarts under load lose no request and cut no stream",
  ignore: needsLinux("ports"),
  fn: async () => {
    await using api = await startScriptedApi({
      tokensPerSecond: TOKENS_PER_SECOND,
    });
    for (let number = 0; number < STREAMS; number++) {
      api.account(`account-${number}`, { tier: "max_20x" })
        .limits({ concurrency: 1_000, requestsPerMinute: 1_000_000 });
    }
    await using pool = await TcPool.of(api, { usage: { poll: false } });
    // It makes the key, and starts no server.
    strictEqual((await pool.tc(["status"])).code, 3);
    const baseUrl = await pool.baseUrl();
    const key = baseUrl.split("/k/")[1] ?? "";
    const log = pool.folder.join("server.log");
    const first = pool.command(["server", "--log-file", log], {
      stdout: "null",
      stderr: "null",
    }).spawn();
    await listening(pool.port);

    const tally = new Tally();
    const end = new AbortController();
    async function load(
      work: () => Promise<void>,
      what: "request" | "stream",
    ): Promise<void> {
      while (!end.signal.aborted) {
        await tally.count(what, work);
        // Faster streams would be held by the demo's own limits.
        await new Promise((wake) => setTimeout(wake, PAUSE_MS[what]));
      }
    }
    const loads = [
      ...Array.from(
        { length: CLIENTS },
        () => load(() => ask(pool.port, key, tally), "request"),
      ),
      ...Array.from(
        { length: STREAMS },
        () => load(() => stream(baseUrl, tally), "stream"),
      ),
    ];
    const pids = new Set<unknown>();
    for (let count = 0; count < RESTARTS; count++) {
      while (tally.done < count * REQUESTS_A_RESTART) await realClock.sleep(20);
      const { before, pid, error } = await pool.json(["restart"]);
      strictEqual(error, undefined, JSON.stringify(error));
      notStrictEqual(before, pid);
      pids.add(pid);
    }
    const wanted = RESTARTS * REQUESTS_A_RESTART;
    while (tally.done < wanted) await realClock.sleep(20);
    end.abort();
    await Promise.all(loads);
    await first.status;
    const words =
      `${tally.done} done, ${tally.unread} connections were reset ` +
      "before a byte and begun again";
    // deno-lint-ignore no-console -- the figure of this test
    console.log(`${RESTARTS} restarts, ${STREAMS} streams at a time: ${words}`);
    deepStrictEqual(tally.bad, []);
    ok(tally.unread <= RESTARTS + tally.done * UNREAD_SHARE_MAX, words);
    strictEqual(pids.size, RESTARTS);
    const sends = [...api.acceptedPerNonce().values()];
    deepStrictEqual(sends.filter((count) => count !== 1), []);
    strictEqual(sends.length, tally.done);
    strictEqual((await pool.tc(["stop"])).code, 0);
    while (!await isFree(pool.port)) await realClock.sleep(50);
    // What every answer said of its tokens is in the ledger, and once.
    const { rows, input, output } = checkLedger(pool.paths.stateFolder);
    const { requests, reported } = api.truth().total;
    deepStrictEqual([rows, input, output], [
      requests,
      reported.input,
      reported.output,
    ]);
  },
});

/** Ends a server in order; Windows has no signal that asks a process to. */
async function end(child: Deno.ChildProcess, pool: TcPool): Promise<void> {
  if (Deno.build.os !== "windows") return child.kill("SIGTERM");
  strictEqual((await pool.tc(["stop"])).code, 0);
}

Deno.test("a second server on one pool says who is there and ends with 5", async () => {
  await using api = await startScriptedApi();
  await using pool = await TcPool.of(api);
  const child = pool.command(["server", "--headless"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  await listening(pool.port);
  const same = await pool.tc(["server", "--headless"]);
  strictEqual(same.code, 5, same.stderr);
  match(same.stderr, /already|runs/);
  const other = await pool.tc(["server", "--headless", "--port", "0"]);
  strictEqual(other.code, 5, other.stderr);
  await end(child, pool);
  strictEqual((await child.status).code, 0);
});

Deno.test("a drain that is over ends the server in order", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_5x" });
  await using pool = await TcPool.of(api);
  await pool.tc(["status"]);
  const log = pool.folder.join("server.log");
  const child = pool.command(["server", "--log-file", log], {
    env: { TC_TIMEOUTS_DRAIN_MS: "300" },
    stdout: "null",
    stderr: "null",
  }).spawn();
  await listening(pool.port);
  const baseUrl = await pool.baseUrl();
  api.next("work").stream(["message_start", "hang"]);
  const events = await fetch(`${baseUrl}/tc/v1/events`);
  strictEqual(events.status, 200);
  const answer = await fetch(`${baseUrl}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(SLOW_QUESTION),
  });
  strictEqual(answer.status, 200);
  await end(child, pool);
  strictEqual((await child.status).code, 0);
  // Who watches is let go at once and in order; the answer is cut.
  ok((await events.text()).startsWith(": tc"));
  await rejects(answer.text());
  ok(!/error server/.test(await Deno.readTextFile(log)));
});

Deno.test("tc restart puts another server in the place of the one that runs", async () => {
  await using api = await startScriptedApi();
  api.account("work", { tier: "max_5x" });
  await using pool = await TcPool.of(api, { usage: { poll: false } });
  await pool.tc(["status"]);
  const child = pool.command(
    ["server", "--log-file", pool.folder.join("server.log")],
    { stdout: "null", stderr: "null" },
  ).spawn();
  await listening(pool.port);
  const pidOf = async () => (await pool.json(["status"]))["server"];
  const before = await pidOf();
  // On Windows the new server would hold a pipe of the command's output open.
  const restart = pool.command(["restart"], {
    stdout: "null",
    stderr: "null",
  }).spawn();
  strictEqual((await restart.status).code, 0);
  strictEqual((await child.status).code, 0);
  await listening(pool.port);
  notStrictEqual(JSON.stringify(await pidOf()), JSON.stringify(before));
  const answer = await fetch(`${await pool.baseUrl()}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: messageBody({ text: "demo:say ok" }),
  });
  strictEqual(answer.status, 200);
  match(await answer.text(), /end_turn/);
});

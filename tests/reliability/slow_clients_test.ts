/**
 * Clients that are slow on purpose beside real ones (K10): half a head, a body
 * byte by byte, an answer that nobody reads. Each is ended at its limit.
 */

import { ok, strictEqual } from "node:assert/strict";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { messageBody } from "../fixtures/demo_message.ts";
import { listening } from "../fixtures/listening.ts";
import { report } from "../fixtures/report.ts";
import { TcPool } from "../fixtures/tc_process.ts";
import { trials } from "../fixtures/trials.ts";

const HEADS = trials(100, 2_000);
const BODIES = trials(30, 300);
/** Each fills the buffers of two sockets, some 10 MB. */
const READERS = trials(30, 100);
const STREAMS = 20;
const ACCOUNTS = trials(2, 40);
const IN_HAND = BODIES + READERS + STREAMS;

const EVENTS = 40;
const EVENT_MS = 50;
/** The upstream is in this process, and late itself where there are many. */
const LIMIT_MS = trials(2_000, 10_000);
const DRIP_MS = 200;
/** What else a server opens and closes. */
const SPARE = 20;
/** A look late, on a machine with other work. */
const LATE_MS = 60_000;

const encoder = new TextEncoder();

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function until(isSo: () => boolean, ms: number): Promise<boolean> {
  const deadline = performance.now() + ms;
  while (!isSo() && performance.now() < deadline) await sleep(50);
  return isSo();
}

/** An upstream with answers at a pace, and some without an end. */
class Upstream implements AsyncDisposable {
  /** Endless answers that are still being asked for. */
  endless = 0;
  asked = 0;
  /** How many were begun. */
  begun = 0;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor() {
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      async (request) => {
        const text = await request.text();
        this.asked++;
        const body = text.includes("without end")
          ? this.#withoutEnd()
          : atPace();
        return new Response(body, {
          headers: { "content-type": "text/event-stream" },
        });
      },
    );
  }

  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}`;
  }

  #withoutEnd(): ReadableStream<Uint8Array> {
    this.endless++;
    this.begun++;
    const chunk = encoder.encode(`data: ${"x".repeat(64 * 1024)}\n\n`);
    return new ReadableStream({
      pull: (controller) => controller.enqueue(chunk),
      cancel: () => {
        this.endless--;
      },
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }
}

function atPace(): ReadableStream<Uint8Array> {
  let count = 0;
  return new ReadableStream({
    async pull(controller) {
      await sleep(EVENT_MS);
      controller.enqueue(encoder.encode(`data: ${count++}\n\n`));
      if (count === EVENTS) controller.close();
    },
  });
}

/** A connection of which the test reads as much as it wants. */
class Client {
  readonly #connection: Deno.TcpConn;
  received = "";

  private constructor(connection: Deno.TcpConn) {
    this.#connection = connection;
  }

  static async open(port: number, text: string): Promise<Client> {
    const client = new Client(
      await Deno.connect({ hostname: "127.0.0.1", port }),
    );
    await client.write(text);
    return client;
  }

  async write(text: string): Promise<void> {
    await this.#connection.write(encoder.encode(text));
  }

  /** Reads until the connection ends. */
  async read(): Promise<void> {
    const decoder = new TextDecoder();
    const buffer = new Uint8Array(4096);
    try {
      for (;;) {
        const count = await this.#connection.read(buffer);
        if (count === null) return;
        this.received += decoder.decode(buffer.subarray(0, count));
      }
    } catch {
      // Reset, or closed by the test.
    }
  }

  /** Sends a byte now and then until the connection ends. */
  async drip(): Promise<void> {
    try {
      for (;;) {
        await this.write(" ");
        await sleep(DRIP_MS);
      }
    } catch {
      // Reset, or closed by the test.
    }
  }

  close(): void {
    try {
      this.#connection.close();
    } catch {
      // The other side was first.
    }
  }
}

function numbered<Made>(
  count: number,
  make: (index: number) => Promise<Made>,
): Promise<Made[]> {
  return Promise.all(Array.from({ length: count }, (_, index) => make(index)));
}

/** The longest silences, in ms, within a stream of events. */
async function realStream(baseUrl: string): Promise<readonly number[]> {
  const answer = await fetch(`${baseUrl}/v1/messages`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: messageBody(),
  });
  strictEqual(answer.status, 200);
  const gaps: number[] = [];
  let text = "";
  let lastMs = performance.now();
  for await (
    const part of answer.body?.pipeThrough(new TextDecoderStream()) ?? []
  ) {
    gaps.push(performance.now() - lastMs);
    lastMs = performance.now();
    text += part;
  }
  ok(text.endsWith(`data: ${EVENTS - 1}\n\n`), text);
  return gaps;
}

function percentile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) * part)] ?? 0;
}

function post(path: string, length: number): string {
  return `POST ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\n` +
    `content-type: application/json\r\ncontent-length: ${length}\r\n\r\n`;
}

/** How many descriptors a process has open; null where that is not seen. */
async function descriptorsOf(pid: number): Promise<number | null> {
  if (Deno.build.os !== "linux") return null;
  return (await Array.fromAsync(Deno.readDir(`/proc/${pid}/fd`))).length;
}

/** A server in front of `upstream`, up and running. */
class Served implements AsyncDisposable {
  readonly pool: TcPool;
  readonly #api: ScriptedApi;
  readonly #server: Deno.ChildProcess;

  private constructor(
    api: ScriptedApi,
    pool: TcPool,
    server: Deno.ChildProcess,
  ) {
    this.#api = api;
    this.pool = pool;
    this.#server = server;
  }

  static async open(
    upstream: Upstream,
    requestsMax: number,
  ): Promise<Served> {
    const api = await startScriptedApi();
    for (let index = 0; index < ACCOUNTS; index++) {
      api.account(`account-${index}`, { tier: "max_20x" });
    }
    const pool = await TcPool.of(api, {
      upstream: upstream.url,
      usage: { poll: false },
      proxy: { requestsMax },
      hold: { requestsMax: 2_000 },
      timeouts: { bodyMs: LIMIT_MS, idleMs: LIMIT_MS, drainMs: 20_000 },
    });
    const server = pool.command(["server", "--headless"], {
      stdout: "null",
      stderr: "null",
    }).spawn();
    await listening(pool.port);
    return new Served(api, pool, server);
  }

  get pid(): number {
    return this.#server.pid;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.pool[Symbol.asyncDispose]();
    await this.#server.status;
    await this.#api[Symbol.asyncDispose]();
  }
}

Deno.test("slow clients are ended at their limits and disturb nobody", async () => {
  await using upstream = new Upstream();
  // Whoever is not done with keeps a real one out.
  await using served = await Served.open(upstream, IN_HAND);
  const { port } = served.pool;
  const baseUrl = await served.pool.baseUrl();
  const target = `${new URL(baseUrl).pathname}/v1/messages`;
  // The pool of connections to the upstream is as large before as after.
  await numbered(IN_HAND, () => realStream(baseUrl));
  const before = await descriptorsOf(served.pid);

  const head = `POST ${target} HTTP/1.1\r\nhost: 127.0.0.1\r\nx: `;
  const heads = await numbered(HEADS, () => Client.open(port, head));
  const begun = `${post(target, 10_000)}{`;
  const bodies = await numbered(BODIES, () => Client.open(port, begun));
  const question = messageBody({ text: "without end" });
  const asked = post(target, question.length) + question;
  const readers = await numbered(READERS, () => Client.open(port, asked));
  const dripping = bodies.flatMap((body) => [body.drip(), body.read()]);

  const gaps = (await numbered(STREAMS, () => realStream(baseUrl))).flat();
  report(
    `${gaps.length} events beside ${HEADS}, ${BODIES} and ${READERS} slow ` +
      `clients: ${Math.round(percentile(gaps, 0.5))} ms from one to the ` +
      `next, p99 ${Math.round(percentile(gaps, 0.99))} ms`,
  );

  const isAnswered = () =>
    bodies.every(({ received }) => received.startsWith("HTTP/1.1 408 "));
  ok(await until(isAnswered, LATE_MS), "a slow body was not refused");
  strictEqual(upstream.begun, READERS, "not all readers were served");
  const isOver = () => upstream.endless === 0;
  ok(await until(isOver, LATE_MS), "an answer that nobody takes goes on");

  const ends = Promise.all(heads.map((client) => client.read()));
  let isEnded = false;
  ends.then(() => isEnded = true);
  ok(await until(() => isEnded, LATE_MS), "half a head is kept");

  await numbered(IN_HAND, () => realStream(baseUrl));

  for (const client of [...heads, ...bodies, ...readers]) client.close();
  await Promise.all(dripping);
  let left = Infinity;
  for (let tries = 0; tries < 100 && left > SPARE; tries++) {
    left = (await descriptorsOf(served.pid) ?? 0) - (before ?? 0);
    await sleep(100);
  }
  ok(left <= SPARE, `${left} descriptors more than before`);
});

Deno.test("with all requests in hand that may be, tc is asked and stopped", async () => {
  await using upstream = new Upstream();
  await using served = await Served.open(upstream, 1);
  const { pool } = served;
  const streaming = realStream(await pool.baseUrl());
  ok(await until(() => upstream.asked === 1, LATE_MS));
  const refused = await fetch(`${await pool.baseUrl()}/v1/models`);
  strictEqual(refused.status, 503, await refused.text());
  strictEqual((await pool.tc(["status"])).code, 0);
  await streaming;
  const stuck = realStream(await pool.baseUrl());
  ok(await until(() => upstream.asked === 2, LATE_MS));
  strictEqual((await pool.tc(["stop"])).code, 0);
  await stuck;
});

Deno.test("a command whose body does not come is ended as well", async () => {
  await using upstream = new Upstream();
  await using served = await Served.open(upstream, 1);
  const { port } = served.pool;
  const { pathname } = new URL(await served.pool.baseUrl());
  const client = await Client.open(
    port,
    `${post(`${pathname}/tc/v1/hook`, 9)}{`,
  );
  await client.read();
  ok(client.received.startsWith("HTTP/1.1 408 "), client.received);
  client.close();
});

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { UpstreamBody } from "../../src/ports.ts";
import { ManualClock } from "../fixtures/manual_clock.ts";
import { RawUpstream } from "../fixtures/raw_upstream.ts";
import {
  requestTo,
  TestPool,
  textOf,
  until,
  upstreamErrorOf,
} from "../fixtures/upstream_client.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const GOOD = `${OK}content-length: 2\r\n\r\nok`;
const MINUTE_MS = 60_000;

/** Real bytes need real time, however the fake clock stands. */
function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test("send() waits ten minutes for the first byte and no longer", async () => {
  const clock = new ManualClock();
  let isAsked = false;
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    isAsked = true;
    await connection.request();
  });
  using pool = new TestPool({ clock });
  let isOver = false;
  const failing = upstreamErrorOf(pool.send(requestTo(upstream.origin)))
    .finally(() => isOver = true);
  await until(() => isAsked && clock.sleeping > 0);
  await clock.advance(599_000, 5_000);
  strictEqual(isOver, false);
  // On a busy machine the limit may have begun a step or two later.
  for (let step = 0; step < 20 && !isOver; step++) await clock.advance(3_000);
  const error = await failing;
  strictEqual(error.step, "head");
  strictEqual(error.sent, true);
  strictEqual(
    error.message,
    `Cannot get an answer from ${upstream.origin}: silent for 600000 ms`,
  );
  strictEqual(pool.statistics().open, 0);
});

Deno.test("send() takes an answer after nine minutes of silence", async () => {
  const clock = new ManualClock();
  let isAsked = false;
  const asked = Promise.withResolvers<void>();
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    isAsked = true;
    await asked.promise;
    await connection.write(GOOD);
  });
  using pool = new TestPool({ clock });
  const sending = pool.send(requestTo(upstream.origin));
  await until(() => isAsked);
  await clock.advance(9 * MINUTE_MS, 5_000);
  asked.resolve();
  strictEqual(await textOf(await sending), "ok");
});

Deno.test("read() allows silence up to its limit, each time", async () => {
  const clock = new ManualClock();
  let next = Promise.withResolvers<void>();
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.write(`${OK}transfer-encoding: chunked\r\n\r\n`);
    for (let round = 0; round < 3; round++) {
      await next.promise;
      next = Promise.withResolvers();
      await connection.write("2\r\nok\r\n");
    }
    await connection.request();
  });
  using pool = new TestPool({ clock });
  const { body } = await pool.send(requestTo(upstream.origin));
  for (let round = 0; round < 3; round++) {
    const reading = body.read();
    await clock.advance(4 * MINUTE_MS + 58_000, 2_000);
    next.resolve();
    strictEqual((await reading)?.length, 2, `round ${round}`);
  }
  const failing = upstreamErrorOf(body.read());
  await clock.advance(5 * MINUTE_MS + 2_000);
  strictEqual((await failing).step, "body");
  strictEqual(pool.statistics().open, 0);
});

Deno.test("read() lets a slow client take its time", async () => {
  const clock = new ManualClock();
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.write(`${OK}content-length: 4\r\n\r\nok`);
    await connection.request();
  });
  using pool = new TestPool({ clock });
  const { body } = await pool.send(requestTo(upstream.origin));
  await body.read();
  await clock.advance(60 * MINUTE_MS, 10_000);
  strictEqual(pool.statistics().open, 1);
  body.cancel();
});

Deno.test("send() counts the first byte's limit from the last progress of an upload", async () => {
  const clock = new ManualClock();
  let isTaking = false;
  await using upstream = new RawUpstream(async (connection) => {
    const head = await connection.head();
    await until(() => isTaking);
    for (let left = Number(head?.header("content-length")); left > 0;) {
      left -= await connection.drain(1 << 20);
    }
    await pause(20);
    await connection.write(GOOD);
  });
  using pool = new TestPool({ clock });
  const body = new Uint8Array(40_000_000);
  const sending = pool.send(requestTo(upstream.origin, { body }));
  await until(() => upstream.connections === 1);
  await pause(20);
  await clock.advance(9 * MINUTE_MS, 5_000);
  isTaking = true;
  await pause(100);
  await clock.advance(9 * MINUTE_MS, 60_000);
  strictEqual(await textOf(await sending), "ok");
});

Deno.test("send() gives up an upload that stalls for ten minutes", async () => {
  const clock = new ManualClock();
  await using upstream = new RawUpstream(async (connection) => {
    await connection.head();
    await pause(500);
  });
  using pool = new TestPool({ clock });
  const body = new Uint8Array(40_000_000);
  const failing = upstreamErrorOf(
    pool.send(requestTo(upstream.origin, { body })),
  );
  await until(() => upstream.connections === 1);
  await pause(20);
  await clock.advance(602_000, 10_000);
  const error = await failing;
  strictEqual(error.step, "write");
  strictEqual(error.sent, true);
});

Deno.test("send() gives up a connect that nobody accepts", async () => {
  // A listener whose queue is full: the kernel leaves the next ones waiting.
  using listener = Deno.listen({
    hostname: "127.0.0.1",
    port: 0,
    tcpBacklog: 1,
  });
  const { port } = listener.addr;
  const clock = new ManualClock();
  using pool = new TestPool({ clock });
  const origin = `http://127.0.0.1:${port}`;
  const failing = Array.from({ length: 8 }, () => {
    const given = new AbortController();
    const { signal } = given;
    const error = upstreamErrorOf(pool.send(requestTo(origin, { signal })));
    return { given, error };
  });
  await pause(100);
  const open = pool.statistics().open;
  ok(open < 8, `${open} of 8 connected`);
  await clock.advance(12_000);
  // Those in the queue wait for an answer; the rest could not connect.
  for (const { given } of failing) given.abort();
  const errors = await Promise.all(failing.map(({ error }) => error));
  const notConnected = errors.filter((error) => error.step === "connect");
  strictEqual(notConnected.length, 8 - open);
  for (const error of notConnected) {
    strictEqual(error.sent, false);
    ok(error.message.endsWith("no success within 10000 ms"));
  }
});

Deno.test("the pool closes connections that rested for 30 seconds", async () => {
  const clock = new ManualClock();
  await using upstream = new RawUpstream(async (connection) => {
    while (await connection.request() !== null) await connection.write(GOOD);
  });
  using pool = new TestPool({ clock });
  await pool.send(requestTo(upstream.origin));
  await clock.advance(20_000);
  await pool.send(requestTo(upstream.origin));
  await clock.advance(29_000);
  strictEqual(pool.statistics().idle, 1);
  await clock.advance(3_000);
  strictEqual(pool.statistics().open, 0);
  await pool.send(requestTo(upstream.origin));
  strictEqual(upstream.connections, 2);
});

Deno.test("the pool uses no connection from before the machine slept", async () => {
  const clock = new ManualClock();
  await using upstream = new RawUpstream(async (connection) => {
    while (await connection.request() !== null) await connection.write(GOOD);
  });
  using pool = new TestPool({ clock });
  await Promise.all([1, 2, 3].map(() => pool.send(requestTo(upstream.origin))));
  deepStrictEqual(pool.statistics().idle, 3);
  // The wall clock jumps, and no timer has run yet when a request comes.
  clock.suspend(8 * 60 * MINUTE_MS);
  await pool.send(requestTo(upstream.origin));
  strictEqual(upstream.connections, 4);
  strictEqual(pool.statistics().open, 1);
  // The same when the watch looks first.
  clock.suspend(8 * 60 * MINUTE_MS);
  await clock.advance(2_000);
  strictEqual(pool.statistics().open, 0);
});

Deno.test("the pool's watch ends with its last connection", async () => {
  const clock = new ManualClock();
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.write(GOOD);
  });
  using pool = new TestPool({ clock });
  const bodies: UpstreamBody[] = [];
  bodies.push((await pool.send(requestTo(upstream.origin))).body);
  await until(() => pool.statistics().open === 0);
  await clock.advance(2_000);
  strictEqual(clock.sleeping, 0);
  bodies.push((await pool.send(requestTo(upstream.origin))).body);
  strictEqual(clock.sleeping, 1);
});

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { ManualClock } from "../fixtures/manual_clock.ts";
import { RawUpstream } from "../fixtures/raw_upstream.ts";
import {
  requestTo,
  TestPool,
  textOf,
  until,
  upstreamErrorOf,
} from "../fixtures/upstream_client.ts";

const GOOD = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/** Answers with the number of the connection, after `gate` where one is set. */
function numbering(gate: Promise<void> = Promise.resolve()): RawUpstream {
  return new RawUpstream(async (connection, number) => {
    while (await connection.request() !== null) {
      await gate;
      const text = String(number);
      await connection.write(
        `HTTP/1.1 200 OK\r\ncontent-length: ${text.length}\r\n\r\n${text}`,
      );
    }
  });
}

Deno.test("the pool takes the connection that was used last", async () => {
  await using upstream = numbering();
  using pool = new TestPool();
  async function send(): Promise<string> {
    return await textOf(await pool.send(requestTo(upstream.origin)));
  }
  await Promise.all([send(), send(), send()]);
  strictEqual(pool.statistics().idle, 3);
  const last = await send();
  for (let i = 0; i < 10; i++) strictEqual(await send(), last);
});

Deno.test("the pool keeps to its limit of connections", async () => {
  const gate = Promise.withResolvers<void>();
  await using upstream = numbering(gate.promise);
  using pool = new TestPool({ limits: { connectionsMax: 3 } });
  const answers = Array.from({ length: 10 }, async () => {
    return await textOf(await pool.send(requestTo(upstream.origin)));
  });
  await until(() => upstream.connections === 3);
  strictEqual(pool.statistics().open, 3);
  gate.resolve();
  const texts = await Promise.all(answers);
  strictEqual(texts.length, 10);
  strictEqual(upstream.connections, 3);
  deepStrictEqual(pool.statistics(), {
    open: 3,
    idle: 3,
    opened: 3,
    reused: 7,
  });
});

Deno.test("the pool gives a closed connection's place to a waiter", async () => {
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.write(
      "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok",
    );
  });
  using pool = new TestPool({ limits: { connectionsMax: 2 } });
  const answers = Array.from({ length: 9 }, async () => {
    return await textOf(await pool.send(requestTo(upstream.origin)));
  });
  deepStrictEqual(new Set(await Promise.all(answers)), new Set(["ok"]));
  strictEqual(upstream.connections, 9);
  strictEqual(pool.statistics().open, 0);
});

Deno.test("the pool gives the place of a failed connect to a waiter", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  using pool = new TestPool({ limits: { connectionsMax: 1 } });
  const origin = `http://127.0.0.1:${port}`;
  const errors = await Promise.all(
    Array.from(
      { length: 5 },
      () => upstreamErrorOf(pool.send(requestTo(origin))),
    ),
  );
  for (const error of errors) {
    strictEqual(error.step, "connect");
    strictEqual(error.sent, false);
  }
});

Deno.test("the pool refuses a queue beyond its limit, and a wait beyond its time", async () => {
  const clock = new ManualClock();
  const gate = Promise.withResolvers<void>();
  await using upstream = numbering(gate.promise);
  using pool = new TestPool({
    clock,
    limits: { connectionsMax: 1, waitersMax: 1 },
  });
  const first = pool.send(requestTo(upstream.origin));
  await until(() => upstream.connections === 1);
  const second = upstreamErrorOf(pool.send(requestTo(upstream.origin)));
  const third = await upstreamErrorOf(pool.send(requestTo(upstream.origin)));
  strictEqual(third.step, "connect");
  strictEqual(third.sent, false);
  ok(third.message.endsWith("all 1 connections are in use"));
  await clock.advance(11_000);
  const late = await second;
  strictEqual(late.step, "connect");
  strictEqual(late.sent, false);
  gate.resolve();
  strictEqual(await textOf(await first), "1");
  strictEqual(pool.statistics().idle, 1, "nobody holds the place any more");
});

Deno.test("the pool forgets a waiter that is given up", async () => {
  const gate = Promise.withResolvers<void>();
  await using upstream = numbering(gate.promise);
  using pool = new TestPool({ limits: { connectionsMax: 1 } });
  const first = pool.send(requestTo(upstream.origin));
  await until(() => upstream.connections === 1);
  const given = new AbortController();
  const { signal } = given;
  const second = upstreamErrorOf(
    pool.send(requestTo(upstream.origin, { signal })),
  );
  const third = pool.send(requestTo(upstream.origin));
  given.abort();
  strictEqual((await second).step, "aborted");
  gate.resolve();
  strictEqual(await textOf(await first), "1");
  strictEqual(await textOf(await third), "1");
  strictEqual(upstream.connections, 1);
});

Deno.test("the pool keeps the origins apart", async () => {
  await using one = numbering();
  await using two = numbering();
  using pool = new TestPool();
  await pool.send(requestTo(one.origin));
  await pool.send(requestTo(two.origin));
  await pool.send(requestTo(one.origin));
  strictEqual(one.connections, 1);
  strictEqual(two.connections, 1);
  strictEqual(pool.statistics().open, 2);
});

Deno.test("warm() opens connections in advance, and no more than asked", async () => {
  await using upstream = numbering();
  using pool = new TestPool({ limits: { connectionsMax: 5 } });
  await Promise.all([
    pool.warm(upstream.origin, 3),
    pool.warm(upstream.origin, 3),
  ]);
  deepStrictEqual(pool.statistics(), {
    open: 3,
    idle: 3,
    opened: 3,
    reused: 0,
  });
  await pool.warm(upstream.origin, 2);
  strictEqual(pool.statistics().open, 3);
  await Promise.all(
    Array.from({ length: 3 }, () => pool.send(requestTo(upstream.origin))),
  );
  strictEqual(pool.statistics().opened, 3);
  await pool.warm(upstream.origin, 50);
  strictEqual(pool.statistics().open, 5);
});

Deno.test("warm() ignores a failure, and leaves the place free", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  using pool = new TestPool({ limits: { connectionsMax: 2 } });
  const origin = `http://127.0.0.1:${port}`;
  for (let i = 0; i < 3; i++) await pool.warm(origin, 2);
  strictEqual(pool.statistics().open, 0);
  const error = await upstreamErrorOf(pool.send(requestTo(origin)));
  ok(error.message.includes("refused"), error.message);
});

Deno.test("a warm connection that the upstream drops costs no request", async () => {
  await using upstream = new RawUpstream(async (connection, number) => {
    if (number <= 2) return;
    while (await connection.request() !== null) await connection.write(GOOD);
  });
  using pool = new TestPool();
  await pool.warm(upstream.origin, 2);
  await until(() => pool.statistics().open === 0);
  strictEqual(await textOf(await pool.send(requestTo(upstream.origin))), "ok");
});

Deno.test("a connection that is handed to a waiter has the time limit of a new request", async () => {
  const gate = Promise.withResolvers<void>();
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await gate.promise;
    await connection.write(GOOD);
    // The second request is never answered.
    await connection.request();
    await connection.request();
  });
  using pool = new TestPool({
    limits: { connectionsMax: 1, firstByteMs: 500 },
  });
  const first = pool.send(requestTo(upstream.origin));
  await until(() => upstream.connections === 1);
  const second = upstreamErrorOf(pool.send(requestTo(upstream.origin)));
  gate.resolve();
  strictEqual(await textOf(await first), "ok");
  let step: string | null = null;
  second.then((error) => step = error.step);
  await until(() => step !== null);
  strictEqual(step, "head");
});

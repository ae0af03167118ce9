import { ok, rejects, strictEqual } from "node:assert/strict";
import { UpstreamError } from "../../src/errors.ts";
import { freePort } from "../fixtures/free_port.ts";
import { HOSTILE_ANSWERS } from "../fixtures/hostile_heads.ts";
import { RawUpstream } from "../fixtures/raw_upstream.ts";
import {
  readAll,
  requestTo,
  TestPool,
  textOf,
  until,
  upstreamErrorOf,
} from "../fixtures/upstream_client.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const GOOD = `${OK}content-length: 2\r\n\r\nok`;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test("send() refuses every hostile head at once and drops the connection", async () => {
  let answer = "";
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.write(answer);
    // Kept open: an answer that is waited for would hang the test.
    await connection.request();
  });
  using pool = new TestPool();
  for (const { group, text } of HOSTILE_ANSWERS) {
    answer = text;
    const label = `${group}: ${JSON.stringify(text).slice(0, 80)}`;
    const error = await upstreamErrorOf(pool.send(requestTo(upstream.origin)));
    strictEqual(error.step, "head", label);
    strictEqual(error.sent, true, label);
    strictEqual(pool.statistics().open, 0, label);
  }
  strictEqual(upstream.connections, HOSTILE_ANSWERS.length);
});

Deno.test("send() treats an incomplete head as no answer", async () => {
  const head = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
  let cutAt = 0;
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.write(head.slice(0, cutAt));
  });
  using pool = new TestPool();
  for (cutAt = 0; cutAt < head.length; cutAt++) {
    const error = await upstreamErrorOf(pool.send(requestTo(upstream.origin)));
    strictEqual(error.step, "head");
    strictEqual(error.sent, true);
    strictEqual(pool.statistics().open, 0);
  }
});

Deno.test("read() never ends a body cleanly that broke off", async () => {
  const answers = [
    `${OK}content-length: 12\r\n\r\nhello, world`,
    `${OK}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n7;a=b\r\n, world\r\n` +
    `0\r\ntrailer: x\r\n\r\n`,
  ];
  for (const answer of answers) {
    let cutAt = 0;
    await using upstream = new RawUpstream(async (connection) => {
      await connection.request();
      await connection.write(answer.slice(0, cutAt));
    });
    using pool = new TestPool();
    const headEnd = answer.indexOf("\r\n\r\n") + 4;
    for (cutAt = headEnd; cutAt < answer.length; cutAt++) {
      const { body } = await pool.send(requestTo(upstream.origin));
      const error = await upstreamErrorOf(readAll(body));
      strictEqual(error.step, "body", `cut at ${cutAt}`);
      strictEqual(error.sent, true);
      strictEqual(body.complete, null);
      await rejects(body.read(), UpstreamError, "and it stays broken");
      strictEqual(pool.statistics().open, 0);
    }
  }
});

Deno.test("read() refuses a wrong chunk and drops the connection", async () => {
  const bodies = [
    "5\r\nhello world\r\n0\r\n\r\n",
    "x\r\nhello\r\n0\r\n\r\n",
    "5\nhello\r\n0\r\n\r\n",
    "-5\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n\r\n",
    "ffffffffffffffff\r\nhello\r\n0\r\n\r\n",
    "5\r\nhello\r\n0\r\n: \0\r\n\r\n",
  ];
  for (const text of bodies) {
    await using upstream = new RawUpstream(async (connection) => {
      await connection.request();
      await connection.write(`${OK}transfer-encoding: chunked\r\n\r\n`);
      await pause(2);
      await connection.write(text);
      await connection.request();
    });
    using pool = new TestPool();
    const { body } = await pool.send(requestTo(upstream.origin));
    const error = await upstreamErrorOf(readAll(body));
    strictEqual(error.step, "body", text);
    strictEqual(pool.statistics().open, 0, text);
  }
});

Deno.test("send() fails a wrong chunk that came with the head", async () => {
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.write(`${OK}transfer-encoding: chunked\r\n\r\nx\r\n`);
    await connection.request();
  });
  using pool = new TestPool();
  const error = await upstreamErrorOf(pool.send(requestTo(upstream.origin)));
  strictEqual(error.step, "body");
  strictEqual(pool.statistics().open, 0);
});

Deno.test("send() says that nothing was sent when it cannot connect", async () => {
  using pool = new TestPool();
  const origin = `http://127.0.0.1:${freePort()}`;
  const refused = await upstreamErrorOf(pool.send(requestTo(origin)));
  strictEqual(refused.sent, false);
  strictEqual(refused.step, "connect");
  ok(refused.message.startsWith(`Cannot connect to ${origin}: `));
  // A label over 63 letters: refused without asking the network.
  const name = `http://${"x".repeat(70)}.invalid`;
  const unknown = await upstreamErrorOf(pool.send(requestTo(name)));
  strictEqual(unknown.sent, false);
  strictEqual(unknown.step, "resolve");
});

Deno.test("send() never repeats a request on a reused connection that closes", async () => {
  const seen: string[] = [];
  await using upstream = new RawUpstream(async (connection) => {
    const first = await connection.request();
    seen.push(first?.header("x-nonce") ?? "");
    await connection.write(GOOD);
    const second = await connection.request();
    seen.push(second?.header("x-nonce") ?? "");
    // Closes without an answer: nobody can know what became of it.
  });
  using pool = new TestPool();
  function send(nonce: string): Promise<unknown> {
    return pool.send(
      requestTo(upstream.origin, { headers: [["x-nonce", nonce]] }),
    );
  }
  for (let round = 0; round < 20; round++) {
    await send(`${round} first`);
    const error = await upstreamErrorOf(send(`${round} second`));
    strictEqual(error.sent, true);
    strictEqual(error.step, "head");
    strictEqual(pool.statistics().open, 0);
  }
  strictEqual(new Set(seen).size, seen.length);
  strictEqual(seen.length, 40);
  strictEqual(upstream.connections, 20);
});

Deno.test("send() survives upstreams that close right after an answer", async () => {
  // The close and the next request race; whatever wins, none is sent twice.
  const seen = new Map<string, number>();
  await using upstream = new RawUpstream(async (connection, number) => {
    for (let left = 1 + number % 3; left > 0; left--) {
      const request = await connection.request();
      if (request === null) return;
      const nonce = request.header("x-nonce") ?? "";
      seen.set(nonce, (seen.get(nonce) ?? 0) + 1);
      await connection.write(GOOD);
      if (number % 5 === 0) await pause(0);
    }
  });
  using pool = new TestPool();
  let failed = 0;
  for (let i = 0; i < 300; i++) {
    const headers = [["x-nonce", String(i)]] as const;
    try {
      await textOf(await pool.send(requestTo(upstream.origin, { headers })));
    } catch (error) {
      ok(error instanceof UpstreamError && error.sent);
      failed++;
    }
    if (i % 4 === 0) await pause(1);
  }
  strictEqual(Math.max(...seen.values()), 1);
  ok(seen.size >= 300 - failed, `${seen.size} seen, ${failed} failed`);
});

Deno.test("send() notices the close of an idle connection at once", async () => {
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.write(GOOD);
    await pause(10);
  });
  using pool = new TestPool();
  for (let i = 1; i <= 5; i++) {
    await pool.send(requestTo(upstream.origin));
    strictEqual(pool.statistics().idle, 1);
    await until(() => pool.statistics().open === 0);
    strictEqual(upstream.connections, i);
  }
});

Deno.test("send() stops at every step when the request is given up", async (t) => {
  const reason = new Error("the client left");

  await t.step("before it starts", async () => {
    await using upstream = new RawUpstream(async (connection) => {
      await connection.request();
    });
    using pool = new TestPool();
    const signal = AbortSignal.abort(reason);
    const error = await upstreamErrorOf(
      pool.send(requestTo(upstream.origin, { signal })),
    );
    strictEqual(error.step, "aborted");
    strictEqual(error.sent, false);
    strictEqual(upstream.connections, 0);
  });

  await t.step("while it awaits the head", async () => {
    let isClosed = false;
    await using upstream = new RawUpstream(async (connection) => {
      await connection.request();
      isClosed = await connection.request() === null;
    });
    using pool = new TestPool();
    const given = new AbortController();
    setTimeout(() => given.abort(reason), 20);
    const error = await upstreamErrorOf(
      pool.send(requestTo(upstream.origin, { signal: given.signal })),
    );
    strictEqual(error.step, "aborted");
    strictEqual(error.sent, true);
    strictEqual(error.cause, reason);
    strictEqual(pool.statistics().open, 0);
    await until(() => isClosed, 250);
  });

  await t.step("while it reads the body", async () => {
    let isClosed = false;
    await using upstream = new RawUpstream(async (connection) => {
      await connection.request();
      await connection.write(`${OK}content-length: 9\r\n\r\nok`);
      isClosed = await connection.request() === null;
    });
    using pool = new TestPool();
    const given = new AbortController();
    const { body } = await pool.send(
      requestTo(upstream.origin, { signal: given.signal }),
    );
    strictEqual((await body.read())?.length, 2);
    setTimeout(() => given.abort(reason), 20);
    const error = await upstreamErrorOf(body.read());
    strictEqual(error.step, "aborted");
    strictEqual(pool.statistics().open, 0);
    await until(() => isClosed, 250);
  });

  await t.step("while nobody reads the body", async () => {
    let isClosed = false;
    await using upstream = new RawUpstream(async (connection) => {
      await connection.request();
      await connection.write(`${OK}content-length: 9\r\n\r\nok`);
      isClosed = await connection.request() === null;
    });
    using pool = new TestPool();
    const given = new AbortController();
    const { body } = await pool.send(
      requestTo(upstream.origin, { signal: given.signal }),
    );
    given.abort(reason);
    await until(() => isClosed, 250);
    strictEqual(pool.statistics().open, 0);
    strictEqual((await upstreamErrorOf(readAll(body))).step, "aborted");
  });

  await t.step("while it uploads", async () => {
    let isClosed = false;
    await using upstream = new RawUpstream(async (connection) => {
      await connection.head();
      await pause(50);
      while (await connection.drain(65_536) > 0);
      isClosed = true;
    });
    using pool = new TestPool();
    const given = new AbortController();
    setTimeout(() => given.abort(reason), 20);
    const error = await upstreamErrorOf(pool.send(requestTo(upstream.origin, {
      signal: given.signal,
      body: new Uint8Array(50_000_000),
    })));
    strictEqual(error.step, "aborted");
    strictEqual(error.sent, true);
    strictEqual(pool.statistics().open, 0);
    await until(() => isClosed);
  });
});

Deno.test("send() leaves no listener on a signal that outlives the request", async () => {
  await using upstream = new RawUpstream(async (connection) => {
    while (await connection.request() !== null) await connection.write(GOOD);
  });
  using pool = new TestPool();
  const given = new AbortController();
  const { signal } = given;
  await pool.send(requestTo(upstream.origin, { signal }));
  given.abort();
  strictEqual(pool.statistics().idle, 1, "an old request closes nothing");
  await pool.send(requestTo(upstream.origin));
  strictEqual(upstream.connections, 1);
});

Deno.test("cancel() closes the connection, and later reads fail", async () => {
  let isClosed = false;
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.write(`${OK}content-length: 9\r\n\r\nok`);
    isClosed = await connection.request() === null;
  });
  using pool = new TestPool();
  const { body } = await pool.send(requestTo(upstream.origin));
  body.cancel();
  body.cancel();
  strictEqual(pool.statistics().open, 0);
  await until(() => isClosed, 250);
  strictEqual((await upstreamErrorOf(body.read())).step, "aborted");
});

Deno.test("close() ends what is under way and refuses further requests", async () => {
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.request();
  });
  using pool = new TestPool();
  const waiting = upstreamErrorOf(pool.send(requestTo(upstream.origin)));
  await until(() => upstream.connections === 1);
  await pause(5);
  pool.close();
  strictEqual((await waiting).step, "aborted");
  strictEqual(pool.statistics().open, 0);
  const late = await upstreamErrorOf(pool.send(requestTo(upstream.origin)));
  strictEqual(late.sent, false);
});

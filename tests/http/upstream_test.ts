import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import fc from "fast-check";
import { RawUpstream, type Talk } from "../fixtures/raw_upstream.ts";
import { trials } from "../fixtures/trials.ts";
import {
  readAll,
  requestTo,
  TestPool,
  textOf,
  until,
  upstreamErrorOf,
} from "../fixtures/upstream_client.ts";

const OK = "HTTP/1.1 200 OK\r\n";

/** Answers every request on a connection with `answer`, and keeps it open. */
function always(answer: string): Talk {
  return async (connection) => {
    while (await connection.request() !== null) await connection.write(answer);
  };
}

Deno.test("send() writes the request once and byte for byte", async () => {
  const seen: string[] = [];
  await using upstream = new RawUpstream(async (connection) => {
    const request = await connection.request();
    ok(request !== null);
    seen.push(request.head + Buffer.from(request.body).toString("latin1"));
    await connection.write(`${OK}content-length: 0\r\n\r\n`);
  });
  using pool = new TestPool();

  await pool.send(requestTo(upstream.origin, {
    target: "/v1//messages?a=%7E",
    headers: [["X-B", "2 \xff"], ["x-a", "1"], ["X-B", "3"]],
    body: Buffer.from([0, 1, 128, 255, 13, 10]),
  }));

  deepStrictEqual(seen, [
    `POST /v1//messages?a=%7E HTTP/1.1\r\nHost: 127.0.0.1:${upstream.port}\r\n` +
    "X-B: 2 \xff\r\nx-a: 1\r\nX-B: 3\r\nContent-Length: 6\r\n\r\n" +
    "\x00\x01\x80\xff\r\n",
  ]);
});

Deno.test("send() gives a body that came with its head as a whole", async () => {
  const bodies = [
    "content-length: 5\r\n\r\nhello",
    "transfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3;x\r\nllo\r\n0\r\na: b\r\n\r\n",
  ];
  for (const rest of bodies) {
    await using upstream = new RawUpstream(always(OK + rest));
    using pool = new TestPool();
    const { body } = await pool.send(requestTo(upstream.origin));
    strictEqual(Buffer.from(body.complete ?? []).toString(), "hello");
    strictEqual(pool.statistics().idle, 1, "the connection is free already");
    strictEqual(Buffer.from(await body.read() ?? []).toString(), "hello");
    strictEqual(await body.read(), null);
    strictEqual(await body.read(), null);
    body.cancel();
    strictEqual(
      pool.statistics().idle,
      1,
      "cancelling a whole body is nothing",
    );
  }
});

Deno.test("send() reads answers cut at any border", async () => {
  const answers = [
    `${OK}content-length: 12\r\nx: y\r\n\r\nhello, world`,
    `${OK}transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n7;a=b\r\n, world\r\n0\r\n\r\n`,
    `HTTP/1.1 100 Continue\r\n\r\n${OK}content-length: 12\r\n\r\nhello, world`,
  ];
  for (const answer of answers) {
    let cutAt = 0;
    await using upstream = new RawUpstream(async (connection) => {
      while (await connection.request() !== null) {
        await connection.write(answer.slice(0, cutAt));
        await new Promise((resolve) => setTimeout(resolve, 1));
        await connection.write(answer.slice(cutAt));
      }
    });
    using pool = new TestPool();
    for (cutAt = 1; cutAt < answer.length; cutAt++) {
      const response = await pool.send(requestTo(upstream.origin));
      strictEqual(await textOf(response), "hello, world", `cut at ${cutAt}`);
    }
    deepStrictEqual(pool.statistics(), {
      open: 1,
      idle: 1,
      opened: 1,
      reused: answer.length - 2,
    });
  }
});

Deno.test("send() reads what an upstream writes in any pieces and chunks", async () => {
  let pieces: readonly string[] = [];
  await using upstream = new RawUpstream(async (connection) => {
    while (await connection.request() !== null) {
      for (const piece of pieces) {
        await connection.write(piece);
        await Promise.resolve();
      }
    }
  });
  using pool = new TestPool();
  const chunk = fc.uint8Array({ minLength: 1, maxLength: 3_000 });
  await fc.assert(
    fc.asyncProperty(
      fc.array(chunk, { maxLength: 20 }),
      fc.array(fc.nat({ max: 70_000 }), { maxLength: 30 }),
      async (chunks, borders) => {
        const body = Buffer.concat(chunks).toString("latin1");
        const text = `${OK}transfer-encoding: chunked\r\n\r\n` +
          chunks.map((bytes) =>
            `${bytes.length.toString(16)}\r\n${
              Buffer.from(bytes).toString("latin1")
            }\r\n`
          ).join("") + "0\r\n\r\n";
        const cuts = [...new Set(borders.map((at) => at % text.length))]
          .sort((a, b) => a - b);
        pieces = [0, ...cuts].map((at, i) => text.slice(at, cuts[i]));
        strictEqual(
          await textOf(await pool.send(requestTo(upstream.origin))),
          body,
        );
      },
    ),
    { numRuns: trials(50, 2_000) },
  );
  strictEqual(pool.statistics().opened, 1);
});

Deno.test("send() reads answers that have no body", async () => {
  const cases: readonly (readonly [method: string, answer: string])[] = [
    ["HEAD", `${OK}content-length: 5\r\n\r\n`],
    ["HEAD", `${OK}transfer-encoding: chunked\r\n\r\n`],
    ["GET", "HTTP/1.1 204 None\r\n\r\n"],
    ["GET", "HTTP/1.1 304 Same\r\ncontent-length: 5\r\n\r\n"],
    ["POST", `${OK}content-length: 0\r\n\r\n`],
  ];
  for (const [method, answer] of cases) {
    await using upstream = new RawUpstream(always(answer));
    using pool = new TestPool();
    for (let i = 0; i < 3; i++) {
      const { body } = await pool.send(
        requestTo(upstream.origin, { method, body: null }),
      );
      strictEqual(body.complete?.length, 0, answer);
      strictEqual(await body.read(), null);
    }
    strictEqual(upstream.connections, 1, answer);
  }
});

Deno.test("send() does not reuse a connection with bytes after the answer", async () => {
  const extra = "HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nforged";
  const answers: readonly (readonly [method: string, answer: string])[] = [
    ["POST", `${OK}content-length: 2\r\n\r\nok${extra}`],
    ["POST", `${OK}content-length: 2\r\n\r\nok\r\n`],
    [
      "POST",
      `${OK}transfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n${extra}`,
    ],
    ["HEAD", `${OK}content-length: 2\r\n\r\nok`],
    ["GET", `HTTP/1.1 204 None\r\n\r\n${extra}`],
    ["GET", `HTTP/1.1 304 Same\r\ncontent-length: 2\r\n\r\nok`],
    ["POST", `${OK}content-length: 0\r\n\r\n${extra}`],
  ];
  for (const [method, answer] of answers) {
    await using upstream = new RawUpstream(always(answer));
    using pool = new TestPool();
    for (let i = 0; i < 2; i++) {
      const response = await pool.send(
        requestTo(upstream.origin, { method, body: null }),
      );
      const text = await textOf(response);
      strictEqual(
        text,
        answer.includes("\r\nok") && method === "POST" ? "ok" : "",
      );
      strictEqual(pool.statistics().open, 0, answer);
    }
    strictEqual(upstream.connections, 2);
  }
});

Deno.test("send() drops an idle connection that sends bytes unasked", async () => {
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.write(`${OK}content-length: 2\r\n\r\nok`);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await connection.write("HTTP/1.1 408 Timeout\r\ncontent-length: 0\r\n\r\n");
    await connection.request();
  });
  using pool = new TestPool();
  await pool.send(requestTo(upstream.origin));
  strictEqual(pool.statistics().idle, 1);
  await until(() => pool.statistics().idle === 0);
  const response = await pool.send(requestTo(upstream.origin));
  strictEqual(response.status, 200);
  strictEqual(upstream.connections, 2);
});

Deno.test("send() keeps a connection only where both sides agree", async () => {
  const cases: readonly (readonly [answer: string, connections: number])[] = [
    [`${OK}content-length: 2\r\n\r\nok`, 1],
    [`${OK}content-length: 2\r\nconnection: close\r\n\r\nok`, 3],
    ["HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", 3],
    [
      "HTTP/1.0 200 OK\r\ncontent-length: 2\r\nconnection: keep-alive\r\n\r\nok",
      1,
    ],
    ["HTTP/1.1 204 None\r\ncontent-length: 2\r\n\r\n", 3],
  ];
  for (const [answer, connections] of cases) {
    await using upstream = new RawUpstream(always(answer));
    using pool = new TestPool();
    for (let i = 0; i < 3; i++) {
      await textOf(await pool.send(requestTo(upstream.origin)));
    }
    strictEqual(upstream.connections, connections, answer);
  }
});

Deno.test("send() reads an answer without a length to the connection's end", async () => {
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.write(`${OK}x: y\r\n\r\nhel`);
    await new Promise((resolve) => setTimeout(resolve, 5));
    await connection.write("lo");
  });
  using pool = new TestPool();
  const response = await pool.send(requestTo(upstream.origin));
  strictEqual(response.body.complete, null);
  strictEqual(await textOf(response), "hello");
  strictEqual(await response.body.read(), null);
  strictEqual(pool.statistics().open, 0);
});

Deno.test("send() skips a limited number of interim answers", async () => {
  const interim = "HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n";
  let count = 16;
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.write(
      `${interim.repeat(count)}${OK}content-length: 2\r\n\r\nok`,
    );
    await connection.request();
  });
  using pool = new TestPool();
  const response = await pool.send(requestTo(upstream.origin));
  strictEqual(response.status, 200);
  deepStrictEqual(response.headers, [["content-length", "2"]]);
  pool.statistics();
  count = 17;
  using other = new TestPool();
  const error = await upstreamErrorOf(other.send(requestTo(upstream.origin)));
  strictEqual(error.step, "head");
  strictEqual(error.sent, true);
});

Deno.test("send() takes a head of 200 KB and one that fills every buffer", async () => {
  for (const bytes of [4_000, 12_200, 16_384, 32_768, 200_000]) {
    const value = "v".repeat(bytes);
    await using upstream = new RawUpstream(
      always(`${OK}x: ${value}\r\ncontent-length: 2\r\n\r\nok`),
    );
    using pool = new TestPool();
    for (let i = 0; i < 3; i++) {
      const response = await pool.send(requestTo(upstream.origin));
      strictEqual(response.headers[0]?.[1], value);
      strictEqual(await textOf(response), "ok");
    }
    strictEqual(upstream.connections, 1);
  }
});

Deno.test("read() returns chunks that later reads do not change", async () => {
  const size = trials(3_000_000, 50_000_000);
  const sent = Buffer.alloc(size);
  for (let at = 0; at < size; at++) sent[at] = at * 31 + (at >> 11);
  await using upstream = new RawUpstream(async (connection) => {
    while (await connection.request() !== null) {
      await connection.write(`${OK}transfer-encoding: chunked\r\n\r\n`);
      let length = 1;
      for (let at = 0; at < size; at += length) {
        length = 1 + (at * 7 + length) % 9_000;
        const chunk = sent.subarray(at, at + length);
        await connection.write(`${chunk.length.toString(16)}\r\n`);
        await connection.write(chunk);
        await connection.write("\r\n");
      }
      await connection.write("0\r\n\r\n");
    }
  });
  using pool = new TestPool();
  const { body } = await pool.send(requestTo(upstream.origin));
  const kept: Uint8Array[] = [];
  const copies: Uint8Array[] = [];
  for (;;) {
    const chunk = await body.read();
    if (chunk === null) break;
    kept.push(chunk);
    copies.push(chunk.slice());
  }
  // Another answer goes through the same connection's buffers meanwhile.
  await readAll((await pool.send(requestTo(upstream.origin))).body);
  ok(sent.equals(Buffer.concat(copies)), "what came is what was sent");
  ok(sent.equals(Buffer.concat(kept)), "and it stayed so");
  strictEqual(upstream.connections, 1);
});

Deno.test("send() connects to IPv6 addresses", async () => {
  let listener: Deno.Listener;
  try {
    listener = Deno.listen({ hostname: "::1", port: 0 });
  } catch {
    return; // A machine without IPv6.
  }
  let host: string | null = null;
  await using upstream = new RawUpstream(async (connection) => {
    host = (await connection.request())?.header("host") ?? null;
    await connection.write(`${OK}content-length: 2\r\n\r\nok`);
  }, listener);
  using pool = new TestPool();
  const origin = `http://[::1]:${upstream.port}`;
  strictEqual(await textOf(await pool.send(requestTo(origin))), "ok");
  strictEqual(host, `[::1]:${upstream.port}`);
});

Deno.test("send() refuses, before it connects, what cannot be one message", async () => {
  await using upstream = new RawUpstream(
    always(`${OK}content-length: 0\r\n\r\n`),
  );
  using pool = new TestPool();
  const bad = [
    { headers: [["x", "a\r\nb: c"]] },
    { headers: [["x\r\n", "a"]] },
    { headers: [["content-length", "3"]] },
    { target: "/a b" },
    { target: "http://evil.example/" },
    { method: "GET /x HTTP/1.1\r\n" },
  ] as const;
  for (const parts of bad) {
    const error = await upstreamErrorOf(
      pool.send(requestTo(upstream.origin, parts)),
    );
    strictEqual(error.sent, false);
    strictEqual(error.step, "write");
  }
  for (const origin of ["", "ftp://x", "http://u:p@x", "http://x/path", "x"]) {
    const error = await upstreamErrorOf(pool.send(requestTo(origin)));
    strictEqual(error.sent, false);
    strictEqual(error.step, "resolve");
  }
  strictEqual(upstream.connections, 0);
});

Deno.test("send() uses 32 connections side by side without mixing them up", async () => {
  await using upstream = new RawUpstream(async (connection) => {
    for (;;) {
      const request = await connection.request();
      if (request === null) return;
      const echo = Buffer.from(request.body).toString("latin1");
      await connection.write(`${OK}content-length: ${echo.length}\r\n\r\n`);
      await connection.write(echo);
    }
  });
  using pool = new TestPool();
  const rounds = trials(40, 1_000);
  await Promise.all(Array.from({ length: 32 }, async (_, client) => {
    for (let round = 0; round < rounds; round++) {
      const word = `client ${client} round ${round} `.repeat(1 + round % 50);
      const body = Buffer.from(word);
      const response = await pool.send(requestTo(upstream.origin, { body }));
      strictEqual(await textOf(response), word);
    }
  }));
  strictEqual(upstream.connections, 32);
  deepStrictEqual(pool.statistics(), {
    open: 32,
    idle: 32,
    opened: 32,
    reused: 32 * rounds - 32,
  });
});

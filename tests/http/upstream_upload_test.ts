import { strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { RawUpstream } from "../fixtures/raw_upstream.ts";
import { trials } from "../fixtures/trials.ts";
import {
  requestTo,
  TestPool,
  textOf,
  upstreamErrorOf,
} from "../fixtures/upstream_client.ts";

const GOOD = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const REFUSED = "HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\n\r\nbig";
const INTERIM = "HTTP/1.1 100 Continue\r\n\r\n";
/** Over what the kernel's buffers hold, so that writes stall. */
const STALLING_BYTES = 40_000_000;

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test("send() uploads bodies of every size unchanged", async () => {
  const seen: string[] = [];
  await using upstream = new RawUpstream(async (connection) => {
    for (;;) {
      const request = await connection.request();
      if (request === null) return;
      seen.push(createHash("sha256").update(request.body).digest("hex"));
      await connection.write(GOOD);
    }
  });
  using pool = new TestPool();
  const sizes = [0, 1, 65_300, 65_400, 65_535, 65_536, 65_537, 131_072];
  const large = trials(3_000_000, 30_000_000);
  for (const size of [...sizes, large]) {
    const body = Buffer.alloc(size);
    for (let at = 0; at < size; at++) body[at] = at * 13 + (at >> 9);
    const want = createHash("sha256").update(body).digest("hex");
    await textOf(await pool.send(requestTo(upstream.origin, { body })));
    strictEqual(seen.at(-1), want, `${size} bytes`);
  }
  strictEqual(upstream.connections, 1);
});

Deno.test("send() passes on an answer that comes before the end of the upload", async () => {
  await using upstream = new RawUpstream(async (connection) => {
    await connection.head();
    await connection.write(REFUSED);
    // Reads nothing more: the client's writes stall.
    await pause(100);
  });
  using pool = new TestPool();
  for (let i = 1; i <= 3; i++) {
    const response = await pool.send(requestTo(upstream.origin, {
      body: new Uint8Array(STALLING_BYTES),
    }));
    strictEqual(response.status, 413);
    strictEqual(await textOf(response), "big");
    strictEqual(pool.statistics().open, 0, "the connection is not reused");
    strictEqual(upstream.connections, i);
  }
});

Deno.test("send() reads the answer of an upstream that answers an upload and closes", async () => {
  for (const afterBytes of [0, 100_000]) {
    await using upstream = new RawUpstream(async (connection) => {
      await connection.head();
      for (let left = afterBytes; left > 0;) {
        left -= await connection.drain(left);
      }
      await connection.write(REFUSED);
      await connection.finish();
      await pause(50);
      // Closing with unread bytes resets the connection.
    });
    using pool = new TestPool();
    const response = await pool.send(requestTo(upstream.origin, {
      body: new Uint8Array(STALLING_BYTES),
    }));
    strictEqual(response.status, 413);
    strictEqual(await textOf(response), "big");
    strictEqual(pool.statistics().open, 0);
  }
});

Deno.test("send() fails when the upstream drops an upload without an answer", async () => {
  await using upstream = new RawUpstream(async (connection) => {
    await connection.head();
  });
  using pool = new TestPool();
  const error = await upstreamErrorOf(pool.send(requestTo(upstream.origin, {
    body: new Uint8Array(STALLING_BYTES),
  })));
  strictEqual(error.sent, true);
  strictEqual(error.step, "write");
  strictEqual(pool.statistics().open, 0);
  strictEqual(upstream.connections, 1);
});

Deno.test("send() continues an upload after an interim answer", async () => {
  let received = 0;
  await using upstream = new RawUpstream(async (connection) => {
    await connection.head();
    await connection.write(INTERIM);
    await pause(30);
    await connection.write(INTERIM.slice(0, 7));
    await pause(5);
    await connection.write(INTERIM.slice(7));
    while (received < STALLING_BYTES) {
      const count = await connection.drain(1 << 20);
      if (count === 0) return;
      received += count;
    }
    await connection.write(GOOD);
    await connection.request();
  });
  using pool = new TestPool();
  const response = await pool.send(requestTo(upstream.origin, {
    body: new Uint8Array(STALLING_BYTES),
  }));
  strictEqual(response.status, 200);
  strictEqual(received, STALLING_BYTES);
  strictEqual(pool.statistics().idle, 1, "a whole upload keeps its connection");
});

Deno.test("send() keeps the connection after healthy uploads", async () => {
  await using upstream = new RawUpstream(async (connection) => {
    for (;;) {
      const head = await connection.head();
      if (head === null) return;
      for (let left = Number(head.header("content-length")); left > 0;) {
        left -= await connection.drain(Math.min(left, 1 << 18));
      }
      await connection.write(GOOD);
    }
  });
  using pool = new TestPool();
  const rounds = trials(50, 1_000);
  const body = new Uint8Array(1_000_000);
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (let i = 0; i < rounds; i++) {
      const response = await pool.send(requestTo(upstream.origin, { body }));
      strictEqual(await textOf(response), "ok");
    }
  }));
  strictEqual(pool.statistics().opened, 4);
});

Deno.test("send() watches the upstream while small requests follow each other", async () => {
  // An answer whose request was whole when it came is no early answer.
  await using upstream = new RawUpstream(async (connection) => {
    while (await connection.request() !== null) await connection.write(GOOD);
  });
  using pool = new TestPool();
  for (const size of [10, 60_000, 70_000, 200_000]) {
    const body = new Uint8Array(size);
    for (let i = 0; i < 20; i++) {
      await pool.send(requestTo(upstream.origin, { body }));
    }
  }
  strictEqual(upstream.connections, 1);
});

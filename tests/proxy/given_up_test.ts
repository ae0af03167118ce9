/** Clients that leave in the last moment of an answer, and who comes after. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { RawUpstream } from "../fixtures/raw_upstream.ts";
import {
  requestTo,
  TestPool,
  textOf,
  until,
} from "../fixtures/upstream_client.ts";
import { labelOf } from "../fixtures/proxy_client.ts";
import { Scene } from "../fixtures/proxy_scene.ts";

/** Answers each request in two writes, so that the end is a read of its own. */
function inTwoParts(): RawUpstream {
  return new RawUpstream(async (connection) => {
    while (await connection.request() !== null) {
      await connection.write("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nab");
      await connection.write("cd");
    }
  });
}

/** Lets other work run `turns` times: even numbers by microtask, odd by timer. */
async function yields(turns: number): Promise<void> {
  for (let turn = 0; turn < turns; turn++) {
    if (turn % 4 === 3) {
      await new Promise((resolve) => setTimeout(resolve, 0));
    } else await null;
  }
}

Deno.test("a request that is given up at any step spoils no later request", async () => {
  await using upstream = inTwoParts();
  using pool = new TestPool();
  const ends: string[] = [];
  for (let step = 0; step < 240; step++) {
    const leaving = new AbortController();
    const { signal } = leaving;
    const given = pool.send(requestTo(upstream.origin, { signal }))
      .then(textOf).catch(() => "given up");
    await yields(step % 40);
    leaving.abort();
    await given;
    ends.push(
      await pool.send(requestTo(upstream.origin)).then(textOf)
        .catch((error) => error.message),
    );
  }
  deepStrictEqual(new Set(ends), new Set(["abcd"]));
  strictEqual(pool.statistics().open, pool.statistics().idle);
});

Deno.test("of 2,000 requests after waves of clients that left, none fails", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  async function ask(signal?: AbortSignal): Promise<number> {
    const response = await fetch(`${kit.url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": "local-key-of-the-test-0123456789" },
      body: JSON.stringify({ model: "claude-opus-5-5", messages: [] }),
      ...(signal === undefined ? {} : { signal }),
    });
    await response.arrayBuffer();
    return response.status;
  }
  const statuses: number[] = [];
  for (let wave = 0; wave < 50; wave++) {
    const leavers = Array.from({ length: 32 }, async (_, index) => {
      const leaving = new AbortController();
      const asking = ask(leaving.signal).catch(() => 0);
      setTimeout(() => leaving.abort(), 1 + index % 8);
      await asking;
    });
    await Promise.all(leavers);
    statuses.push(
      ...await Promise.all(Array.from({ length: 40 }, () => ask())),
    );
  }
  strictEqual(statuses.length, 2_000);
  deepStrictEqual(statuses.filter((status) => status !== 200), []);
  await kit.isEmpty();
});

Deno.test("a client's offer of another protocol is ignored, a WebSocket is refused", async () => {
  await using scene = new Scene();
  const { port } = scene.kit;
  async function statusFor(lines: string): Promise<string> {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    const body = '{"model":"claude-opus-5-5","messages":[]}';
    await conn.write(new TextEncoder().encode(
      `POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1:${port}\r\n` +
        "x-api-key: local-key-of-the-test-0123456789\r\n" + lines +
        `content-length: ${body.length}\r\n\r\n${body}`,
    ));
    const bytes = new Uint8Array(4_096);
    const count = await conn.read(bytes) ?? 0;
    return new TextDecoder().decode(bytes.subarray(0, count)).split(" ")[1] ??
      "";
  }
  // curl --http2 and Java's client.
  strictEqual(
    await statusFor(
      "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\n" +
        "http2-settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n",
    ),
    "200",
  );
  strictEqual(
    await statusFor("connection: Upgrade\r\nupgrade: websocket\r\n"),
    "501",
  );
  await until(() => scene.origin.requests().length === 1);
  const sent = scene.origin.requests()[0];
  strictEqual(sent === undefined ? "" : labelOf(sent).length > 0, true);
});

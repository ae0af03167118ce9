import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import zlib from "node:zlib";
import { ProxyKit } from "../fixtures/proxy_kit.ts";
import { RawClient } from "../fixtures/raw_client.ts";
import { RawUpstream } from "../fixtures/raw_upstream.ts";
import { trials } from "../fixtures/trials.ts";
import { until } from "../fixtures/upstream_client.ts";

const OK = "HTTP/1.1 200 OK\r\n";
const CHUNKED = `${OK}content-type: text/event-stream\r\n` +
  "transfer-encoding: chunked\r\n\r\n";

/** A small generator with a seed, so that a failure can be repeated. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

function hex(length: number): string {
  return length.toString(16);
}

/** `bytes` in chunks and writes with random borders. */
function* pieces(bytes: Uint8Array, random: () => number): Generator<string> {
  let wire = "";
  for (let at = 0; at < bytes.length;) {
    const length = Math.min(bytes.length - at, 1 + Math.floor(random() * 40));
    const data = Buffer.from(bytes.subarray(at, at + length)).toString(
      "latin1",
    );
    wire += `${hex(length)}\r\n${data}\r\n`;
    at += length;
  }
  for (let at = 0; at < wire.length;) {
    const length = 1 + Math.floor(random() * 60);
    yield wire.slice(at, at + length);
    at += length;
  }
}

Deno.test("the relay delays no event and changes none", async () => {
  const streams = trials(4, 300);
  const events = trials(150, 1_000);
  const random = seeded(20_261_121);
  const sent = Array.from({ length: streams }, () => "");
  const received = Array.from({ length: streams }, () => "");
  await using upstream = new RawUpstream(async (connection) => {
    const request = await connection.request();
    const stream = Number(request?.header("x-stream"));
    await connection.write(CHUNKED);
    for (let index = 1; index <= events; index++) {
      const text = `event: é ${index}\r\ndata: ${"😀x".repeat(index % 9)}\n\n`;
      const bytes = Buffer.from(text);
      sent[stream] += bytes.toString("latin1");
      for (const piece of pieces(bytes, random)) await connection.write(piece);
      // The next event goes out when the client has this one whole.
      await until(() => received[stream] === sent[stream], 30_000);
    }
    await connection.write("0\r\n\r\n");
    await connection.request();
  });
  await using kit = new ProxyKit({ origin: upstream.origin });
  await Promise.all(sent.map(async (_, stream) => {
    using client = await RawClient.connect(kit.port);
    await client.send("{}", { "x-stream": String(stream) });
    while (!client.answer().isWhole) {
      ok(await client.read(), "the stream goes on");
      received[stream] = client.answer().body;
    }
  }));
  deepStrictEqual(received, sent);
  const records = await kit.settled(streams);
  deepStrictEqual(records.map(({ end }) => end), sent.map(() => "complete"));
  await kit.isEmpty();
});

Deno.test("the relay leaves bodies compressed as they came", async () => {
  const text = Buffer.from(
    "event: x\ndata: some text that repeats\n\n".repeat(99),
  );
  const bodies: readonly (readonly [encoding: string, body: Buffer])[] = [
    ["gzip", zlib.gzipSync(text)],
    ["br", zlib.brotliCompressSync(text)],
    ["zstd", zlib.zstdCompressSync(text)],
    ["deflate", zlib.deflateSync(text)],
    ["identity", text],
    ["unknown-coding", Buffer.from([0, 255, 31, 139, 8])],
  ];
  let next = 0;
  await using upstream = new RawUpstream(async (connection) => {
    for (;;) {
      if (await connection.request() === null) return;
      const [encoding, body] = bodies[next >> 1] ?? ["", text];
      const coding = `${OK}content-encoding: ${encoding}\r\n`;
      if (next % 2 === 0) {
        await connection.write(
          `${coding}content-length: ${body.length}\r\n\r\n`,
        );
        await connection.write(body);
        continue;
      }
      const cut = body.length >> 1;
      await connection.write(`${coding}transfer-encoding: chunked\r\n\r\n`);
      for (const part of [body.subarray(0, cut), body.subarray(cut)]) {
        await connection.write(`${hex(part.length)}\r\n`);
        await connection.write(part);
        await connection.write("\r\n");
      }
      await connection.write("0\r\n\r\n");
    }
  });
  await using kit = new ProxyKit({ origin: upstream.origin });
  for (; next < bodies.length * 2; next++) {
    const [encoding, body] = bodies[next >> 1] ?? ["", text];
    for (const accept of [null, "gzip, br, zstd"]) {
      using client = await RawClient.connect(kit.port);
      await client.send(
        "{}",
        accept === null ? {} : { "accept-encoding": accept },
      );
      const answer = await client.whole();
      strictEqual(answer.isWhole, true);
      strictEqual(answer.body, body.toString("latin1"), encoding);
      const named = /\ncontent-encoding: (.*)\r/i.exec(answer.head)?.[1];
      strictEqual(named, encoding);
    }
  }
});

Deno.test("a slow client slows the upstream, and memory stays flat", async () => {
  const total = 50_000_000;
  // What the kernel's buffers of two loopback connections hold, with room.
  const aheadBytesMax = 16_000_000;
  const rssGrowthBytesMax = 64_000_000;
  const block = Buffer.alloc(100_000);
  for (let at = 0; at < block.length; at++) block[at] = at * 7 + (at >> 8);
  const sentHash = createHash("sha256");
  let pushed = 0;
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.write(`${OK}content-length: ${total}\r\n\r\n`);
    for (; pushed < total; pushed += block.length) {
      sentHash.update(block);
      await connection.write(block);
    }
    await connection.request();
  });
  await using kit = new ProxyKit({ origin: upstream.origin });
  using client = await RawClient.connect(kit.port);
  await client.send();
  await until(() => pushed > 0);
  // Some bytes of it come, so it is not a stalled start that is seen here.
  await client.read();
  const rssBefore = Deno.memoryUsage().rss;

  // The client reads nothing: the upstream comes to a stand.
  let seen = -1;
  for (let still = 0; still < 5; still++) {
    if (pushed !== seen) still = 0;
    seen = pushed;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  ok(pushed < aheadBytesMax, `${pushed} bytes ahead of the client`);
  const rssGrowth = Deno.memoryUsage().rss - rssBefore;
  ok(rssGrowth < rssGrowthBytesMax, `${rssGrowth} bytes more memory`);

  const gotHash = createHash("sha256");
  let left = total;
  for await (const bytes of client.bodyChunks()) {
    gotHash.update(bytes);
    left -= bytes.length;
    if (left === 0) break;
  }
  strictEqual(left, 0);
  strictEqual(gotHash.digest("hex"), sentHash.digest("hex"));
});

type LeaveAt = "before the head" | "in the stream" | "in the last chunk";

Deno.test("a client that leaves closes the upstream at once", async () => {
  const rounds = trials(15, 500);
  const delaysMs: number[] = [];
  for (
    const leaveAt of [
      "before the head",
      "in the stream",
      "in the last chunk",
    ] as const
  ) {
    for (let round = 0; round < rounds; round++) {
      delaysMs.push(await leave(leaveAt));
    }
  }
  delaysMs.sort((a, b) => a - b);
  const median = delaysMs[delaysMs.length >> 1] ?? Infinity;
  ok(median <= 250, `median of ${delaysMs.length}: ${median} ms`);
});

/** How long after the client left the upstream knew it, in ms. */
async function leave(leaveAt: LeaveAt): Promise<number> {
  let closedMs = 0;
  const asked = Promise.withResolvers<void>();
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    if (leaveAt !== "before the head") await connection.write(CHUNKED);
    if (leaveAt === "in the stream") await connection.write("2\r\nok\r\n");
    if (leaveAt === "in the last chunk") await connection.write("9\r\nok");
    asked.resolve();
    await connection.request();
    closedMs = performance.now();
  });
  await using kit = new ProxyKit({ origin: upstream.origin });
  const client = await RawClient.connect(kit.port);
  await client.send();
  await asked.promise;
  if (leaveAt !== "before the head") {
    while (!client.answer().body.includes("ok")) ok(await client.read());
  }
  client.close();
  const leftMs = performance.now();
  await until(() => closedMs > 0);
  const [record] = await kit.settled(1);
  strictEqual(record?.end, "client_gone");
  await kit.isEmpty();
  strictEqual(kit.upstream.statistics().open, 0);
  return closedMs - leftMs;
}

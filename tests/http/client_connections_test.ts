/** Which connections go when strangers open too many. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import {
  ClientConnection,
  ClientConnections,
  connectionLimits,
} from "../../src/http/client_connection.ts";
import { listenOnPort } from "../../src/http/server.ts";
import { numbered } from "../fixtures/demo_plane.ts";
import { LOCAL_KEY, ProxyKit } from "../fixtures/proxy_kit.ts";
import { RawClient } from "../fixtures/raw_client.ts";
import { startScriptedOrigin } from "../fixtures/scripted_origin.ts";

/** A connection that gets `bytes` as soon as it is read. */
class Sender {
  isClosed = false;
  readonly client: ClientConnection;

  constructor(bytes = 0) {
    let left = bytes;
    const stream = {
      read: (room: Uint8Array) => {
        const count = Math.min(left, room.length);
        left -= count;
        return Promise.resolve(count);
      },
      close: () => {
        this.isClosed = true;
      },
    };
    this.client = new ClientConnection(stream as unknown as Deno.Conn);
  }

  async readAll(): Promise<void> {
    while (!this.isClosed && await this.client.read() > 0);
  }
}

const LIMITS = {
  connectionsMax: 6,
  unprovenMax: 3,
  unprovenBytesMax: 256 * 1024,
};

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test("the unproven connection that was silent longest makes room for the next", async () => {
  const connections = new ClientConnections(LIMITS);
  const [talker, silent, later, last] = numbered(4, () => new Sender(10));
  ok(talker && silent && later && last);
  await connections.add(talker.client);
  await talker.client.read();
  await connections.add(silent.client);
  await connections.add(later.client);
  const comingMs = performance.now();
  await connections.add(last.client);
  // The owner's client, too, needs a moment for its head.
  ok(performance.now() - comingMs > 100);
  deepStrictEqual(
    [talker, silent, later, last].map(({ isClosed }) => isClosed),
    [false, true, false, false],
  );
  strictEqual(connections.closed, 1);
});

Deno.test("a proven connection that rests goes before one that serves, and nobody else", async () => {
  const connections = new ClientConnections(LIMITS);
  const owners = numbered(6, () => new Sender());
  for (const { client } of owners) {
    await connections.add(client);
    connections.prove(client);
    connections.enter(client, "serving");
  }
  const resting = owners[2];
  ok(resting);
  let isIn = false;
  const newcomer = new Sender();
  const entering = connections.add(newcomer.client).then(() => isIn = true);
  await sleep(300);
  // All of them serve: the newcomer waits, and no request of the owner is cut.
  strictEqual(isIn, false);
  connections.enter(resting.client, "resting");
  await entering;
  deepStrictEqual(owners.map(({ isClosed }) => isClosed), [
    false,
    false,
    true,
    false,
    false,
    false,
  ]);
});

Deno.test("unproven heads share one budget, and the largest goes first", async () => {
  const unprovenBytesMax = 256 * 1024;
  const connections = new ClientConnections({
    ...LIMITS,
    unprovenMax: 5,
    unprovenBytesMax,
  });
  const owner = new Sender(500_000);
  await connections.add(owner.client);
  connections.prove(owner.client);
  await owner.readAll();
  // Buffers of 36, 144, 72 and 72 KiB.
  const strangers = [20_000, 140_000, 60_000, 50_000]
    .map((bytes) => new Sender(bytes));
  for (const sender of strangers) {
    await connections.add(sender.client);
    await sender.readAll();
    ok(connections.unprovenBytes <= unprovenBytesMax);
  }
  deepStrictEqual(
    [owner, ...strangers].map(({ isClosed }) => isClosed),
    [false, false, true, false, false],
  );
  for (const { client } of [owner, ...strangers]) connections.remove(client);
  deepStrictEqual([connections.size, connections.unprovenBytes], [0, 0]);
});

Deno.test("connectionLimits() leaves descriptors for upstreams and saves", () => {
  for (const files of [64, 256, 1_024, 65_536]) {
    const { connectionsMax, unprovenMax } = connectionLimits(files);
    ok(2 * connectionsMax + 32 <= Math.max(files, 48), `${files}`);
    ok(unprovenMax < connectionsMax || connectionsMax === 8);
  }
  strictEqual(connectionLimits(null).connectionsMax, Infinity);
  strictEqual(connectionLimits(null).unprovenMax, 2_048);
});

Deno.test("with more silent connections than fit, every request of the owner is served", async () => {
  await using origin = startScriptedOrigin();
  origin.always(() => ({ body: "{}" }));
  await using kit = new ProxyKit({ origin: origin.url, openFiles: 64 });
  using owner = await RawClient.connect(kit.port);
  await owner.send();
  strictEqual((await owner.whole()).status, 200);
  const strangers = [];
  for (let round = 0; round < 40; round++) {
    strangers.push(await RawClient.connect(kit.port));
    using newcomer = await RawClient.connect(kit.port);
    await newcomer.send();
    strictEqual((await newcomer.whole()).status, 200);
  }
  owner.received = "";
  await owner.send();
  strictEqual((await owner.whole()).status, 200);
  for (const stranger of strangers) stranger[Symbol.dispose]();
  match(
    kit.lines.join("\n"),
    /too many connections: \d+ that served no request were closed/,
  );
});

Deno.test("a request head of 32 KiB is served, a longer one is refused", async () => {
  await using origin = startScriptedOrigin();
  origin.always(() => ({ body: "{}" }));
  await using kit = new ProxyKit({ origin: origin.url });
  function head(bytes: number): string {
    const start = "POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\n" +
      `x-api-key: ${LOCAL_KEY}\r\ncontent-length: 0\r\nx-pad: `;
    return `${start}${"a".repeat(bytes - start.length - 4)}\r\n\r\n`;
  }
  for (const [bytes, status] of [[32 * 1024, 200], [32 * 1024 + 1, 400]]) {
    using client = await RawClient.connect(kit.port);
    await client.write(head(bytes ?? 0));
    strictEqual((await client.whole()).status, status);
  }
});

/** How many connections the system keeps for a listener at most. */
async function systemBacklog(): Promise<number> {
  try {
    return Number(await Deno.readTextFile("/proc/sys/net/core/somaxconn"));
  } catch {
    return 128;
  }
}

Deno.test("a listener that is late keeps a burst of connections", async () => {
  const count = Math.min(1_500, await systemBacklog());
  using listener = listenOnPort("127.0.0.1", 0, "alone");
  const { port } = listener.addr;
  // Nobody accepts them; what the system drops would be tried again for minutes.
  const opened = await Promise.all(
    numbered(count, () => Deno.connect({ hostname: "127.0.0.1", port })),
  );
  strictEqual(opened.length, count);
  for (const connection of opened) connection.close();
});

Deno.test("a burst of the owner's clients is served whole by a server that is late", async () => {
  await using origin = startScriptedOrigin();
  origin.always(() => ({ body: "{}" }));
  await using kit = new ProxyKit({ origin: origin.url, openFiles: 64 });
  // Each turn of the event loop takes longer than a silent stranger may.
  const busy = setInterval(() => {
    for (const endMs = performance.now() + 260; performance.now() < endMs;);
  }, 0);
  try {
    const clients = await Promise.all(
      numbered(18, () => RawClient.connect(kit.port)),
    );
    await Promise.all(clients.map((client) => client.send()));
    const answers = clients.map(async (client) => {
      const { status, isWhole } = await client.whole();
      client[Symbol.dispose]();
      return [status, isWhole];
    });
    deepStrictEqual(
      await Promise.all(answers),
      numbered(18, () => [200, true]),
    );
  } finally {
    clearInterval(busy);
  }
});

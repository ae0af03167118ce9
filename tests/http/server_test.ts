/** The listener's own side of HTTP/1.1: connections, not what is asked. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { LOCAL_KEY, ProxyKit } from "../fixtures/proxy_kit.ts";
import { RawClient } from "../fixtures/raw_client.ts";
import { RawUpstream } from "../fixtures/raw_upstream.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { startScriptedOrigin } from "../fixtures/scripted_origin.ts";

const STREAM = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n" +
  "transfer-encoding: chunked\r\n\r\n";

function post(body: string, lines = "", version = "1.1"): string {
  return `POST /v1/messages HTTP/${version}\r\nhost: 127.0.0.1\r\n` +
    `x-api-key: ${LOCAL_KEY}\r\n${lines}content-length: ${body.length}\r\n\r\n` +
    body;
}

const HEALTH = "HEAD / HTTP/1.1\r\nhost: 127.0.0.1\r\n" +
  `x-api-key: ${LOCAL_KEY}\r\n\r\n`;

/** How often `part` is in `text`. */
function count(text: string, part: string): number {
  return text.split(part).length - 1;
}

async function readTo(client: RawClient, end: string): Promise<string> {
  while (!client.received.includes(end)) {
    if (!await client.read()) break;
  }
  return client.received;
}

/** Reads to the connection's end. */
async function readAll(client: RawClient): Promise<string> {
  while (await client.read());
  return client.received;
}

Deno.test("requests that come at once are answered one after the other", async () => {
  await using origin = startScriptedOrigin();
  origin.always(({ body }) => ({ body: `{"got":"${body.length}"}` }));
  await using kit = new ProxyKit({ origin: origin.url });
  using client = await RawClient.connect(kit.port);
  const bodies = ["{}", "{  }", "{    }"];
  // Line ends after a body are no request.
  await client.write(bodies.map((body) => post(body)).join("\r\n\r\n"));
  await readTo(client, '{"got":"6"}');
  const got = [...client.received.matchAll(/"got":"(\d)"/g)];
  deepStrictEqual(got.map(([, length]) => length), ["2", "4", "6"]);
  await client.write(post("{      }"));
  match(await readTo(client, '{"got":"8"}'), /"got":"8"/);
  await kit.isEmpty();
});

Deno.test("a connection that sends no head, or half of one, is closed", async () => {
  await using origin = startScriptedOrigin();
  await using kit = new ProxyKit({ origin: origin.url, bodyMs: 200 });
  using half = await RawClient.connect(kit.port);
  using silent = await RawClient.connect(kit.port);
  using refused = await RawClient.connect(kit.port);
  using proven = await RawClient.connect(kit.port);
  await proven.send();
  strictEqual((await proven.whole()).status, 200);
  await refused.write("GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n");
  await half.write("POST /v1/messages HTTP/1.1\r\nhost: 127.0");
  strictEqual(await readAll(half), "");
  strictEqual(await readAll(silent), "");
  match(await readAll(refused), /^HTTP\/1\.1 401 /);
  // A client that has shown the key may pause between two requests.
  await realClock.sleep(300);
  proven.received = "";
  await proven.send();
  strictEqual((await proven.whole()).status, 200);
});

Deno.test("a client that expects 100 Continue gets it", async () => {
  await using origin = startScriptedOrigin();
  await using kit = new ProxyKit({ origin: origin.url });
  using client = await RawClient.connect(kit.port);
  await client.write(
    post("", "expect: 100-continue\r\n").replace(": 0", ": 2"),
  );
  strictEqual(
    await readTo(client, "\r\n\r\n"),
    "HTTP/1.1 100 Continue\r\n\r\n",
  );
  await client.write("{}");
  match(await readTo(client, "}"), /HTTP\/1\.1 200 OK\r\n/);
});

Deno.test("a client of HTTP/1.0 gets an answer that ends with its connection", async () => {
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.write(`${STREAM}3\r\nabc\r\n0\r\n\r\n`);
  });
  await using kit = new ProxyKit({ origin: upstream.origin });
  using client = await RawClient.connect(kit.port);
  await client.write(post("{}", "", "1.0"));
  const text = await readAll(client);
  match(text, /^HTTP\/1\.1 200 OK\r\n/);
  match(text, /\r\nconnection: close\r\n/);
  ok(text.endsWith("\r\n\r\nabc"), text);
});

Deno.test("a body in chunks arrives whole, and the connection serves more requests", async () => {
  await using origin = startScriptedOrigin();
  await using kit = new ProxyKit({ origin: origin.url });
  using client = await RawClient.connect(kit.port);
  const chunks =
    '2\r\n{"\r\n6;a=b\r\na":[1]\r\n1\r\n}\r\n0\r\nx-sum: 1\r\n\r\n';
  const text = post("", "transfer-encoding: chunked\r\n")
    .replace("content-length: 0\r\n", "") + chunks;
  for (const half of [text.slice(0, -30), text.slice(-30)]) {
    await client.write(half);
    await realClock.sleep(20);
  }
  strictEqual((await client.whole()).status, 200);
  strictEqual(
    new TextDecoder().decode(origin.requests()[0]?.body),
    '{"a":[1]}',
  );
  client.received = "";
  await client.send();
  strictEqual((await client.whole()).status, 200);
});

Deno.test("a refused body does not cost the client its answer", async () => {
  await using origin = startScriptedOrigin();
  await using kit = new ProxyKit({ origin: origin.url, bodyBytesMax: 1_000 });
  using client = await RawClient.connect(kit.port);
  await client.write(post("x".repeat(3_000_000)));
  const text = await readAll(client);
  match(text, /^HTTP\/1\.1 413 /);
  match(text, /\r\nconnection: close\r\n/);
  match(text, /proxy\.bodyBytesMax/);
});

Deno.test("a client that takes nothing is cut off, and its account is free", async () => {
  const chunk = "x".repeat(60_000);
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.write(STREAM);
    const wire = `${chunk.length.toString(16)}\r\n${chunk}\r\n`;
    for (;;) await connection.write(wire);
  });
  await using kit = new ProxyKit({ origin: upstream.origin, stallMs: 300 });
  using client = await RawClient.connect(kit.port);
  await client.send('{"stream":true}');
  const [record] = await kit.settled(1);
  strictEqual(record?.end, "client_gone");
  ok(count(await readAll(client), "x") > 0);
  strictEqual(client.answer().isWhole, false);
  await kit.isEmpty();
});

Deno.test("shutdown() lets answers end and closes resting connections", async () => {
  const go = Promise.withResolvers<void>();
  await using upstream = new RawUpstream(async (connection) => {
    await connection.request();
    await connection.write(`${STREAM}3\r\nabc\r\n`);
    await go.promise;
    await connection.write("0\r\n\r\n");
  });
  await using kit = new ProxyKit({ origin: upstream.origin });
  using resting = await RawClient.connect(kit.port);
  using newcomer = await RawClient.connect(kit.port);
  using silent = await RawClient.connect(kit.port);
  using busy = await RawClient.connect(kit.port);
  await resting.write(
    "HEAD / HTTP/1.1\r\nhost: 127.0.0.1\r\n" +
      `x-api-key: ${LOCAL_KEY}\r\n\r\n`,
  );
  await readTo(resting, "\r\n\r\n");
  await busy.send();
  await readTo(busy, "abc");
  let isOver = false;
  const over = kit.listener.shutdown().then(() => isOver = true);
  strictEqual(await resting.read(), false);
  await newcomer.write(HEALTH);
  match(await readAll(newcomer), /^HTTP\/1\.1 200 OK\r\n.*connection: close/s);
  strictEqual(await silent.read(), false);
  strictEqual(isOver, false);
  strictEqual(kit.listener.openRequests(), 1);
  go.resolve();
  strictEqual((await busy.whole()).isWhole, true);
  strictEqual(await busy.read(), false);
  await over;
});

Deno.test("header values keep their bytes, with a body and without", async () => {
  const odd = "\x80\xe9\xff".repeat(40);
  await using upstream = new RawUpstream(async (connection) => {
    for (let request = await connection.request(); request !== null;) {
      await connection.write(
        `HTTP/1.1 200 OK\r\nx-odd: ${odd}\r\n` +
          `x-pad: ${request.target.slice(1)}\r\ncontent-length: 2\r\n\r\n` +
          (request.method === "HEAD" ? "" : "{}"),
      );
      request = await connection.request();
    }
  });
  await using kit = new ProxyKit({ origin: upstream.origin });
  // The border of what fits goes through the odd letters.
  const wishes = [["GET", "/x"], ["HEAD", "/x"], ["HEAD", "/xy"]] as const;
  for (const [method, target] of wishes) {
    using client = await RawClient.connect(kit.port);
    await client.write(
      `${method} ${target} HTTP/1.1\r\nhost: 127.0.0.1\r\n` +
        `x-api-key: ${LOCAL_KEY}\r\nconnection: close\r\n\r\n`,
    );
    const text = await readAll(client);
    strictEqual(/\r\nx-odd: ([^\r]*)\r\n/.exec(text)?.[1], odd, method);
    match(text, /\r\ncontent-length: 2\r\n/);
    strictEqual(text.endsWith("{}"), method === "GET");
  }
});

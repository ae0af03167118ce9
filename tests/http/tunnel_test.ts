import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ConnectProxy } from "../fixtures/connect_proxy.ts";
import { ManualClock } from "../fixtures/manual_clock.ts";
import { RawUpstream } from "../fixtures/raw_upstream.ts";
import { hasOpenssl, makeCertificates } from "../fixtures/test_certificates.ts";
import {
  requestTo,
  TestPool,
  textOf,
  until,
  upstreamErrorOf,
} from "../fixtures/upstream_client.ts";

const GOOD = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

/** An upstream that keeps the heads it gets. */
function listening(heads: string[]): RawUpstream {
  return new RawUpstream(async (connection) => {
    for (;;) {
      const request = await connection.request();
      if (request === null) return;
      heads.push(request.head);
      await connection.write(GOOD);
    }
  });
}

function proxyUrl(proxy: ConnectProxy, user = ""): URL {
  return new URL(`http://${user}127.0.0.1:${proxy.port}`);
}

Deno.test("send() tunnels a plain http upstream, with its request unchanged", async () => {
  const heads: string[] = [];
  await using upstream = listening(heads);
  await using proxy = new ConnectProxy();
  using direct = new TestPool();
  using pool = new TestPool({ proxyFor: () => proxyUrl(proxy) });
  await direct.send(requestTo(upstream.origin));
  for (let i = 0; i < 3; i++) {
    strictEqual(
      await textOf(await pool.send(requestTo(upstream.origin))),
      "ok",
    );
  }
  const host = `127.0.0.1:${upstream.port}`;
  deepStrictEqual(proxy.heads, [
    `CONNECT ${host} HTTP/1.1\r\nhost: ${host}\r\n\r\n`,
  ]);
  strictEqual(heads.length, 4);
  strictEqual(new Set(heads).size, 1, "as without a proxy");
});

Deno.test("send() tunnels TLS and shows the proxy only the host name", {
  ignore: !hasOpenssl(),
}, async () => {
  const { caCert, cert, key } = await makeCertificates();
  const listener = Deno.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    cert,
    key,
    alpnProtocols: ["http/1.1"],
  });
  await using upstream = new RawUpstream(
    async (connection) => {
      while (await connection.request() !== null) await connection.write(GOOD);
    },
    listener,
    "https",
  );
  await using proxy = new ConnectProxy();
  using pool = new TestPool({
    caCerts: [caCert],
    proxyFor: () => proxyUrl(proxy),
  });
  for (let i = 0; i < 3; i++) {
    strictEqual(
      await textOf(await pool.send(requestTo(upstream.origin))),
      "ok",
    );
  }
  const host = `localhost:${upstream.port}`;
  deepStrictEqual(proxy.heads, [
    `CONNECT ${host} HTTP/1.1\r\nhost: ${host}\r\n\r\n`,
  ]);
});

Deno.test("send() sends the proxy's password only to the proxy", async () => {
  const heads: string[] = [];
  await using upstream = listening(heads);
  await using proxy = new ConnectProxy();
  using pool = new TestPool({
    proxyFor: () => proxyUrl(proxy, "us%40er:p%3Aw%C3%A9@"),
  });
  await pool.send(requestTo(upstream.origin));
  const shown = /proxy-authorization: Basic (.*)\r\n/.exec(
    proxy.heads[0] ?? "",
  );
  const credentials = Buffer.from(shown?.[1] ?? "", "base64").toString();
  strictEqual(credentials, "us@er:p:wé");
  ok(!/authorization/i.test(heads[0] ?? ""));
});

Deno.test("send() asks which proxy serves the origin", async () => {
  const heads: string[] = [];
  await using upstream = listening(heads);
  await using proxy = new ConnectProxy();
  const asked: string[] = [];
  using pool = new TestPool({
    proxyFor: (origin) => {
      asked.push(origin);
      return null;
    },
  });
  await pool.send(requestTo(upstream.origin));
  deepStrictEqual(asked, [upstream.origin]);
  strictEqual(proxy.connections, 0);
});

Deno.test("send() says that nothing was sent when the proxy refuses", async () => {
  const answers: readonly (readonly [answer: string, reason: string])[] = [
    [
      "HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n",
      "the proxy answered 407 (name and password in its URL?)",
    ],
    ["HTTP/1.1 403 Forbidden\r\n\r\n", "the proxy answered 403"],
    ["HTTP/1.1 502 Bad\r\n\r\n", "the proxy answered 502"],
    ["HTTP/1.1 302 Elsewhere\r\nlocation: /\r\n\r\n", "the proxy answered 302"],
    ["HTTP/1.1 100 Continue\r\n\r\n", "the proxy answered 100"],
    ["", "the proxy closed the connection"],
    ["HTTP/1.1 20", "the proxy closed the connection"],
    ["SSH-2.0-x\r\n", "the answer does not start with HTTP/1."],
    [
      "HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n",
      "the proxy sent bytes that nobody asked for",
    ],
    [
      `HTTP/1.1 200 OK\r\nx: ${"y".repeat(20_000)}\r\n\r\n`,
      "the proxy's answer is over 16384 bytes",
    ],
  ];
  for (const [answer, reason] of answers) {
    const heads: string[] = [];
    await using upstream = listening(heads);
    await using proxy = new ConnectProxy({ answer });
    using pool = new TestPool({
      proxyFor: () => proxyUrl(proxy, "user:sk-ant-FAKE@"),
    });
    const error = await upstreamErrorOf(pool.send(requestTo(upstream.origin)));
    strictEqual(
      error.message,
      `Cannot go through the proxy to ${upstream.origin}: ${reason}`,
    );
    strictEqual(error.step, "proxy");
    strictEqual(error.sent, false);
    ok(!String(error.stack).includes("FAKE"));
    deepStrictEqual(heads, []);
    strictEqual(pool.statistics().open, 0);
  }
});

Deno.test("send() names the step if the proxy is absent or not an http proxy", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  using away = new TestPool({
    proxyFor: () => new URL(`http://127.0.0.1:${port}`),
  });
  const refused = await upstreamErrorOf(
    away.send(requestTo("http://upstream.example")),
  );
  strictEqual(refused.step, "connect");
  for (const url of ["https://127.0.0.1:1", "socks5://127.0.0.1:1"]) {
    using pool = new TestPool({ proxyFor: () => new URL(url) });
    const error = await upstreamErrorOf(
      pool.send(requestTo("http://upstream.example")),
    );
    strictEqual(error.step, "proxy");
    strictEqual(error.sent, false);
  }
});

Deno.test("send() bounds the wait for the proxy and can be given up in it", async () => {
  const clock = new ManualClock();
  let closed = 0;
  await using silent = new RawUpstream(async (connection) => {
    while (await connection.drain(1_000) > 0);
    closed++;
  });
  using pool = new TestPool({
    clock,
    proxyFor: () => new URL(`http://127.0.0.1:${silent.port}`),
  });
  const late = upstreamErrorOf(pool.send(requestTo("http://upstream.example")));
  await until(() => silent.connections === 1);
  await new Promise((resolve) => setTimeout(resolve, 10));
  await clock.advance(11_000);
  const error = await late;
  strictEqual(error.step, "proxy");
  ok(error.message.endsWith("no success within 10000 ms"), error.message);
  await until(() => closed === 1);

  const given = new AbortController();
  const leaving = upstreamErrorOf(pool.send(
    requestTo("http://upstream.example", { signal: given.signal }),
  ));
  await until(() => silent.connections === 2);
  given.abort();
  strictEqual((await leaving).step, "aborted");
  await until(() => closed === 2);
  strictEqual(pool.statistics().open, 0);
});

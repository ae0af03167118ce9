import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { Buffer } from "node:buffer";
import { ConnectProxy } from "../fixtures/connect_proxy.ts";
import { ManualClock } from "../fixtures/manual_clock.ts";
import { RawUpstream, type Talk } from "../fixtures/raw_upstream.ts";
import {
  hasOpenssl,
  makeCertificates,
  type TestCertificates,
} from "../fixtures/test_certificates.ts";
import {
  readAll,
  requestTo,
  TestPool,
  textOf,
  until,
  upstreamErrorOf,
} from "../fixtures/upstream_client.ts";

const GOOD = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const ignore = !hasOpenssl();

async function good(
  connection: Parameters<Talk>[0],
): Promise<void> {
  while (await connection.request() !== null) await connection.write(GOOD);
}

function tlsUpstream(
  { cert, key }: TestCertificates,
  talk: Talk = good,
): RawUpstream {
  const listener = Deno.listenTls({
    hostname: "127.0.0.1",
    port: 0,
    cert,
    key,
    alpnProtocols: ["h2", "http/1.1"],
  });
  return new RawUpstream(talk, listener, "https");
}

Deno.test("send() uses HTTP/1.1 over TLS and reuses the connection", {
  ignore,
}, async () => {
  const certificates = await makeCertificates();
  await using upstream = tlsUpstream(certificates);
  using pool = new TestPool({ caCerts: [certificates.caCert] });
  for (let i = 0; i < 5; i++) {
    const response = await pool.send(requestTo(upstream.origin));
    strictEqual(await textOf(response), "ok");
  }
  strictEqual(upstream.connections, 1);
  strictEqual(pool.statistics().reused, 4);
});

Deno.test("send() carries large bodies both ways over TLS", {
  ignore,
}, async () => {
  const certificates = await makeCertificates();
  const answer = Buffer.alloc(3_000_000, "0123456789abcdef");
  await using upstream = tlsUpstream(certificates, async (connection) => {
    for (;;) {
      const request = await connection.request();
      if (request === null) return;
      const same = answer.equals(Buffer.from(request.body));
      await connection.write(
        `HTTP/1.1 ${
          same ? 200 : 400
        } x\r\ncontent-length: ${answer.length}\r\n\r\n`,
      );
      await connection.write(answer);
    }
  });
  using pool = new TestPool({ caCerts: [certificates.caCert] });
  for (let i = 0; i < 3; i++) {
    const response = await pool.send(
      requestTo(upstream.origin, { body: answer }),
    );
    strictEqual(response.status, 200);
    ok(answer.equals(Buffer.from(await readAll(response.body))));
  }
  strictEqual(upstream.connections, 1);
});

Deno.test("send() refuses an unknown certificate, and one for another name", {
  ignore,
}, async () => {
  const certificates = await makeCertificates();
  await using upstream = tlsUpstream(certificates);
  using wary = new TestPool();
  const unknown = await upstreamErrorOf(wary.send(requestTo(upstream.origin)));
  strictEqual(unknown.step, "tls");
  strictEqual(unknown.sent, false);
  strictEqual(wary.statistics().open, 0);

  // The proxy knows the upstream by a name that is not in its certificate.
  await using proxy = new ConnectProxy();
  using pool = new TestPool({
    caCerts: [certificates.caCert],
    proxyFor: () => new URL(`http://127.0.0.1:${proxy.port}`),
  });
  const origin = `https://other.example:${upstream.port}`;
  const misnamed = await upstreamErrorOf(pool.send(requestTo(origin)));
  strictEqual(misnamed.step, "tls");
  strictEqual(misnamed.sent, false);
  ok(misnamed.message.includes("other.example"), misnamed.message);
});

Deno.test("send() says that TLS failed when a plain server answers", {
  ignore,
}, async () => {
  await using upstream = new RawUpstream(async (connection) => {
    await connection.drain(1_000);
    await connection.write("HTTP/1.1 400 Bad Request\r\n\r\n");
  });
  using pool = new TestPool();
  const origin = `https://127.0.0.1:${upstream.port}`;
  const error = await upstreamErrorOf(pool.send(requestTo(origin)));
  strictEqual(error.step, "tls");
  strictEqual(error.sent, false);
});

Deno.test("send() bounds the TLS handshake and can be given up in it", async () => {
  const clock = new ManualClock();
  const silence = Promise.withResolvers<void>();
  await using upstream = new RawUpstream(async (connection) => {
    await connection.drain(1_000);
    await silence.promise;
  });
  using pool = new TestPool({ clock });
  const origin = `https://127.0.0.1:${upstream.port}`;
  const late = upstreamErrorOf(pool.send(requestTo(origin)));
  await until(() => upstream.connections === 1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  await clock.advance(11_000);
  const error = await late;
  strictEqual(error.step, "tls");
  strictEqual(error.sent, false);

  const given = new AbortController();
  const { signal } = given;
  const leaving = upstreamErrorOf(pool.send(requestTo(origin, { signal })));
  await until(() => upstream.connections === 2);
  given.abort();
  strictEqual((await leaving).step, "aborted");
  strictEqual(pool.statistics().open, 0);
  silence.resolve();
});

Deno.test("read() treats an end without the TLS close message as a break", {
  ignore,
}, async () => {
  const certificates = await makeCertificates();
  await using upstream = tlsUpstream(certificates, async (connection) => {
    await connection.request();
    await connection.write("HTTP/1.1 200 OK\r\n\r\n");
    for (let i = 0; i < 100; i++) await connection.write("x".repeat(1_000));
  });
  // The proxy cuts the connection in its middle, and so without the farewell.
  await using proxy = new ConnectProxy({ cutAfterBytes: 3_000 });
  using pool = new TestPool({
    caCerts: [certificates.caCert],
    proxyFor: () => new URL(`http://127.0.0.1:${proxy.port}`),
  });
  const { body } = await pool.send(requestTo(upstream.origin));
  const error = await upstreamErrorOf(readAll(body));
  strictEqual(error.step, "body");
});

Deno.test("warm() has the handshake done before the request comes", {
  ignore,
}, async () => {
  const certificates = await makeCertificates();
  await using upstream = tlsUpstream(certificates);
  using pool = new TestPool({ caCerts: [certificates.caCert] });
  await pool.warm(upstream.origin, 4);
  deepStrictEqual(pool.statistics(), {
    open: 4,
    idle: 4,
    opened: 4,
    reused: 0,
  });
  await Promise.all(
    Array.from({ length: 4 }, () => pool.send(requestTo(upstream.origin))),
  );
  strictEqual(pool.statistics().opened, 4);
});

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { createHash } from "node:crypto";
import fc from "fast-check";
import { bigBody, oddBody } from "../fixtures/odd_bodies.ts";
import { LOCAL_KEY, ProxyKit, tokenOf } from "../fixtures/proxy_kit.ts";
import { RawClient } from "../fixtures/raw_client.ts";
import {
  type ScriptedOrigin,
  startScriptedOrigin,
} from "../fixtures/scripted_origin.ts";
import { trials } from "../fixtures/trials.ts";

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** An upstream that answers with the hash and length of what it was sent. */
function startHashing(): Deno.HttpServer<Deno.NetAddr> {
  return Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const hash = createHash("sha256");
      for await (const chunk of request.body ?? []) hash.update(chunk);
      return new Response(hash.digest("hex"));
    },
  );
}

async function sendBody(
  url: string,
  body: BodyInit,
): Promise<string> {
  const response = await fetch(`${url}/v1/messages?beta=true`, {
    method: "POST",
    headers: { "x-api-key": LOCAL_KEY, "content-type": "application/json" },
    body,
  });
  return await response.text();
}

Deno.test("request bodies reach the upstream byte for byte", async () => {
  await using hashing = startHashing();
  await using kit = new ProxyKit({
    origin: `http://127.0.0.1:${hashing.addr.port}`,
  });
  let sent = 0;
  await fc.assert(
    fc.asyncProperty(oddBody, fc.boolean(), async (body, isChunked) => {
      const stream = ReadableStream.from([
        body.slice(0, body.length >> 1),
        body.slice(body.length >> 1),
      ]);
      const got = await sendBody(kit.url, isChunked ? stream : body);
      strictEqual(got, sha256(body));
      sent++;
    }),
    { numRuns: trials(200, 2_000) },
  );
  ok(sent >= trials(200, 2_000));
  for (const mebibytes of [1, 5, 30]) {
    const body = bigBody(mebibytes);
    strictEqual(await sendBody(kit.url, body), sha256(body));
  }
  await kit.isEmpty();
});

/** The header lines that the upstream got, names in lower case, sorted. */
function linesOf(origin: ScriptedOrigin): readonly string[] {
  return (origin.requests().at(-1)?.headers ?? [])
    .map(([name, value]) => `${name.toLowerCase()}: ${value}`).sort();
}

const CLIENT_LINES = {
  accept: "application/json",
  "content-type": "application/json",
  "user-agent": "claude-cli/2.1.329 (external, cli)",
  "x-claude-code-session-id": "50aead76-f351-4346-b9ca-4152fdfa5966",
  "x-stainless-retry-count": "0",
  "x-stainless-timeout": "600",
  "anthropic-version": "2023-06-01",
  "anthropic-dangerous-direct-browser-access": "true",
  "anthropic-beta": "claude-code-20250219,  interleaved-thinking-2025-05-14",
  "accept-encoding": "gzip, deflate, br, zstd",
  "x-odd": 'a  "b", c;q=0.5\té\xff',
  "x-forwarded-for": "10.1.2.3",
};

Deno.test("header values reach the upstream equal, and none is added", async () => {
  await using origin = startScriptedOrigin();
  await using kit = new ProxyKit({ origin: origin.url, accounts: ["a"] });
  using client = await RawClient.connect(kit.port);
  await client.send(`{"x":1}`, {
    ...CLIENT_LINES,
    connection: "keep-alive, x-hop",
    "x-hop": "1",
    "keep-alive": "timeout=5",
    te: "trailers",
    "proxy-authorization": "Basic eA==",
    cookie: "session=1",
    "x-tc-session": "mine",
    "x-api-key": LOCAL_KEY,
    Authorization: "Bearer sk-ant-oat01-FAKE-of-the-client",
  });
  strictEqual((await client.whole()).status, 200);
  const expected = Object.entries({
    ...CLIENT_LINES,
    "anthropic-beta": `oauth-2025-04-20,${CLIENT_LINES["anthropic-beta"]}`,
    authorization: `Bearer ${tokenOf("a")}`,
    host: `127.0.0.1:${origin.port}`,
    "content-length": "7",
  }).map(([name, value]) => `${name}: ${value}`).sort();
  deepStrictEqual(linesOf(origin), expected);
});

Deno.test("an account with a key sends its key and no credential of the client", async () => {
  await using origin = startScriptedOrigin();
  await using kit = new ProxyKit({
    origin: origin.url,
    accounts: ["a"],
    isKeyed: true,
  });
  for (
    const credential of [
      { "x-api-key": LOCAL_KEY },
      { authorization: `Bearer ${LOCAL_KEY}`, "x-api-key": "sk-ant-FAKE-own" },
      { "x-api-key": LOCAL_KEY, authorization: "Bearer sk-ant-oat01-FAKE-own" },
    ]
  ) {
    using client = await RawClient.connect(kit.port);
    await client.send("{}", {
      ...credential,
      "anthropic-beta": "oauth-2025-04-20,other-2026-01-01",
    });
    strictEqual((await client.whole()).status, 200);
    deepStrictEqual(linesOf(origin), [
      "anthropic-beta: other-2026-01-01",
      "content-length: 2",
      `host: 127.0.0.1:${origin.port}`,
      `x-api-key: ${tokenOf("a")}`,
    ]);
  }
});

Deno.test("the target is sent on as it was written, without the key", async () => {
  await using origin = startScriptedOrigin();
  await using kit = new ProxyKit({
    origin: `${origin.url}/below/`,
    isKeyless: true,
  });
  for (
    const target of [
      "/v1/messages?beta=true",
      "/v1/messages?",
      "/v1//messages",
      "/v1/models?limit=1000&x=%20+%2B&y=a%7Eb~c",
      "/v1/a%20b/!$&'()*+,;=:@?q=/?#".replace("#", ""),
      '/v1/messages?a=[]{}|^`"<>',
    ]
  ) {
    for (const prefix of ["", `/k/${LOCAL_KEY}`]) {
      using client = await RawClient.connect(kit.port);
      await client.write(
        `GET ${prefix}${target} HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n`,
      );
      strictEqual((await client.whole()).status, 200, target);
      const line = origin.requests().at(-1)?.rawHead.split("\r\n")[0];
      strictEqual(line, `GET /below${target} HTTP/1.1`);
    }
  }
  strictEqual(
    origin.requests().some(({ rawHead }) => rawHead.includes(LOCAL_KEY)),
    false,
  );
});

Deno.test("answers reach the client with their own lines", async () => {
  await using origin = startScriptedOrigin();
  await using kit = new ProxyKit({ origin: origin.url });
  origin.always({
    status: 418,
    headers: [
      ["date", "Sat, 21 Nov 2026 10:00:00 GMT"],
      ["content-type", "application/json"],
      ["request-id", "req_011"],
      ["anthropic-ratelimit-unified-5h-utilization", "0.25"],
      ["x-odd", 'a  "b",\t;c'],
      ["set-cookie", "a=1"],
      ["set-cookie", "b=2"],
      ["connection", "x-hop"],
      ["x-hop", "1"],
    ],
    body: `{"a":1}`,
  });
  using client = await RawClient.connect(kit.port);
  await client.send();
  const { status, head, body } = await client.whole();
  strictEqual(status, 418);
  strictEqual(body, `{"a":1}`);
  deepStrictEqual(head.trim().split("\r\n").slice(1).sort(), [
    "anthropic-ratelimit-unified-5h-utilization: 0.25",
    "content-length: 7",
    "content-type: application/json",
    "date: Sat, 21 Nov 2026 10:00:00 GMT",
    "request-id: req_011",
    "set-cookie: a=1",
    "set-cookie: b=2",
    'x-odd: a  "b",\t;c',
  ]);
});

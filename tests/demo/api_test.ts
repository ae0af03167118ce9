/** The fake API over its real port: is it honest? */

import {
  deepStrictEqual,
  match,
  ok,
  rejects,
  strictEqual,
} from "node:assert/strict";
import { createHash } from "node:crypto";
import {
  brotliDecompressSync,
  gunzipSync,
  inflateSync,
  zstdDecompressSync,
} from "node:zlib";
import fc from "fast-check";
import {
  DAY_MS,
  HOUR_MS,
  instantFromMs,
  MINUTE_MS,
} from "../../src/core/time.ts";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";
import { PLANS } from "../../src/demo/quota/plans.ts";
import type { RefusalName } from "../../src/demo/provider/refusal.ts";
import { quotaUnits, UNIT_WEIGHTS } from "../../src/demo/quota/true_quota.ts";
import { WarpClock } from "../../src/demo/warp_clock.ts";
import {
  askMessage,
  credentialOf,
  eventsIn,
  messageBody,
  postMessage,
} from "../fixtures/demo_message.ts";
import { trials } from "../fixtures/trials.ts";

const START = instantFromMs(Date.UTC(2026, 5, 1));

function frozenApi(): Promise<ScriptedApi> {
  return startScriptedApi({
    clock: new WarpClock({ startAt: START, scale: 0 }),
  });
}

function errorIn(text: string): { type: string; message: string } {
  const body = JSON.parse(text);
  strictEqual(body.type, "error");
  match(body.request_id, /^req_/);
  return body.error;
}

Deno.test("a streamed message is whole, in order, with usage and limits", async () => {
  await using api = await frozenApi();
  const work = api.account("work").windows({ "5h": 0.42, "7d": 0.61 });
  const { status, headers, text } = await askMessage(api, work, {
    session: "s1",
  });
  strictEqual(status, 200);
  match(headers.get("content-type") ?? "", /^text\/event-stream/);
  strictEqual(
    headers.get("anthropic-organization-id"),
    work.identity.organizationUuid,
  );
  match(headers.get("request-id") ?? "", /^req_/);
  strictEqual(
    headers.get("anthropic-ratelimit-unified-5h-utilization"),
    "0.42",
  );
  const events = eventsIn(text);
  strictEqual(events[0]?.name, "message_start");
  strictEqual(events.at(-1)?.name, "message_stop");
  for (const event of events) strictEqual(event.data["type"], event.name);
  deepStrictEqual(api.log(), ["work 200 complete"]);
  const [request] = api.requests();
  strictEqual(request?.session, "s1");
  strictEqual(request?.model, "claude-sonnet-5-5");
  deepStrictEqual(request?.usage, request?.reported);
});

Deno.test("a message without stream is the same message whole", async () => {
  await using api = await frozenApi();
  const work = api.account("work");
  const streamed = await askMessage(api, work);
  const whole = await askMessage(api, work, { isStream: false });
  const body = JSON.parse(whole.text);
  const deltas = eventsIn(streamed.text).flatMap(({ data }) =>
    data["type"] === "content_block_delta"
      ? [data["delta"] as { text: string }]
      : []
  );
  strictEqual(deltas.map((delta) => delta.text).join(""), body.content[0].text);
  strictEqual(body.stop_reason, "end_turn");
  deepStrictEqual(api.log(), ["work 200 complete", "work 200 complete"]);
});

Deno.test("law: 429 exactly when a window is truly spent, to the unit", async () => {
  const texts = fc.array(fc.string({ maxLength: 3_000 }), {
    minLength: 1,
    maxLength: 12,
  });
  await fc.assert(
    fc.asyncProperty(
      texts,
      fc.integer({ min: 1, max: 6_000 }),
      async (prompts, left) => {
        await using api = await frozenApi();
        const capacity = PLANS.pro.fiveHourUnits;
        const work = api.account("work", { tier: "pro" });
        work.spend(capacity - left);
        let spent = capacity - left;
        for (const [index, text] of prompts.entries()) {
          const isSpent = spent >= capacity;
          const { status, headers } = await askMessage(api, work, { text });
          strictEqual(status, isSpent ? 429 : 200);
          strictEqual(
            headers.get("anthropic-ratelimit-unified-5h-status"),
            isSpent ? "rejected" : "allowed_warning",
          );
          const usage = api.requests()[index]?.usage;
          ok(usage !== undefined);
          spent += quotaUnits(usage, UNIT_WEIGHTS);
          const utilization = work.utilization()["5h"] ?? 0;
          ok(Math.abs(utilization * capacity - spent) < 0.001);
        }
      },
    ),
    { numRuns: trials(15, 300) },
  );
});

Deno.test("a spent window says until when, and serves again then", async () => {
  await using api = await frozenApi();
  const work = api.account("work").windows({ "5h": 1, "7d": 0.2 })
    .resetIn("5h", 600_000);
  const refused = await askMessage(api, work);
  strictEqual(refused.status, 429);
  strictEqual(refused.headers.get("retry-after"), "600");
  strictEqual(refused.headers.get("x-should-retry"), "true");
  strictEqual(errorIn(refused.text).type, "rate_limit_error");
  strictEqual(work.utilization()["5h"], 1);
  api.clock.advance(599_999);
  strictEqual((await askMessage(api, work)).status, 429);
  api.clock.advance(1);
  strictEqual((await askMessage(api, work)).status, 200);
});

Deno.test("the premium window bars its own models alone", async () => {
  await using api = await frozenApi();
  const work = api.account("work").windows({ "7d_oi": 1 });
  const fable = await askMessage(api, work, { model: "claude-fable-5" });
  strictEqual(fable.status, 429);
  strictEqual(
    fable.headers.get("anthropic-ratelimit-unified-representative-claim"),
    "seven_day_overage_included",
  );
  strictEqual((await askMessage(api, work)).status, 200);
});

Deno.test("concurrency and speed are limited with every window allowed", async () => {
  await using api = await frozenApi();
  const work = api.account("work").limits({
    concurrency: 1,
    requestsPerMinute: 3,
  });
  api.next("work").stream(["message_start", "hang"]);
  const stop = new AbortController();
  const open = await postMessage(api, work, { signal: stop.signal });
  const second = await askMessage(api, work);
  strictEqual(second.status, 429);
  strictEqual(second.headers.get("retry-after"), "5");
  strictEqual(
    second.headers.get("anthropic-ratelimit-unified-7d-status"),
    "allowed",
  );
  stop.abort();
  await rejects(open.text());
  await api.idle();
  strictEqual((await askMessage(api, work)).status, 200);
  strictEqual((await askMessage(api, work)).status, 200);
  api.clock.advance(20_000);
  const third = await askMessage(api, work);
  strictEqual(third.headers.get("retry-after"), "40");
  api.clock.advance(MINUTE_MS);
  strictEqual((await askMessage(api, work)).status, 200);
});

Deno.test("an API key has its own limits and headers", async () => {
  await using api = await frozenApi();
  const key = api.account("key", { kind: "api_key" })
    .keyLimits({ requestsPerMinute: 2 });
  const first = await askMessage(api, key);
  strictEqual(first.headers.get("anthropic-ratelimit-requests-remaining"), "2");
  strictEqual(
    first.headers.get("anthropic-ratelimit-unified-status"),
    null,
  );
  await askMessage(api, key);
  const third = await askMessage(api, key);
  strictEqual(third.status, 429);
  strictEqual(third.headers.get("retry-after"), "30");
});

Deno.test("the cache is true over the wire: written, read, lost elsewhere", async () => {
  await using api = await frozenApi();
  const [work, home] = [api.account("work"), api.account("home")];
  const body = {
    system: [{
      type: "text",
      text: "x".repeat(8_000),
      cache_control: { type: "ephemeral", ttl: "1h" },
    }],
  };
  async function usage(account: typeof work) {
    await askMessage(api, account, { body });
    const { cacheRead, cacheWrite1h } = api.requests().at(-1)?.reported ?? {};
    return [cacheRead, cacheWrite1h];
  }
  deepStrictEqual(await usage(work), [0, 2007]);
  deepStrictEqual(await usage(work), [2007, 0]);
  deepStrictEqual(await usage(home), [0, 2007]);
  api.clock.advance(HOUR_MS);
  deepStrictEqual(await usage(work), [0, 2007]);
});

Deno.test("each credential that does not count is refused in its own words", async () => {
  await using api = await frozenApi();
  const work = api.account("work");
  const good = credentialOf(work);
  const superseded = api.account("rotated");
  const old = credentialOf(superseded);
  await refresh(api, superseded.tokens().refreshToken);
  const expired = api.account("expired");
  const late = credentialOf(expired);
  expired.expire();
  const revoked = api.account("revoked");
  const dead = credentialOf(revoked);
  revoked.revoke();
  const table:
    readonly (readonly [Readonly<Record<string, string>>, RegExp])[] = [
      [{}, /^x-api-key header is required$/],
      [
        { ...good, authorization: "Bearer sk-ant-oat01-FAKE" },
        /^Invalid bearer token$/,
      ],
      [{ "x-api-key": "sk-ant-api03-FAKE" }, /^invalid x-api-key$/],
      [{ authorization: good["authorization"] ?? "" }, /not supported/],
      [old, /has been revoked/],
      [late, /^OAuth token has expired/],
      [dead, /has been revoked/],
    ];
  for (const [headers, message] of table) {
    const response = await fetch(`${api.url}/v1/messages`, {
      method: "POST",
      headers,
      body: messageBody(),
    });
    strictEqual(response.status, 401);
    const error = errorIn(await response.text());
    strictEqual(error.type, "authentication_error");
    match(error.message, message);
  }
  strictEqual(api.truth().total.requests, 0);
});

async function refresh(api: ScriptedApi, refreshToken: string): Promise<void> {
  const response = await fetch(api.endpoints.token, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({
      grant_type: "refresh_token",
      refresh_token: refreshToken,
      client_id: "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
    }),
  });
  strictEqual(response.status, 200);
  await response.body?.cancel();
}

Deno.test("refuse() holds for an account until serve()", async () => {
  await using api = await frozenApi();
  const work = api.account("work");
  const table: readonly (readonly [RefusalName, number])[] = [
    ["organization_disabled", 400],
    ["forbidden", 403],
    ["revoked_403", 403],
    ["oauth_refused", 401],
  ];
  for (const [name, status] of table) {
    work.refuse(name);
    strictEqual((await askMessage(api, work)).status, status);
    strictEqual((await askMessage(api, api.account("home"))).status, 200);
  }
  work.serve();
  strictEqual((await askMessage(api, work)).status, 200);
});

Deno.test("scripted answers come in line, per account, then the truth again", async () => {
  await using api = await frozenApi();
  const [work, home] = [api.account("work"), api.account("home")];
  api.next("work").reply(429, { rejected: "5h", resetsInMs: 600_000 });
  api.next("work").times(2).overload();
  api.next("home").say("from home");
  api.next().burst();
  const rejected = await askMessage(api, work);
  strictEqual(rejected.headers.get("retry-after"), "600");
  strictEqual(
    rejected.headers.get("anthropic-ratelimit-unified-5h-status"),
    "rejected",
  );
  strictEqual(
    errorIn((await askMessage(api, work)).text).type,
    "overloaded_error",
  );
  ok(
    (await askMessage(api, home, { isStream: false })).text.includes(
      "from home",
    ),
  );
  strictEqual((await askMessage(api, work)).status, 529);
  const burst = await askMessage(api, home);
  strictEqual(burst.headers.get("retry-after"), null);
  ok(![...burst.headers.keys()].some((name) => name.includes("ratelimit")));
  strictEqual(api.scriptedLeft(), 0);
  strictEqual((await askMessage(api, work)).status, 200);
  deepStrictEqual(api.log(), [
    "work 429",
    "work 529",
    "home 200 complete",
    "work 529",
    "home 429",
    "work 200 complete",
  ]);
});

Deno.test("reply() sends any status, header and body", async () => {
  await using api = await frozenApi();
  const work = api.account("work");
  api.next("work").reply(502, {
    body: "<h1>Bad gateway</h1>",
    contentType: "text/html",
    headers: [["x-odd", "1"]],
    retryAfterSeconds: "Wed, 21 Oct 2026 07:28:00 GMT",
  });
  const { status, headers, text } = await askMessage(api, work);
  deepStrictEqual([status, text], [502, "<h1>Bad gateway</h1>"]);
  strictEqual(headers.get("content-type"), "text/html");
  strictEqual(headers.get("x-odd"), "1");
  strictEqual(headers.get("retry-after"), "Wed, 21 Oct 2026 07:28:00 GMT");
});

Deno.test("a scripted stream can break off, end early, or end in an error", async () => {
  await using api = await frozenApi();
  const work = api.account("work");
  api.next("work").stream(["message_start", { text: "Half" }, "cut"]);
  const cut = await postMessage(api, work);
  await rejects(cut.text());
  api.next("work").stream(["message_start", { text: "Half" }]);
  const early = await askMessage(api, work);
  strictEqual(eventsIn(early.text).at(-1)?.name, "content_block_delta");
  api.next("work").stream(["message_start", { error: "overloaded_error" }]);
  const failed = await askMessage(api, work);
  strictEqual(eventsIn(failed.text).at(-1)?.name, "error");
  deepStrictEqual(api.log(), [
    "work 200 cut",
    "work 200 ended_early",
    "work 200 error_event",
  ]);
  const [first] = api.requests();
  deepStrictEqual([first?.usage.output, first?.reported.output], [2, 1]);
});

Deno.test("a tool call can be scripted", async () => {
  await using api = await frozenApi();
  const work = api.account("work");
  api.next("work").toolUse("Bash", { command: "ls" });
  const { text } = await askMessage(api, work, { isStream: false });
  const body = JSON.parse(text);
  strictEqual(body.stop_reason, "tool_use");
  deepStrictEqual(body.content[0].input, { command: "ls" });
  match(body.content[0].id, /^toolu_/);
});

Deno.test("a client that leaves is seen at once, whatever it waited for", async () => {
  await using api = await startScriptedApi();
  const work = api.account("work");
  api.next("work").stream(["message_start", "hang"]);
  api.next("work").stream(["message_start", { pauseMs: 60_000 }]);
  api.next("work").delay(60_000).serve();
  for (let index = 0; index < 3; index++) {
    const stop = new AbortController();
    const response = postMessage(api, work, { signal: stop.signal });
    if (index < 2) {
      const { body } = await response;
      const reader = body?.getReader();
      await reader?.read();
      stop.abort();
      await rejects(async () => await reader?.read());
    } else {
      while (api.running === 0) {
        await new Promise((wake) => setTimeout(wake, 1));
      }
      stop.abort();
      await rejects(response);
    }
    const leftAtMs = performance.now();
    await api.idle();
    ok(performance.now() - leftAtMs < 2_000);
  }
  deepStrictEqual(api.requests().map((request) => request.ending), [
    "client_gone",
    "client_gone",
    "client_gone",
  ]);
  strictEqual(work.gate.running, 0);
});

Deno.test("the pace of a stream is the one that is set", async () => {
  const clock = new WarpClock({ scale: 1_000 });
  await using api = await startScriptedApi({ clock, tokensPerSecond: 10 });
  const work = api.account("work");
  for (const isStream of [true, false]) {
    const startedMs = clock.monotonicMs();
    const text = "demo:tokens 100";
    await askMessage(api, work, { text, isStream });
    const tookMs = clock.monotonicMs() - startedMs;
    ok(tookMs >= 9_900, `took ${tookMs} ms of demo time`);
  }
});

Deno.test("answers are compressed as asked, event by event, and true", async () => {
  const unpack = {
    gzip: gunzipSync,
    br: brotliDecompressSync,
    zstd: zstdDecompressSync,
    deflate: inflateSync,
  };
  for (const encoding of ["gzip", "br", "zstd", "deflate"] as const) {
    await using api = await startScriptedApi({ encodings: [encoding] });
    const work = api.account("work");
    for (const isStream of [true, false]) {
      const { head, bytes } = await rawExchange(
        api,
        messageBody({ isStream }),
        {
          ...credentialOf(work),
          "accept-encoding": "gzip, deflate, br, zstd",
        },
      );
      match(head, new RegExp(`content-encoding: ${encoding}`));
      const text = new TextDecoder().decode(unpack[encoding](bytes));
      const plain = await askMessage(api, work, {
        isStream,
        headers: { "accept-encoding": "identity" },
      });
      strictEqual(plain.headers.get("content-encoding"), null);
      strictEqual(text, plain.text);
    }
  }
});

/** One exchange without a client library that would decode it. */
async function rawExchange(
  api: ScriptedApi,
  body: string,
  headers: Readonly<Record<string, string>>,
): Promise<{ head: string; bytes: Uint8Array }> {
  using connection = await Deno.connect({
    port: api.port,
    hostname: "127.0.0.1",
  });
  const lines = Object.entries({
    host: "demo",
    connection: "close",
    "content-length": String(new TextEncoder().encode(body).length),
    ...headers,
  }).map(([name, value]) => `${name}: ${value}`);
  const message = `POST /v1/messages HTTP/1.1\r\n${
    lines.join("\r\n")
  }\r\n\r\n${body}`;
  await connection.write(new TextEncoder().encode(message));
  const all = new Uint8Array(
    await new Response(connection.readable).arrayBuffer(),
  );
  const text = new TextDecoder("latin1").decode(all);
  const end = text.indexOf("\r\n\r\n");
  const rest = all.subarray(end + 4);
  return {
    head: text.slice(0, end),
    bytes: /transfer-encoding: chunked/.test(text.slice(0, end))
      ? unchunk(rest)
      : rest,
  };
}

function unchunk(bytes: Uint8Array): Uint8Array {
  const parts: number[] = [];
  for (let at = 0;;) {
    const end = bytes.indexOf(10, at);
    const line = new TextDecoder().decode(bytes.subarray(at, end - 1));
    const size = Number.parseInt(line, 16);
    if (!(size > 0)) return Uint8Array.from(parts);
    parts.push(...bytes.subarray(end + 1, end + 1 + size));
    at = end + 1 + size + 2;
  }
}

Deno.test("a forced encoding is used unasked, on errors too", async () => {
  await using api = await startScriptedApi({ forcedEncoding: "gzip" });
  const { head, bytes } = await rawExchange(api, "{}", {});
  match(head, /^HTTP\/1\.1 401/);
  match(new TextDecoder().decode(gunzipSync(bytes)), /authentication_error/);
});

Deno.test("count_tokens, models, hello, sinks, echoes and the rest answer", async () => {
  await using api = await frozenApi();
  const work = api.account("work");
  const headers = credentialOf(work);
  const count = await fetch(`${api.url}/v1/messages/count_tokens`, {
    method: "POST",
    headers,
    body: JSON.stringify({
      model: "claude-sonnet-5-5",
      messages: [{ role: "user", content: "x".repeat(400) }],
    }),
  });
  // 425 characters of JSON by four, rounded up, and three of framing.
  deepStrictEqual(await count.json(), { input_tokens: 110 });
  const models =
    await (await fetch(`${api.url}/v1/models?limit=1000`, { headers })).json();
  ok(
    models.data.some((model: { id: string }) => model.id === "claude-opus-5-5"),
  );
  const one = await fetch(`${api.url}/v1/models/claude-opus-5-5`, { headers });
  strictEqual((await one.json()).type, "model");
  const echo = await fetch(`${api.url}/v1/code/sessions/x?y=1`, {
    method: "PUT",
    body: "abc",
  });
  const echoed = await echo.json();
  deepStrictEqual([echoed.method, echoed.target, echoed.body_sha256], [
    "PUT",
    "/v1/code/sessions/x?y=1",
    createHash("sha256").update("abc").digest("hex"),
  ]);
  const table: readonly (readonly [string, string, number])[] = [
    ["HEAD", "/api/hello", 200],
    ["GET", "/", 200],
    ["POST", "/api/event_logging/v2/batch", 200],
    ["GET", "/mcp-registry/v0/servers", 200],
    ["GET", "/nowhere", 404],
    ["GET", "/v1/models", 401],
    ["POST", "/v1/messages/count_tokens", 401],
  ];
  for (const [method, path, status] of table) {
    const response = await fetch(api.url + path, { method });
    await response.body?.cancel();
    strictEqual(response.status, status, `${method} ${path}`);
  }
  strictEqual(api.truth().total.requests, 0);
});

Deno.test("a WebSocket upgrade is refused", async () => {
  await using api = await frozenApi();
  const socket = new WebSocket(
    `ws://127.0.0.1:${api.port}/v1/session_ingress/ws/1`,
  );
  const { promise, resolve } = Promise.withResolvers<string>();
  socket.onerror = () => resolve("error");
  socket.onopen = () => resolve("open");
  strictEqual(await promise, "error");
  strictEqual(api.requests()[0]?.status, 426);
});

Deno.test("a body that is no message is refused as the real API would", async () => {
  await using api = await frozenApi();
  const work = api.account("work");
  for (const body of ["", "{", "[]", '{"model":"m"}']) {
    const response = await fetch(`${api.url}/v1/messages`, {
      method: "POST",
      headers: credentialOf(work),
      body,
    });
    strictEqual(response.status, 400);
    strictEqual(errorIn(await response.text()).type, "invalid_request_error");
  }
  api.set({ bodyBytesMax: 100 });
  strictEqual(
    (await askMessage(api, work, { text: "x".repeat(200) })).status,
    413,
  );
});

Deno.test("records keep what came, sums count what was accepted", async () => {
  await using api = await frozenApi();
  const [work, home] = [api.account("work"), api.account("home")];
  const body = messageBody({ text: "same" });
  const sha256 = createHash("sha256").update(body).digest("hex");
  for (const nonce of ["n1", "n2", "n2"]) {
    await askMessage(api, work, {
      text: "same",
      session: "s1",
      headers: { "x-demo-nonce": nonce, "X-Odd": "Value" },
    });
  }
  api.next("home").overload();
  await askMessage(api, home, { text: "same" });
  const [first] = api.requests("/v1/messages");
  strictEqual(first?.bodySha256, sha256);
  strictEqual(first?.bodyBytes, body.length);
  strictEqual(first?.token, work.token());
  ok(
    first?.headers.some(([name, value]) =>
      name === "x-odd" && value === "Value"
    ),
  );
  strictEqual(api.acceptedPerBody().get(sha256), 3);
  deepStrictEqual(Object.fromEntries(api.acceptedPerNonce()), { n1: 1, n2: 2 });
  const truth = api.truth();
  deepStrictEqual(Object.keys(truth.byAccount), ["work"]);
  strictEqual(truth.bySession["s1"]?.requests, 3);
  deepStrictEqual(truth.byModel["claude-sonnet-5-5"], truth.total);
  strictEqual(truth.total.usage.output, 3 * (first?.usage.output ?? 0));
});

Deno.test("one clock rules windows, tokens and the date", async () => {
  await using api = await frozenApi();
  const work = api.account("work");
  const credential = credentialOf(work);
  const { headers } = await askMessage(api, work);
  strictEqual(headers.get("date"), "Mon, 01 Jun 2026 00:00:00 GMT");
  api.clock.advance(DAY_MS);
  const late = await fetch(`${api.url}/v1/messages`, {
    method: "POST",
    headers: credential,
    body: messageBody(),
  });
  match(errorIn(await late.text()).message, /has expired/);
});

Deno.test("the same seed makes the same accounts, tokens and answers", async () => {
  const seen: unknown[] = [];
  for (let run = 0; run < 2; run++) {
    await using api = await startScriptedApi({ seed: "x" });
    const work = api.account("work");
    const { text } = await askMessage(api, work);
    seen.push([work.identity, work.token(), text]);
  }
  deepStrictEqual(seen[0], seen[1]);
});

Deno.test("stop() breaks off what still runs", async () => {
  const api = await startScriptedApi();
  api.next().stream(["message_start", "hang"]);
  const response = await postMessage(api, api.account("work"));
  const reading = rejects(response.text());
  await api.stop();
  await reading;
  strictEqual(api.running, 0);
});

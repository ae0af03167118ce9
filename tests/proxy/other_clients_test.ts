/** What other clients than Claude Code rely on. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import type { OriginAnswer } from "../fixtures/origin_answer.ts";
import { ask, labelOf, MESSAGE, served } from "../fixtures/proxy_client.ts";
import { errorBody, inMs, LOCAL_KEY } from "../fixtures/proxy_kit.ts";
import { json, Scene } from "../fixtures/proxy_scene.ts";
import { headerOf } from "../fixtures/raw_connection.ts";

const JSON_TYPE = ["content-type", "application/json"] as const;

function answer(body: unknown): OriginAnswer {
  return { headers: [JSON_TYPE], body: JSON.stringify(body) };
}

Deno.test("header names reach the upstream as the client wrote them", async () => {
  await using scene = new Scene();
  const { port } = scene.kit;
  using conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const body = '{"model":"claude-opus-5-5","messages":[]}';
  const lines = [
    "Accept: application/json",
    "X-Stainless-Lang: js",
    "Authorization: Bearer local-key-of-the-test-0123456789",
    "anthropic-Version: 2023-06-01",
    "x-app: cli",
    "x-app: second",
  ];
  await conn.write(new TextEncoder().encode(
    `POST /v1/messages HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n${
      lines.join("\r\n")
    }\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  ));
  await conn.read(new Uint8Array(4_096));
  const [sent] = scene.origin.requests();
  deepStrictEqual(
    sent?.headers.map(([name]) => name),
    [
      "Host",
      "Accept",
      "X-Stainless-Lang",
      "Authorization",
      "anthropic-Version",
      "x-app",
      "x-app",
      "anthropic-beta",
      "Content-Length",
    ],
  );
});

Deno.test("a lasting failure is tried by tc once for all tries of an SDK", async () => {
  for (const status of [500, 529, 504]) {
    await using scene = new Scene();
    const { kit, origin } = scene;
    origin.always(
      json(status, status === 529 ? "overloaded_error" : "api_error"),
    );
    const client = new Anthropic({ apiKey: LOCAL_KEY, baseURL: kit.url });
    const error = await client.messages.create({
      model: "claude-opus-5-5",
      max_tokens: 10,
      messages: [{ role: "user", content: "hi" }],
    }).then(() => null, (cause) => cause);
    strictEqual(error?.status, status);
    strictEqual(kit.records.length, 3, "the SDK tries three times");
    ok(scene.asked.length <= 6, `${status}: ${scene.asked.length} sends`);
  }
});

Deno.test("subscriptions that refuse a client stay ready for Claude Code", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  origin.always((request) =>
    labelOf(request) !== "c" &&
      headerOf(request.headers, "user-agent")?.startsWith("opencode") === true
      ? json(
        400,
        "invalid_request_error",
        "This credential is only authorized for use with Claude Code and cannot be used for other API requests.",
      )
      : served(request)
  );
  const opencode = { "user-agent": "opencode/1.2.3" };
  for (let turn = 0; turn < 3; turn++) {
    const response = await ask(kit, { headers: opencode });
    strictEqual(response.status, 200, await response.text());
  }
  const refusers = scene.asked.filter((label) => label !== "c");
  strictEqual(refusers.length, new Set(refusers).size, "asked twice");
  kit.keeper.dispatch({ kind: "pinned", accountId: "a" as never });
  const own = await ask(kit, {
    headers: { "user-agent": "claude-cli/2.1.332 (external, cli)" },
  });
  strictEqual(own.status, 200);
  await own.body?.cancel();
  strictEqual(scene.asked.at(-1), "a");
});

Deno.test("if only logins are wrong, a program learns that and does not retry", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  for (const label of ["a", "b", "c"]) {
    kit.credentials.renewal.set(label, "none");
  }
  origin.always(json(401, "authentication_error", "invalid bearer token"));
  const client = new Anthropic({ apiKey: LOCAL_KEY, baseURL: kit.url });
  const startedMs = performance.now();
  const error = await client.messages.create({
    model: "claude-opus-5-5",
    max_tokens: 10,
    messages: [{ role: "user", content: "hi" }],
  }).then(() => null, (cause) => cause);
  ok(error instanceof Anthropic.AuthenticationError, String(error));
  match(error.message, /no account whose login works/);
  strictEqual(kit.records.length, 1);
  ok(performance.now() - startedMs < 2_000);
  // Claude Code keeps its own login.
  const told = await ask(kit, {
    headers: { "user-agent": "claude-cli/2.1.332 (external, cli)" },
  });
  strictEqual(told.status, 503);
  strictEqual(told.headers.get("x-should-retry"), "false");
  await told.body?.cancel();
});

Deno.test("an admin key is passed on unchanged, and never a pooled login", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  origin.always(answer({ data: [] }));
  const admin = "sk-ant-admin01-FAKE";
  const response = await fetch(`${kit.url}/v1/organizations/users`, {
    headers: { "x-api-key": admin, "x-tc-key": LOCAL_KEY },
  });
  strictEqual(response.status, 200);
  await response.body?.cancel();
  const [sent] = origin.requests();
  strictEqual(headerOf(sent?.headers ?? [], "x-api-key"), admin);
  strictEqual(headerOf(sent?.headers ?? [], "authorization"), null);
  ok(!JSON.stringify(sent).includes(LOCAL_KEY));
  const without = await fetch(`${kit.url}/v1/organizations/users`, {
    headers: { "x-api-key": LOCAL_KEY },
  });
  strictEqual(without.status, 403);
  await without.body?.cancel();
  strictEqual(origin.requests().length, 1);
});

Deno.test("opencode's own session headers keep a conversation together", async () => {
  for (const name of ["x-session-affinity", "x-session-id"]) {
    await using scene = new Scene();
    const { kit } = scene;
    const headers = { [name]: "ses_01FAKE" };
    for (let turn = 0; turn < 3; turn++) {
      await (await ask(kit, { headers })).body?.cancel();
    }
    strictEqual(new Set(scene.asked).size, 1);
    strictEqual(kit.records.at(-1)?.session, "ses_01FAKE");
  }
});

/** One answer in the chat form. */
const CHAT = answer({
  id: "chatcmpl-1",
  object: "chat.completion",
  model: "claude-opus-5-5",
  choices: [{ message: { content: "Hi" }, finish_reason: "stop" }],
  usage: { prompt_tokens: 25, completion_tokens: 15 },
});

async function chat(
  { kit }: Scene,
  isStream: boolean,
): Promise<Response> {
  return await fetch(`${kit.url}/v1/chat/completions`, {
    method: "POST",
    headers: { authorization: `Bearer ${LOCAL_KEY}` },
    body: JSON.stringify({
      model: "claude-opus-5-5",
      stream: isStream,
      messages: [{ role: "user", content: "hi" }],
    }),
  });
}

Deno.test("the compatible endpoint is booked, moved and held like messages", async () => {
  await using scene = new Scene({ hold: { silentMs: 30, pingMs: 30 } });
  const { kit, origin } = scene;
  origin.always(CHAT);
  kit.spend("a", inMs(600_000));
  const response = await chat(scene, false);
  strictEqual(response.status, 200);
  await response.body?.cancel();
  const [record] = await kit.settled(1);
  strictEqual(record?.modelAnswered, "claude-opus-5-5");
  strictEqual(record?.usage?.input, 25);
  strictEqual(record?.usage?.output, 15);
  strictEqual(record?.modelAsked, "claude-opus-5-5");
  for (const label of ["b", "c"]) kit.spend(label, inMs(500));
  const stream =
    'data: {"object":"chat.completion.chunk","choices":[]}\n\ndata: [DONE]\n\n';
  origin.always({
    headers: [["content-type", "text/event-stream"]],
    body: stream,
  });
  const held = await (await chat(scene, true)).text();
  ok(held.startsWith(": waiting\n\n"), held);
  ok(!held.includes("event: ping"));
  ok(held.endsWith(stream));
  await kit.isEmpty();
});

Deno.test("MESSAGE and errors keep their form for the SDK", async () => {
  await using scene = new Scene();
  scene.origin.always({
    status: 400,
    headers: [JSON_TYPE, ["request-id", "req_FAKE"]],
    body: errorBody("invalid_request_error", "because"),
  });
  const client = new Anthropic({
    apiKey: LOCAL_KEY,
    baseURL: `${scene.kit.url}/k/${LOCAL_KEY}`,
  });
  const error = await client.messages.create({
    model: "claude-opus-5-5",
    max_tokens: 10,
    messages: [{ role: "user", content: "hi" }],
  }).then(() => null, (cause) => cause);
  ok(error instanceof Anthropic.BadRequestError);
  strictEqual(error.requestID, "req_FAKE");
  strictEqual(MESSAGE.length > 0, true);
});

Deno.test("mistakes in a base URL are answered with what to write instead", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  const rows = [
    ["//v1/messages", /ends in a slash/],
    ["/v1/v1/messages", /the client adds it/],
    ["/messages", /v1 is missing/],
    ["/chat/completions", /v1 is missing/],
    ["/models", /v1 is missing/],
  ] as const;
  for (const [path, advice] of rows) {
    const { port } = kit;
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(new TextEncoder().encode(
      `POST ${path} HTTP/1.1\r\nHost: 127.0.0.1:${port}\r\n` +
        `x-api-key: ${LOCAL_KEY}\r\nContent-Length: 2\r\n\r\n{}`,
    ));
    const bytes = new Uint8Array(4_096);
    const count = await conn.read(bytes) ?? 0;
    const text = new TextDecoder().decode(bytes.subarray(0, count));
    ok(text.startsWith("HTTP/1.1 404"), text);
    match(text, advice);
    match(text, /not_found_error/);
  }
  strictEqual(scene.origin.requests().length, 0);
});

Deno.test("names and origins that the user named are let in, and no others", async () => {
  await using scene = new Scene({
    hosts: ["host.docker.internal"],
    origins: ["app://my.app"],
  });
  const { port } = scene.kit;
  async function send(lines: readonly string[]): Promise<string> {
    using conn = await Deno.connect({ hostname: "127.0.0.1", port });
    await conn.write(new TextEncoder().encode(
      `${lines[0]} HTTP/1.1\r\n${lines.slice(1).join("\r\n")}\r\n` +
        `x-api-key: ${LOCAL_KEY}\r\nContent-Length: 2\r\n\r\n{}`,
    ));
    const bytes = new Uint8Array(4_096);
    const count = await conn.read(bytes) ?? 0;
    return new TextDecoder().decode(bytes.subarray(0, count));
  }
  const post = "POST /v1/messages";
  const own = `Host: 127.0.0.1:${port}`;
  const docker = await send([post, `Host: host.docker.internal:${port}`]);
  ok(docker.startsWith("HTTP/1.1 200"), docker);
  const other = await send([post, `Host: evil.example:${port}`]);
  ok(other.startsWith("HTTP/1.1 421"), other);
  const page = await send([
    post,
    own,
    "Origin: app://my.app",
    "Sec-Fetch-Site: cross-site",
  ]);
  ok(page.startsWith("HTTP/1.1 200"), page);
  ok(page.includes("access-control-allow-origin: app://my.app"), page);
  const stranger = await send([
    post,
    own,
    "Origin: https://evil.example",
    "Sec-Fetch-Site: cross-site",
  ]);
  ok(stranger.startsWith("HTTP/1.1 403"), stranger);
  ok(!stranger.includes("access-control"), stranger);
  const preflight = await send([
    "OPTIONS /v1/messages",
    own,
    "Origin: app://my.app",
    "Access-Control-Request-Method: POST",
    "Access-Control-Request-Headers: x-api-key",
  ]);
  ok(preflight.startsWith("HTTP/1.1 204"), preflight);
  ok(preflight.includes("access-control-allow-headers: x-api-key"));
  strictEqual(scene.origin.requests().length, 2);
});

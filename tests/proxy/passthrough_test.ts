import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { LOCAL_KEY } from "../fixtures/proxy_kit.ts";
import { Scene } from "../fixtures/proxy_scene.ts";
import { headerOf } from "../fixtures/raw_connection.ts";

const OWN = "Bearer sk-ant-oat01-FAKE-of-the-client";

Deno.test("a token refresh of the client is relayed unchanged", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  const body = `{"grant_type":"refresh_token", "refresh_token":"FAKE"}`;
  const answer = `{"access_token":"FAKE"}`;
  origin.next({ status: 400, body: answer, headers: [["x-odd", "1"]] });
  const response = await fetch(`${kit.url}/v1/oauth/token?x=1`, {
    method: "POST",
    headers: { "x-api-key": LOCAL_KEY, "user-agent": "axios/1.15.2" },
    body,
  });
  strictEqual(response.status, 400);
  strictEqual(response.headers.get("x-odd"), "1");
  strictEqual(await response.text(), answer);
  const [request] = origin.requests();
  strictEqual(request?.target, "/v1/oauth/token?x=1");
  strictEqual(new TextDecoder().decode(request?.body), body);
  strictEqual(headerOf(request?.headers ?? [], "x-api-key"), null);
  strictEqual(headerOf(request?.headers ?? [], "user-agent"), "axios/1.15.2");
  await kit.isEmpty();
});

Deno.test("paths of one login get the client's credential, or nothing", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  const url = `${kit.url}/k/${LOCAL_KEY}/v1/code/sessions?x`;
  const own = await fetch(url, { headers: { authorization: OWN } });
  strictEqual(own.status, 200);
  await own.text();
  const [request] = origin.requests();
  strictEqual(headerOf(request?.headers ?? [], "authorization"), OWN);
  strictEqual(request?.target, "/v1/code/sessions?x");
  for (
    const headers of [{}, { authorization: `Bearer ${LOCAL_KEY}` }] as Record<
      string,
      string
    >[]
  ) {
    const refused = await fetch(url, { headers });
    strictEqual(refused.status, 403);
    await refused.text();
  }
  strictEqual(origin.requests().length, 1);
  await kit.isEmpty();
});

Deno.test("a relay that breaks off says whether the request was sent", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  origin.next({ cutAt: 0 });
  const response = await fetch(`${kit.url}/v1/oauth/token`, {
    method: "POST",
    headers: { "x-api-key": LOCAL_KEY },
    body: "{}",
  });
  strictEqual(response.status, 502);
  const { error } = await response.json();
  ok(error.message.includes("not sent again"), error.message);
  strictEqual(origin.requests().length, 1);
  await kit.isEmpty();
});

Deno.test("health checks and telemetry are answered here", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  const asked = [
    ["HEAD", "/api/hello"],
    ["GET", "/health"],
    ["POST", "/api/event_logging/v2/batch"],
  ] as const;
  for (const [method, path] of asked) {
    const response = await fetch(`${kit.url}${path}`, {
      method,
      headers: { "x-api-key": LOCAL_KEY },
      ...(method === "POST" ? { body: "x".repeat(100_000) } : {}),
    });
    strictEqual(response.status, 200, path);
    await response.text();
  }
  deepStrictEqual(origin.requests(), []);
  await kit.isEmpty();
});

Deno.test("answers without a body have none", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  const headers = { "x-api-key": LOCAL_KEY };
  for (const status of [204, 205, 304]) {
    origin.next({
      status,
      ...(status === 205 ? { body: "odd", framing: "close" } : {
        framing: "none",
      }),
    });
    const response = await fetch(`${kit.url}/v1/models`, { headers });
    strictEqual(response.status, status);
    strictEqual(await response.text(), "");
  }
  const path = `${kit.url}/v1/models`;
  const head = await fetch(path, { method: "HEAD", headers });
  strictEqual(head.status, 200);
  await kit.isEmpty();
});

/** What clients are told when the pool is spent for longer than a hold lasts. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { HOUR_MS } from "../../src/core/time.ts";
import { ask, labelOf, served } from "../fixtures/proxy_client.ts";
import { inMs, LOCAL_KEY, type ProxyKit } from "../fixtures/proxy_kit.ts";
import { Scene } from "../fixtures/proxy_scene.ts";
import { realClock } from "../fixtures/real_ports.ts";

const CLAUDE_CODE = "claude-cli/2.1.332 (external, cli)";
const LOGIN_MODE = {
  "user-agent": CLAUDE_CODE,
  "anthropic-beta": "claude-code-20250219,oauth-2025-04-20",
};

/** Spends the five-hour windows of a, b and c; `b` is back first. */
function spendAll(kit: ProxyKit): number {
  kit.spend("a", inMs(3 * HOUR_MS));
  const back = inMs(HOUR_MS);
  kit.spend("b", back);
  kit.spend("c", inMs(50 * HOUR_MS), "7d");
  return Math.ceil(back / 1_000);
}

for (const isStream of [true, false]) {
  Deno.test(`Claude Code in login mode gets the API's own limit answer (stream: ${isStream})`, async () => {
    await using scene = new Scene();
    const { kit } = scene;
    const resetSec = spendAll(kit);
    const startedMs = performance.now();
    const response = await ask(kit, { isStream, headers: LOGIN_MODE });
    ok(performance.now() - startedMs < 1_000, "it was held");
    strictEqual(response.status, 429);
    const prefix = "anthropic-ratelimit-unified-";
    const lines = Object.fromEntries(
      [...response.headers].filter(([name]) => name.startsWith(prefix))
        .map(([name, value]) => [name.slice(prefix.length), value]),
    );
    deepStrictEqual(lines, {
      "status": "rejected",
      "representative-claim": "five_hour",
      "reset": String(resetSec),
      "overage-status": "rejected",
      "5h-status": "rejected",
      "5h-utilization": "1",
      "5h-reset": String(resetSec),
    });
    const waitSec = Number(response.headers.get("retry-after"));
    ok(Math.abs(waitSec - 3_600) <= 2, `retry-after ${waitSec}`);
    strictEqual(response.headers.get("x-should-retry"), "false");
    ok(response.headers.get("request-id")?.startsWith("tc_"));
    const { error } = await response.json();
    strictEqual(error.type, "rate_limit_error");
    match(error.message, /^All 3 accounts are closed: .*a.*b.*c/);
    deepStrictEqual(scene.asked, []);
    strictEqual((await kit.settled(1))[0]?.reason, "all_closed");
    await kit.isEmpty();
  });
}

Deno.test("hold.beyond retry asks every client to try again", async () => {
  await using scene = new Scene({ hold: { beyond: "retry", maxMs: 200 } });
  spendAll(scene.kit);
  const response = await ask(scene.kit, { headers: LOGIN_MODE });
  strictEqual(response.status, 429);
  ok(Number(response.headers.get("retry-after")) <= 55);
  strictEqual(
    response.headers.get("anthropic-ratelimit-unified-status"),
    null,
  );
  await response.body?.cancel();
});

Deno.test("a program on the official SDK is refused at once and does not sleep", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  spendAll(kit);
  const client = new Anthropic({ apiKey: LOCAL_KEY, baseURL: kit.url });
  const startedMs = performance.now();
  const refusal = await client.messages.create({
    model: "claude-opus-5-5",
    max_tokens: 10,
    messages: [{ role: "user", content: "hi" }],
  }).then(() => null, (error) => error);
  ok(refusal instanceof Anthropic.RateLimitError, String(refusal));
  match(refusal.message, /b: 5h used up, back/);
  ok(performance.now() - startedMs < 3_000);
  strictEqual(kit.records.length, 1);
});

Deno.test("a throttle is not a used-up plan: no client gets a reset for it", async () => {
  await using scene = new Scene({ hold: { jsonMaxMs: 100 } });
  const { kit, origin } = scene;
  origin.always({
    status: 429,
    headers: [["retry-after", "30"]],
    body: '{"type":"error","error":{"type":"rate_limit_error","message":"x"}}',
  });
  const response = await ask(kit, { headers: LOGIN_MODE });
  strictEqual(response.status, 429);
  const waitSec = Number(response.headers.get("retry-after"));
  ok(waitSec > 20 && waitSec <= 30, `${waitSec}`);
  strictEqual(
    response.headers.get("anthropic-ratelimit-unified-status"),
    null,
  );
  await response.body?.cancel();
  await kit.isEmpty();
});

Deno.test("requests that wait for the same reset are admitted in steps", async () => {
  await using scene = new Scene({ accounts: ["a"], hold: { maxMs: 500 } });
  const { kit, origin } = scene;
  const resetMs = 2_000;
  kit.spend("a", inMs(resetMs));
  const sessions = Array.from(
    { length: 12 },
    (_, index) => `0000000${index % 10}-2222-4000-8000-0000000000${10 + index}`,
  );
  for (const session of sessions) {
    const told = await ask(kit, {
      isStream: true,
      session,
      headers: LOGIN_MODE,
    });
    strictEqual(told.status, 429);
    await told.body?.cancel();
  }
  strictEqual(origin.requests().length, 0);
  await realClock.sleep(resetMs + 100);
  origin.always((request) => {
    strictEqual(labelOf(request), "a");
    return { ...served(request), delayMs: 150 };
  });
  const startedMs = performance.now();
  await Promise.all(sessions.map(async (session) => {
    for (;;) {
      const response = await ask(kit, { isStream: true, session });
      const text = await response.text();
      if (text.includes("message_stop")) return;
      await realClock.sleep(100);
    }
  }));
  const [first, ...others] = origin.requests();
  // Each answer takes 150 ms: before the first one nearly nobody else came.
  const beside = others.filter(({ arrivedAtMs }) =>
    arrivedAtMs - (first?.arrivedAtMs ?? 0) < 140
  );
  ok(beside.length <= 1, `${beside.length} came beside the first`);
  strictEqual(origin.requests().length, sessions.length);
  ok(performance.now() - startedMs < 10_000);
  await kit.isEmpty();
});

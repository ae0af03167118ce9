/** Sub-agents that start together: one writes their shared prompt, once. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { ask, served } from "../fixtures/proxy_client.ts";
import { LOCAL_KEY } from "../fixtures/proxy_kit.ts";
import { Scene } from "../fixtures/proxy_scene.ts";

const SESSION = "00000001-4444-4000-8000-000000000000";

/** A sub-agent's first request, with tools and prompts of the real size. */
const BODY = JSON.stringify({
  model: "claude-opus-5-5",
  max_tokens: 100,
  stream: true,
  system: [{ type: "text", text: "You do what you are told. ".repeat(3_000) }],
  tools: [{ name: "Bash", input_schema: {} }],
  messages: [{ role: "user", content: "go on" }],
});

/** Starts a sub-agent of the session; returns the status of its answer. */
async function startAgent(scene: Scene, agent: string): Promise<number> {
  const response = await fetch(`${scene.kit.url}/v1/messages?beta=true`, {
    method: "POST",
    headers: {
      "x-api-key": LOCAL_KEY,
      "content-type": "application/json",
      "x-claude-code-session-id": SESSION,
      "x-claude-code-agent-id": agent,
    },
    body: BODY,
  });
  await response.text();
  return response.status;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

Deno.test("of three sub-agents that start at once two wait until the first one's answer begins", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  await (await ask(kit, { session: SESSION })).text();
  const before = origin.requests().length;
  origin.always((request) => ({ ...served(request), delayMs: 700 }));
  const agents = Promise.all(
    ["a1", "a2", "a3"].map((agent) => startAgent(scene, agent)),
  );
  await pause(400);
  strictEqual(origin.requests().length - before, 1);
  await pause(700);
  // Both of them at once, and on the account that has their prompt now.
  strictEqual(origin.requests().length - before, 3);
  deepStrictEqual(await agents, [200, 200, 200]);
  strictEqual(new Set(scene.asked.slice(before)).size, 1);
  // What is cached is waited for no longer.
  const late = ["a4", "a5"].map((agent) => startAgent(scene, agent));
  await pause(400);
  strictEqual(origin.requests().length - before, 5);
  deepStrictEqual(await Promise.all(late), [200, 200]);
  await kit.isEmpty();
});

Deno.test("nobody waits longer than four seconds for another sub-agent's answer", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  await (await ask(kit, { session: SESSION })).text();
  const before = origin.requests().length;
  let delayMs = 7_000;
  origin.always((request) => {
    const answer = { ...served(request), delayMs };
    delayMs = 0;
    return answer;
  });
  const startedMs = performance.now();
  const first = startAgent(scene, "a1");
  await pause(100);
  strictEqual(await startAgent(scene, "a2"), 200);
  const tookMs = performance.now() - startedMs;
  ok(tookMs > 3_500 && tookMs < 6_000, `${Math.round(tookMs)} ms`);
  strictEqual(origin.requests().length - before, 2);
  strictEqual(await first, 200);
  await kit.isEmpty();
});

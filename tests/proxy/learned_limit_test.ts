/** Limits that nobody stated: what one refusal may and may not do. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { ask, served } from "../fixtures/proxy_client.ts";
import { errorBody } from "../fixtures/proxy_kit.ts";
import { Scene } from "../fixtures/proxy_scene.ts";

Deno.test("one throttle in a quiet minute slows nobody down afterwards", async () => {
  await using scene = new Scene({
    accounts: ["a"],
    hold: { maxMs: 20_000, jsonMaxMs: 20_000 },
  });
  const { kit, origin } = scene;
  origin.next({
    status: 429,
    headers: [
      ["content-type", "application/json"],
      ["retry-after", "1"],
      ["anthropic-ratelimit-unified-5h-status", "allowed"],
      ["anthropic-ratelimit-unified-5h-utilization", "0.1"],
    ],
    body: errorBody("rate_limit_error", "slow down"),
  });
  origin.always((request) => ({ ...served(request), delayMs: 20 }));
  strictEqual((await (await ask(kit)).text()).length > 0, true);
  const startedMs = performance.now();
  const statuses = await Promise.all(
    Array.from({ length: 40 }, async (_, index) => {
      const session = `0000${10 + index}-3333-4000-8000-000000000000`;
      const response = await ask(kit, { session });
      await response.body?.cancel();
      return response.status;
    }),
  );
  deepStrictEqual(new Set(statuses), new Set([200]));
  ok(performance.now() - startedMs < 12_000);
  await kit.isEmpty();
});

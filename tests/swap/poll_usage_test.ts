/** Asking for usage while a login has to be renewed first. */

import { notStrictEqual, strictEqual } from "node:assert/strict";
import { JsonClient } from "../../src/auth/json_client.ts";
import { SECOND_MS } from "../../src/core/time.ts";
import type { Clock, Upstream } from "../../src/ports.ts";
import { pollUsage } from "../../src/swap/poll_usage.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { SwapKit } from "../fixtures/swap_kit.ts";
import { idOf, refreshTokenOf } from "../fixtures/vault_kit.ts";

const ANSWER_MS = 300;

/** Its patience of ten seconds ends at once. */
const HASTY: Clock = {
  now: () => realClock.now(),
  monotonicMs: () => realClock.monotonicMs(),
  sleep: (ms, signal) =>
    realClock.sleep(ms === 10 * SECOND_MS ? 10 : ms, signal),
};

function slow(upstream: Upstream): Upstream {
  return {
    async send(request) {
      const response = await upstream.send(request);
      if (request.target.endsWith("/oauth/token")) {
        await realClock.sleep(ANSWER_MS);
      }
      return response;
    },
  };
}

Deno.test("pollUsage() waits for a renewal that has used a token", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work");
  const before = await kit.ports.vault.update(idOf("work"), (entry) => ({
    ...entry,
    credential: { ...entry.credential, expiresAt: HASTY.now() } as never,
  }));
  const client = new JsonClient({
    upstream: slow(kit.upstream),
    clock: realClock,
    userAgent: "tc/test",
  });
  const records = await kit.ports.accounts();
  const [polled] = await pollUsage(records, {
    ...kit.ports,
    client,
    clock: HASTY,
  });
  strictEqual(polled?.kind, "unknown");
  // The command ends here, and its process with it.
  const after = refreshTokenOf(await kit.ports.vault.get(idOf("work")));
  notStrictEqual(after, refreshTokenOf(before));
});

Deno.test("pollUsage() does not wait for a renewal of somebody else", async () => {
  await using kit = await SwapKit.make();
  await kit.add("work");
  await kit.ports.vault.update(idOf("work"), (entry) => ({
    ...entry,
    credential: { ...entry.credential, expiresAt: HASTY.now() } as never,
  }));
  using _theirs = await kit.ports.locks.acquire(idOf("work"), { waitMs: 0 });
  const startMs = performance.now();
  const records = await kit.ports.accounts();
  const [polled] = await pollUsage(records, { ...kit.ports, clock: HASTY });
  strictEqual(polled?.kind, "unknown");
  strictEqual(performance.now() - startMs < 60 * SECOND_MS, true);
});

/** A warm cache is worth a wait, but no request fails for one. */

import { notStrictEqual, strictEqual } from "node:assert/strict";
import { ask, JSON_ANSWER, MESSAGE } from "../fixtures/proxy_client.ts";
import { errorBody, inMs } from "../fixtures/proxy_kit.ts";
import { Scene } from "../fixtures/proxy_scene.ts";
import type { OriginAnswer } from "../fixtures/origin_answer.ts";
import { query } from "../fixtures/pool.ts";

const SESSION = "5f2c91aa-0000-4000-8000-000000000001";

/** Its prompt is worth 100 seconds of waiting. */
const LARGE: OriginAnswer = {
  ...JSON_ANSWER,
  body: MESSAGE.replace('"input_tokens":25', '"input_tokens":100000'),
};

const THROTTLE: OriginAnswer = {
  status: 429,
  headers: [["content-type", "application/json"], ["retry-after", "30"]],
  body: errorBody("rate_limit_error"),
};

/** Asks once, so that the conversation is warm on its account; which it is. */
async function warmed({ kit, origin, asked }: Scene): Promise<string> {
  origin.next(LARGE);
  const response = await ask(kit, { session: SESSION });
  strictEqual(await response.text(), LARGE.body);
  await kit.settled(1);
  return kit.records[0]?.accountId ?? asked[0] ?? "";
}

Deno.test("a wait for the warm account ends at another account when the hold is over", async () => {
  for (const hold of [{ jsonMaxMs: 0 }, { jsonMaxMs: 200 }]) {
    await using scene = new Scene({ hold });
    const { kit } = scene;
    const home = await warmed(scene);
    const lease = kit.keeper.openLease(home as never, query());
    kit.keeper.judge(lease, {
      kind: "throttled",
      until: inMs(30_000),
      isStated: true,
    });
    lease.close(null);

    const response = await ask(kit, { session: SESSION });
    strictEqual(response.status, 200);
    await response.text();
    notStrictEqual(scene.asked.at(-1), home);
    await kit.isEmpty();
  }
});

Deno.test("a throttle beyond the limit of the hold is answered at once", async () => {
  await using scene = new Scene({ hold: { jsonMaxMs: 200, silentMs: 50 } });
  const { kit, origin } = scene;
  const home = await warmed(scene);
  origin.next(THROTTLE);
  const startedMs = performance.now();
  const response = await ask(kit, { session: SESSION });
  strictEqual(response.status, 200);
  await response.text();
  notStrictEqual(scene.asked.at(-1), home);
  strictEqual(performance.now() - startedMs < 20_000, true);
  await kit.isEmpty();
});

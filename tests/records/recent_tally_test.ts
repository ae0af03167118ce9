/** RecentTally: the last quarter and the last hour of each account. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { RecentTally } from "../../src/records/tally.ts";
import { instantFromMs } from "../../src/core/time.ts";
import { requestRecord } from "../fixtures/ledger_rows.ts";
import { accountId, NOW } from "../fixtures/pool.ts";

const MINUTE_MS = 60_000;

function ended(minutesAgo: number): ReturnType<typeof requestRecord> {
  return requestRecord({
    endedAt: instantFromMs(NOW - minutesAgo * MINUTE_MS),
  });
}

Deno.test("view() counts by the age of a request and forgets after an hour", () => {
  const tally = new RecentTally();
  for (const age of [90, 59, 30, 14, 1, 0]) tally.add(ended(age));
  deepStrictEqual(tally.view(accountId("work"), NOW), {
    requests15m: 3,
    requests1h: 5,
    hitRate1h: 0.9,
    tokens1h: 5 * 1_050,
  });
  strictEqual(
    tally.view(accountId("work"), NOW + 45 * MINUTE_MS).requests1h,
    3,
  );
});

Deno.test("view() of an idle account has no hit rate", () => {
  const tally = new RecentTally();
  tally.add(requestRecord({ path: "/v1/messages/count_tokens" }));
  tally.add(requestRecord({ accountId: null }));
  deepStrictEqual(tally.view(accountId("work"), NOW), {
    requests15m: 0,
    requests1h: 0,
    hitRate1h: null,
    tokens1h: 0,
  });
});

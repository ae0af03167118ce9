/** What a machine of a shared pool tells the others, and what is new to it. */

import { deepStrictEqual, rejects, strictEqual } from "node:assert/strict";
import type { AccountId } from "../../src/core/account.ts";
import type { PoolEvent } from "../../src/core/pool/event.ts";
import { reduce } from "../../src/core/pool/pool.ts";
import { after } from "../../src/core/time.ts";
import { PoolNews } from "../../src/server/shared/pool_news.ts";
import type { News } from "../../src/store/shared/knowledge.ts";
import {
  account,
  judged,
  NOW,
  opened,
  poolOf,
  quotaWindow,
} from "../fixtures/pool.ts";

const WORK = account("work");
const ID: AccountId = WORK.id;
const LATER = after(NOW, 60_000);

function seen(utilization: number, status: "allowed" | "rejected" = "allowed") {
  const window = quotaWindow("5h", utilization, { status });
  return {
    kind: "quota_observed",
    observation: {
      accountId: ID,
      at: NOW,
      source: "response_headers",
      windows: [window],
      overage: null,
    },
  } satisfies PoolEvent;
}

function noted(news: PoolNews, events: readonly PoolEvent[]) {
  let state = poolOf([{ account: WORK, windows: [] }]);
  const isUrgent = events.map((event) => {
    state = reduce(state, event);
    return news.note(event, state);
  });
  return { state, isUrgent };
}

const REFUSED = judged("l1", {
  kind: "throttled",
  until: LATER,
  isStated: true,
});

Deno.test("a refusal cannot wait for the next beat, figures can", () => {
  const { isUrgent } = noted(new PoolNews(), [
    seen(0.2),
    seen(0.9, "rejected"),
    opened("l1", "work"),
    REFUSED,
    judged("l1", { kind: "served" }),
  ]);
  deepStrictEqual(isUrgent, [false, true, false, true, false]);
});

Deno.test("what could not be told is told the next time, and then no more", async () => {
  const news = new PoolNews();
  const { state } = noted(news, [seen(0.2), opened("l1", "work"), REFUSED]);
  await rejects(news.telling(state, () => Promise.reject(new Error("away"))));
  strictEqual(news.isEmpty, false);
  const told: News[] = [];
  for (let count = 0; count < 2; count++) {
    await news.telling(state, (one) => {
      told.push(one);
      return Promise.resolve();
    });
  }
  deepStrictEqual(
    told.map(({ windows, refusals }) => [windows.length, refusals.length]),
    [[1, 1], [0, 0]],
  );
  strictEqual(news.isEmpty, true);
});

Deno.test("news of others is taken once, and refusals that are over are not", () => {
  const news = new PoolNews();
  const known: News = {
    windows: [{ accountId: ID, window: quotaWindow("5h", 0.4) }],
    refusals: [
      {
        accountId: ID,
        verdict: { kind: "throttled", until: LATER, isStated: true },
        at: NOW,
      },
    ],
  };
  const kinds = (at = NOW) => news.taken(known, at).map(({ kind }) => kind);
  deepStrictEqual(kinds(), ["quota_observed", "refused_elsewhere"]);
  deepStrictEqual(kinds(), []);
  deepStrictEqual(
    new PoolNews().taken(known, after(LATER, 1)).map(({ kind }) => kind),
    ["quota_observed"],
  );
});

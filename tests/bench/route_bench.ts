/**
 * What a routing decision costs: `deno bench tests/bench/route_bench.ts`.
 * The aim is 50 microseconds at p99 for 20 accounts and 500 conversations.
 */

import type { AccountId } from "../../src/core/account.ts";
import { reduce, snapshot } from "../../src/core/pool.ts";
import { route } from "../../src/core/route.ts";
import type { PoolState } from "../../src/core/state.ts";
import { after, type Instant } from "../../src/core/time.ts";
import {
  account,
  accountId,
  closed,
  conversationId,
  judged,
  NOW,
  opened,
  poolOf,
  query,
  quotaWindow,
} from "../fixtures/pool.ts";

const ACCOUNTS = 20;
const CONVERSATIONS = 500;

function nameOf(index: number): string {
  return `account${index}`;
}

/** The pool after each conversation has had two answers, five minutes back. */
function busyPool(): PoolState {
  let state = poolOf(Array.from({ length: ACCOUNTS }, (_, index) => ({
    account: account(nameOf(index)),
    windows: [
      quotaWindow("5h", (index * 4) / 100),
      quotaWindow("7d", (index * 3) / 100),
      quotaWindow("7d_oi", 0.2, { family: "fable" }),
    ],
  })));
  for (let index = 0; index < 2 * CONVERSATIONS; index++) {
    const lease = `l${index}`;
    const at = after(NOW, index * 100);
    const conversation = conversationId(`c${index % CONVERSATIONS}`);
    const facts = { conversation, contextTokens: 60_000 };
    for (
      const event of [
        opened(lease, nameOf(index % ACCOUNTS), facts, at),
        judged(lease, { kind: "served" }, at),
        ...(index % 10 === 0
          ? []
          : [closed(lease, { cacheWrite5m: 60_000, output: 500 }, at)]),
      ]
    ) state = reduce(state, event);
  }
  return state;
}

const POOL = busyPool();
const START = after(NOW, 2 * CONVERSATIONS * 100);
let calls = 0;

/** No two calls share an instant, or the census of the first would serve all. */
function nextInstant(): Instant {
  return after(START, calls++ % 60_000);
}

Deno.bench("snapshot() of 20 accounts and 500 conversations", () => {
  snapshot(POOL, nextInstant());
});

Deno.bench("route() of a warm conversation", () => {
  const conversation = conversationId(`c${calls % CONVERSATIONS}`);
  route(
    snapshot(POOL, nextInstant()),
    query({ conversation, contextTokens: 61_000 }),
  );
});

Deno.bench("route() of a new conversation", () => {
  const conversation = conversationId("new");
  route(snapshot(POOL, nextInstant()), query({ conversation }));
});

Deno.bench("reduce() of a lease opened, served and closed", () => {
  const at = nextInstant();
  const id: AccountId = accountId(nameOf(calls % ACCOUNTS));
  const facts = { conversation: conversationId(`c${calls % CONVERSATIONS}`) };
  let state = reduce(POOL, opened("bench", id, facts, at));
  state = reduce(state, judged("bench", { kind: "served" }, at));
  reduce(state, closed("bench", { cacheRead: 60_000 }, at));
});

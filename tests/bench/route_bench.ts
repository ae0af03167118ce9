/**
 * What a routing decision costs: `deno bench -A tests/bench/route_bench.ts`.
 * The percentiles hold the machine's own pauses; route_cost.ts parts the two.
 */

import type { AccountId } from "../../src/core/account.ts";
import { reduce, snapshot } from "../../src/core/pool/pool.ts";
import { route } from "../../src/core/route/route.ts";
import { after, type Instant } from "../../src/core/time.ts";
import {
  accountId,
  closed,
  conversationId,
  judged,
  opened,
  query,
} from "../fixtures/pool.ts";
import {
  ACCOUNTS,
  BUSY_UNTIL,
  busyPool,
  CONVERSATIONS,
  nameOf,
} from "./busy_pool.ts";

const POOL = busyPool();
let calls = 0;

/** No two calls share an instant, or the census of the first would serve all. */
function nextInstant(): Instant {
  return after(BUSY_UNTIL, calls++ % 60_000);
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

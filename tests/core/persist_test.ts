/** persisted() and restore(): what a restart keeps, and what it may not do. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import {
  persisted,
  type PersistedPool,
  restore,
} from "../../src/core/pool/persist.ts";
import { type PoolState, snapshot } from "../../src/core/pool/pool.ts";
import { route } from "../../src/core/route/route.ts";
import type { Instant } from "../../src/core/time.ts";
import {
  account,
  accountId,
  closed,
  conversationId,
  fold,
  inHours,
  inSeconds,
  judged,
  NOW,
  opened,
  poolOf,
  query,
  quotaWindow,
  servedOn,
  stateOf,
} from "../fixtures/pool.ts";

const TWO = [{ account: account("a") }, { account: account("b") }];

/** Through JSON, as a file or a database gives it back. */
function restarted(before: PoolState, at: Instant): PoolState {
  const text = JSON.stringify(persisted(before, at));
  const memory = JSON.parse(text) as PersistedPool;
  return restore(poolOf(TWO), memory, at);
}

Deno.test("restore() brings back the binding of a warm conversation", () => {
  const before = fold(poolOf(TWO), ...servedOn("b", "s1"));
  const state = restarted(before, inSeconds(30));
  const decision = route(
    snapshot(state, inSeconds(31)),
    query({ conversation: conversationId("s1") }),
  );
  deepStrictEqual(
    decision.kind === "use" && [decision.accountId, decision.reason],
    ["b", "bound"],
  );
});

Deno.test("restore() forgets a conversation whose cache is cold", () => {
  const before = fold(poolOf(TWO), ...servedOn("b", "s1"));
  strictEqual(restarted(before, inSeconds(301)).bindings.size, 0);
});

Deno.test("restore() keeps the pin and what was learned", () => {
  const before = fold(poolOf(TWO), ...servedOn("a", "s1"), {
    kind: "pinned",
    accountId: accountId("b"),
  });
  const state = restarted(before, inHours(1));
  strictEqual(state.pin, "b");
  deepStrictEqual(stateOf(state, "a").learned, stateOf(before, "a").learned);
  deepStrictEqual(stateOf(state, "a").burn, stateOf(before, "a").burn);
});

Deno.test("restore() lets no memory refuse traffic", () => {
  const spent = [quotaWindow("5h", 1, { status: "rejected" })];
  const windows = { a: spent, b: spent };
  const before = poolOf(
    TWO.map((one) => ({ ...one, windows: windows.a })),
  );
  strictEqual(route(snapshot(before, NOW), query()).kind, "wait");
  const state = restarted(before, inSeconds(5));
  strictEqual(route(snapshot(state, inSeconds(6)), query()).kind, "use");
});

Deno.test("restore() prefers the account with quota left over one said to be spent", () => {
  const before = poolOf([
    {
      account: account("a"),
      windows: [quotaWindow("5h", 1, { status: "rejected" })],
    },
    { account: account("b"), windows: [quotaWindow("5h", 0.6)] },
  ]);
  const state = restarted(before, inSeconds(5));
  const decision = route(snapshot(state, inSeconds(6)), query());
  strictEqual(decision.kind === "use" && decision.accountId, "b");
});

Deno.test("restore() keeps no bench", () => {
  const before = fold(
    poolOf(TWO),
    opened("l", "a"),
    judged("l", {
      kind: "exhausted",
      window: "7d",
      family: null,
      until: inHours(100),
    }),
    closed("l"),
  );
  const state = restarted(before, inSeconds(5));
  deepStrictEqual(stateOf(state, "a").bench, { kind: "available" });
});

Deno.test("restore() survives a clock that was set back", () => {
  const before = fold(
    poolOf([{ account: account("a"), windows: [quotaWindow("5h", 0.4)] }]),
    ...servedOn("a", "s1"),
  );
  const earlier = inHours(-3);
  const state = restarted(before, earlier);
  const window = stateOf(state, "a").windows["5h"];
  ok(window !== undefined && window.observedAt < earlier);
  ok((stateOf(state, "a").lastUsedAt ?? 0) <= earlier);
});

Deno.test("restore() drops what it knows of accounts that are gone", () => {
  const three = poolOf([...TWO, { account: account("c") }]);
  const before = fold(three, ...servedOn("c", "s1"), {
    kind: "pinned",
    accountId: accountId("c"),
  });
  const state = restarted(before, inSeconds(5));
  strictEqual(state.accounts.size, 2);
  strictEqual(state.bindings.size, 0);
  strictEqual(state.pin, null);
});

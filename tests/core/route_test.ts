/** route(): decisions with the answer written by hand. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import {
  type PoolEvent,
  type PoolState,
  snapshot,
} from "../../src/core/pool/pool.ts";
import {
  route,
  type RouteDecision,
  type RouteQuery,
} from "../../src/core/route/route.ts";
import type { QuotaSource } from "../../src/core/quota/quota.ts";
import type { Instant } from "../../src/core/time.ts";
import type { CapacityVerdict } from "../../src/core/quota/verdict.ts";
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
  patch,
  poolOf,
  query,
  quotaWindow,
  servedOn,
  ticketId,
} from "../fixtures/pool.ts";

function decide(
  state: PoolState,
  parts: Partial<RouteQuery> = {},
  at: Instant = NOW,
): RouteDecision {
  return route(snapshot(state, at), query(parts));
}

/** `use a: new`, `wait closed 300s`, `refuse no_account`. */
function words(decision: RouteDecision, at: Instant = NOW): string {
  switch (decision.kind) {
    case "use":
      return `use ${decision.accountId}: ${decision.reason}`;
    case "wait": {
      const seconds = decision.until === null
        ? "?"
        : (decision.until - at) / 1_000;
      return `wait ${decision.reason} ${seconds}s`;
    }
    case "refuse":
      return `refuse ${decision.reason}`;
  }
}

function spent(hours: number): CapacityVerdict {
  return {
    kind: "exhausted",
    window: "5h",
    family: null,
    until: inHours(hours),
  };
}

function refusal(lease: string, name: string, verdict: CapacityVerdict) {
  return [opened(lease, name), judged(lease, verdict), closed(lease)];
}

const S1 = { conversation: conversationId("s1") };
const TWO = [{ account: account("a") }, { account: account("b") }];

Deno.test("route() refuses without accounts", () => {
  strictEqual(words(decide(poolOf([]))), "refuse no_account");
});

Deno.test("route() refuses when every account needs a person", () => {
  const pool = fold(
    poolOf([
      { account: account("a", { enabled: false }) },
      { account: account("b") },
    ]),
    {
      kind: "credential_changed",
      accountId: accountId("b"),
      credential: { kind: "needs_login", since: NOW, reason: "invalid_grant" },
    },
  );
  const decision = decide(pool);
  strictEqual(words(decision), "refuse none_usable");
  deepStrictEqual(
    decision.considered.map((one) => one.ineligible),
    ["disabled", "needs_login"],
  );
});

Deno.test("route() keeps a warm conversation on its account", () => {
  const pool = fold(poolOf(TWO), ...servedOn("b", "s1"));
  strictEqual(words(decide(pool, S1)), "use b: bound");
});

Deno.test("route() keeps a warm conversation although its account is fuller", () => {
  const pool = fold(
    poolOf([
      { account: account("a"), windows: [quotaWindow("5h", 0.1)] },
      { account: account("b"), windows: [quotaWindow("5h", 0.9)] },
    ]),
    ...servedOn("b", "s1"),
  );
  strictEqual(words(decide(pool, S1)), "use b: bound");
  const cold = inSeconds(301);
  const later = decide(pool, { ...S1, contextTokens: 100_000 }, cold);
  strictEqual(words(later, cold), "use a: moved");
});

Deno.test("route() keeps a warm conversation on an account that reads full until it refuses", () => {
  const pool = fold(
    poolOf([
      { account: account("a"), windows: [quotaWindow("5h", 0.1)] },
      { account: account("b"), windows: [quotaWindow("5h", 1)] },
    ]),
    ...servedOn("b", "s1"),
  );
  strictEqual(words(decide(pool, S1)), "use b: bound");
  strictEqual(words(decide(pool)), "use a: new");
  const cold = inSeconds(301);
  strictEqual(words(decide(pool, S1, cold), cold), "use a: moved");
  const refused = fold(pool, ...refusal("l", "b", spent(2)));
  strictEqual(words(decide(refused, S1)), "use a: moved");
});

Deno.test("route() leaves an account that reads full where paid usage would follow", () => {
  const pool = fold(
    poolOf([
      { account: account("a") },
      { account: account("b"), windows: [quotaWindow("5h", 1)] },
    ]),
    ...servedOn("b", "s1"),
  );
  const paying = patch(pool, "b", (before) => ({
    ...before,
    overage: { status: "allowed", isInUse: false },
  }));
  strictEqual(words(decide(paying, S1)), "use a: moved");
});

Deno.test("route() leaves an account that read full before a restart", () => {
  const pool = fold(
    poolOf([
      { account: account("a") },
      { account: account("b"), windows: [quotaWindow("5h", 1)] },
    ]),
    ...servedOn("b", "s1"),
  );
  const restored = patch(pool, "b", (before) => ({
    ...before,
    restoredAt: inSeconds(1),
  }));
  const at = inSeconds(2);
  strictEqual(words(decide(restored, S1, at), at), "use a: moved");
});

Deno.test("route() moves a conversation whose account is spent, before any byte", () => {
  const pool = fold(
    poolOf(TWO),
    ...servedOn("b", "s1"),
    ...refusal("l", "b", spent(2)),
  );
  const decision = decide(pool, S1);
  strictEqual(words(decision), "use a: moved");
  strictEqual(decision.kind === "use" && decision.movedFrom, "b");
});

Deno.test("route() waits a moment for a throttled account with a large cache", () => {
  const pool = fold(
    poolOf(TWO),
    ...servedOn("b", "s1", { tokens: 100_000 }),
    ...refusal("l", "b", {
      kind: "throttled",
      until: inSeconds(40),
      isStated: true,
    }),
  );
  const large = { ...S1, contextTokens: 100_000 };
  strictEqual(words(decide(pool, large)), "wait warm_account 40s");
  strictEqual(
    words(decide(pool, { ...large, waitedMs: 70_000 })),
    "use a: moved",
  );
});

Deno.test("route() waits until the first reset when all are spent", () => {
  const pool = fold(
    poolOf(TWO),
    ...refusal("l1", "a", spent(2)),
    ...refusal("l2", "b", spent(1)),
  );
  const decision = decide(pool, S1);
  // The first trial may be made a minute after the last refusal.
  strictEqual(words(decision), "wait closed 60s");
  deepStrictEqual(
    decision.considered.map(({ ineligible, until }) => [ineligible, until]),
    [["exhausted", inHours(2)], ["exhausted", inHours(1)]],
  );
});

Deno.test("route() tries a closed pool with one request a minute", () => {
  const pool = fold(
    poolOf(TWO),
    ...refusal("l1", "a", spent(2)),
    ...refusal("l2", "b", spent(1)),
  );
  const minute = inSeconds(60);
  strictEqual(words(decide(pool, S1, minute), minute), "use a: probe");
  const trying = fold(pool, opened("p", "a", S1, minute));
  strictEqual(words(decide(trying, S1, minute), minute), "wait closed 15s");
});

Deno.test("route() makes no trial while the provider's figures state the same reset", () => {
  const endsAt = inHours(2);
  function pool(minutes: number, source: QuotaSource, resetsAt = endsAt) {
    return fold(
      poolOf([{ account: account("a") }]),
      ...refusal("l", "a", spent(2)),
      {
        kind: "quota_observed",
        observation: {
          accountId: accountId("a"),
          at: inSeconds(60 * minutes),
          source,
          overage: null,
          windows: [quotaWindow("5h", 1, {
            source,
            observedAt: inSeconds(60 * minutes),
            status: source === "usage_endpoint" ? null : "rejected",
            resetsAt,
          })],
        },
      },
    );
  }
  function at(state: PoolState, minutes: number): string {
    return decide(state, S1, inSeconds(60 * minutes)).kind;
  }
  for (const source of ["usage_endpoint", "response_headers"] as const) {
    // The figure is a quarter of an hour younger than the refusal.
    strictEqual(at(pool(15, source), 44), "wait");
    strictEqual(at(pool(15, source), 45), "use");
  }
  // A figure that says something else is a reason to try.
  strictEqual(at(pool(0, "response_headers", inHours(1)), 2), "use");
  const open = pool(15, "usage_endpoint");
  const other = fold(open, {
    kind: "quota_observed",
    observation: {
      accountId: accountId("a"),
      at: inSeconds(1_200),
      source: "usage_endpoint",
      overage: null,
      windows: [quotaWindow("5h", 0.02, {
        source: "usage_endpoint",
        observedAt: inSeconds(1_200),
        resetsAt: inHours(6),
      })],
    },
  });
  strictEqual(at(other, 20), "use");
});

Deno.test("route() tries one of several closed accounts in half an hour, the longest untried first", () => {
  const closedUntil = inHours(4);
  function refusedAt(minutes: number, lease: string, id: string): PoolEvent[] {
    const at = inSeconds(60 * minutes);
    const observedAt = at;
    return [
      opened(lease, id, {}, at),
      {
        kind: "quota_observed",
        observation: {
          accountId: accountId(id),
          at,
          source: "response_headers",
          overage: null,
          windows: [quotaWindow("5h", 1, {
            source: "response_headers",
            status: "rejected",
            observedAt,
            resetsAt: closedUntil,
          })],
        },
      },
      judged(lease, spent(4), at),
      closed(lease, null, at),
    ];
  }
  const pool = fold(
    poolOf(TWO),
    ...refusedAt(0, "l1", "a"),
    ...refusedAt(20, "l2", "b"),
  );
  function at(state: PoolState, minutes: number): string {
    return words(decide(state, S1, inSeconds(60 * minutes))).slice(0, 12);
  }
  // What `b` answered at 20 minutes counts for `a` as well.
  strictEqual(at(pool, 49).slice(0, 4), "wait");
  strictEqual(at(pool, 50), "use a: probe");
  const tried = fold(pool, ...refusedAt(50, "l3", "a"));
  strictEqual(at(tried, 79).slice(0, 4), "wait");
  strictEqual(at(tried, 80), "use b: probe");
});

Deno.test("route() bars one model family alone", () => {
  const fable = { ...S1, families: ["fable"] };
  const pool = fold(
    poolOf([{ account: account("a") }]),
    ...refusal("l", "a", {
      kind: "exhausted",
      window: "7d_oi",
      family: "fable",
      until: inHours(30),
    }),
  );
  strictEqual(words(decide(pool, S1)), "use a: new");
  const decision = decide(pool, fable);
  strictEqual(decision.kind, "wait");
  strictEqual(decision.considered[0]?.ineligible, "family_exhausted");
  // An advisor of that family counts as well.
  const advised = { ...S1, families: ["opus", "fable"] };
  strictEqual(decide(pool, advised).kind, "wait");
});

Deno.test("route() sends one trial to an account that has not answered yet", () => {
  const pool = poolOf([{ account: account("a"), isProven: false }]);
  strictEqual(words(decide(pool)), "use a: new");
  const trying = fold(pool, opened("l", "a"));
  strictEqual(words(decide(trying)), "wait full 20s");
  strictEqual(decide(trying).considered[0]?.ineligible, "probation");
  const proven = fold(trying, judged("l", { kind: "served" }));
  strictEqual(words(decide(proven)), "use a: new");
});

Deno.test("route() uses a key only where no subscription is back soon", () => {
  const pool = poolOf([
    { account: account("sub") },
    { account: account("key", { kind: "api_key" }) },
  ]);
  strictEqual(words(decide(pool)), "use sub: new");
  const soon = fold(pool, ...refusal("l", "sub", spent(0.03)));
  strictEqual(words(decide(soon)), "wait closed 108s");
  const late = fold(pool, ...refusal("l", "sub", spent(2)));
  strictEqual(words(decide(late)), "use key: last_resort");
});

Deno.test("route() leaves the key as soon as a subscription may serve", () => {
  const pool = fold(
    poolOf([
      { account: account("sub") },
      { account: account("key", { kind: "api_key" }) },
    ]),
    ...servedOn("key", "s1"),
  );
  strictEqual(words(decide(pool, S1)), "use sub: moved");
});

Deno.test("route() does not let a pool of keys wait", () => {
  const pool = poolOf([{ account: account("key", { kind: "api_key" }) }]);
  strictEqual(words(decide(pool)), "use key: new");
});

Deno.test("route() takes a backend last of all", () => {
  const pool = fold(
    poolOf([
      { account: account("key", { kind: "api_key" }) },
      { account: account("other", { kind: "backend" }) },
    ]),
    ...refusal("l", "key", spent(2)),
  );
  strictEqual(words(decide(pool)), "use other: last_resort");
});

Deno.test("route() goes to the pin, spills and returns", () => {
  const pinned = fold(
    poolOf(TWO),
    ...servedOn("a", "s1"),
    { kind: "pinned", accountId: accountId("b") },
  );
  strictEqual(words(decide(pinned, S1)), "use b: pinned");
  const spilled = fold(pinned, ...refusal("l", "b", spent(1)));
  strictEqual(words(decide(spilled, S1)), "use a: bound");
  const back = inHours(1.1);
  strictEqual(words(decide(spilled, S1, back), back), "use b: pinned");
});

Deno.test("route() uses the one account that was asked for", () => {
  const pool = poolOf(TWO);
  const only = { only: accountId("b") };
  strictEqual(words(decide(pool, only)), "use b: only");
  const spentB = fold(pool, ...refusal("l", "b", spent(1)));
  strictEqual(decide(spentB, only).kind, "wait");
});

Deno.test("route() asks in the user's order before any score", () => {
  const pool = poolOf([
    {
      account: account("first", { priority: 0 }),
      windows: [quotaWindow("5h", 0.9)],
    },
    { account: account("second", { priority: 1 }) },
  ]);
  strictEqual(words(decide(pool)), "use first: new");
});

Deno.test("route() lets nobody overtake those who wait", () => {
  const one = { account: account("a", { leasesMax: 1 }), leases: 1 };
  let pool = poolOf([one]);
  const first = { ...S1, ticket: ticketId("t1") };
  strictEqual(words(decide(pool, first)), "wait full 20s");
  pool = fold(pool, {
    kind: "waiting_changed",
    ticket: ticketId("t1"),
    query: query(S1),
    only: null,
    reason: "full",
    at: NOW,
  });
  pool = patch(pool, "a", (before) => ({ ...before, leases: 0 }));
  const newcomer = { conversation: conversationId("s2") };
  strictEqual(words(decide(pool, newcomer)), "wait full 20s");
  strictEqual(words(decide(pool, first)), "use a: new");
});

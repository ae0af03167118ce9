/** Each policy on the cases of the program that it comes from, by hand. */

import { strictEqual } from "node:assert/strict";
import type { PolicyName } from "../../../src/core/settings.ts";
import { snapshot } from "../../../src/core/pool/pool.ts";
import { route } from "../../../src/core/route/route.ts";
import type { PoolState } from "../../../src/core/pool/state.ts";
import {
  account,
  conversationId,
  fold,
  inHours,
  inSeconds,
  type Known,
  NOW,
  poolOf,
  query,
  quotaWindow,
  servedOn,
} from "../../fixtures/pool.ts";
import type { RouteQuery } from "../../../src/core/facts.ts";

const FIVE_DAYS = 120;

/** An account with its spent parts and the hours to its weekly reset. */
function known(
  name: string,
  fiveHour: number | null,
  week: number | null,
  parts: Partial<Known> & { readonly hours?: number } = {},
): Known {
  const { hours = FIVE_DAYS, ...rest } = parts;
  const windows = [
    ...(fiveHour === null ? [] : [quotaWindow("5h", fiveHour)]),
    ...(week === null
      ? []
      : [quotaWindow("7d", week, { resetsAt: inHours(hours) })]),
  ];
  return { account: account(name), windows, ...rest };
}

/** The account that a new conversation gets, or what else happens. */
function pick(
  state: PoolState,
  parts: Partial<RouteQuery> = { conversation: conversationId("new") },
  at = NOW,
): string {
  const decision = route(snapshot(state, at), query(parts));
  return decision.kind === "use" ? decision.accountId : decision.kind;
}

function pool(policy: PolicyName, ...accounts: readonly Known[]): PoolState {
  return poolOf(accounts, { policy });
}

const S1 = { conversation: conversationId("s1") };

Deno.test("pace picks the account furthest behind its weekly line", () => {
  const state = pool(
    "pace",
    known("a", 0.1, 0.3),
    known("b", 0.1, 0.05),
    known("c", 0.1, 0.2),
  );
  strictEqual(pick(state), "b");
});

Deno.test("pace leaves out an account past the soft ceiling", () => {
  const state = pool(
    "pace",
    known("a", 0.1, 0.3),
    known("b", 0.95, 0.05),
    known("c", 0.1, 0.15),
  );
  strictEqual(pick(state), "c");
});

Deno.test("pace picks by the line where all are past the ceiling", () => {
  const state = pool(
    "pace",
    known("a", 0.95, 0.3),
    known("b", 0.95, 0.05),
    known("c", 0.95, 0.2),
  );
  strictEqual(pick(state), "b");
});

Deno.test("pace spends first what a reset is about to take", () => {
  const state = pool(
    "pace",
    known("a", 0.1, 0),
    known("b", 0.1, 0.8, { hours: 6 }),
  );
  strictEqual(pick(state), "b");
});

Deno.test("pace moves a warm session far over the line, and no other", () => {
  const far = pool("pace", known("a", 0.1, 0.5), known("b", 0.1, 0.05));
  strictEqual(pick(fold(far, ...servedOn("a", "s1")), S1), "b");
  const near = pool("pace", known("a", 0.1, 0.32), known("b", 0.1, 0.05));
  strictEqual(pick(fold(near, ...servedOn("a", "s1")), S1), "a");
});

Deno.test("pace picks anew once a session is cold for five minutes", () => {
  const state = fold(
    pool("pace", known("a", 0.1, 0.32), known("b", 0.1, 0.05)),
    ...servedOn("a", "s1", { ttlMs: 3_600_000 }),
  );
  strictEqual(pick(state, S1, inSeconds(299)), "a");
  strictEqual(pick(state, S1, inSeconds(300)), "b");
});

Deno.test("pace without figures picks the least in flight", () => {
  const state = pool(
    "pace",
    known("a", null, null, { leases: 2 }),
    known("b", null, null, { leases: 1 }),
    known("c", null, null, { leases: 3 }),
  );
  strictEqual(pick(state), "b");
});

Deno.test("pace spreads warm sessions over equal accounts", () => {
  const state = fold(
    pool(
      "pace",
      known("a", 0.1, 0.1),
      known("b", 0.1, 0.1),
      known("c", 0.1, 0.1),
    ),
    ...servedOn("a", "s1"),
    ...servedOn("a", "s2"),
    ...servedOn("b", "s3"),
  );
  strictEqual(pick(state), "c");
});

Deno.test("pace gives an account on trial one request at a time", () => {
  const state = pool(
    "pace",
    known("a", 0.1, 0, { isProven: false, leases: 1 }),
    known("b", 0.1, 0.25),
  );
  strictEqual(pick(state), "b");
});

Deno.test("pace gives an account in the warn band one request at a time", () => {
  const state = pool(
    "pace",
    known("a", 0.8, 0, { leases: 1 }),
    known("b", 0.1, 0.25),
  );
  strictEqual(pick(state), "b");
});

Deno.test("pace gives an account seven warm sessions at most", () => {
  let state = pool("pace", known("a", 0.1, 0), known("b", 0.1, 0.25));
  for (let number = 0; number < 7; number++) {
    state = fold(state, ...servedOn("a", `s${number}`));
  }
  strictEqual(pick(state), "b");
});

Deno.test("balance picks the idlest of equals, by weight in flight", () => {
  const state = pool(
    "balance",
    known("a", 0.1, 0.1, { leases: 2 }),
    known("b", 0.1, 0.1),
    known("c", 0.1, 0.1, { leases: 1 }),
  );
  strictEqual(pick(state), "b");
});

Deno.test("balance leaves a critical week alone while another serves", () => {
  const state = pool(
    "balance",
    known("a", 0, 0.96),
    known("b", 0.5, 0.6, { leases: 3 }),
  );
  strictEqual(pick(state), "b");
  // Alone it serves on: the provider refused nothing.
  strictEqual(pick(pool("balance", known("a", 0, 0.96))), "a");
});

Deno.test("balance keeps a session unless its account is hot and another far better", () => {
  const cool = fold(
    pool("balance", known("a", 0.8, 0.5), known("b", 0, 0)),
    ...servedOn("a", "s1"),
  );
  strictEqual(pick(cool, S1), "a");
  const hot = fold(
    pool("balance", known("a", 0.95, 0.96), known("b", 0, 0)),
    ...servedOn("a", "s1"),
  );
  strictEqual(pick(hot, S1), "b");
});

Deno.test("cache-first puts new sessions where the prefix is warm", () => {
  const state = fold(
    pool("cache-first", known("a", 0.1, 0.1), known("b", 0.6, 0.1)),
    ...servedOn("b", "s1"),
  );
  strictEqual(pick(state), "b");
});

Deno.test("cache-first starts on the lowest five-hour figure, then the week", () => {
  strictEqual(
    pick(pool("cache-first", known("a", 0.2, 0), known("b", 0.1, 0.5))),
    "b",
  );
  strictEqual(
    pick(pool("cache-first", known("a", 0.1, 0.5), known("b", 0.104, 0.2))),
    "b",
  );
});

Deno.test("cache-first leaves an armed account at the next compaction only", () => {
  const armed = fold(
    pool("cache-first", known("a", 0.985, 0.1), known("b", 0.2, 0.1)),
    ...servedOn("a", "s1", { tokens: 120_000 }),
  );
  strictEqual(pick(armed, { ...S1, contextTokens: 121_000 }), "a");
  strictEqual(pick(armed, { ...S1, contextTokens: 30_000 }), "b");
  const calm = fold(
    pool("cache-first", known("a", 0.9, 0.1), known("b", 0.2, 0.1)),
    ...servedOn("a", "s1", { tokens: 120_000 }),
  );
  strictEqual(pick(calm, { ...S1, contextTokens: 30_000 }), "a");
});

Deno.test("cache-first leaves at the ceiling without waiting", () => {
  const state = fold(
    pool("cache-first", known("a", 0.996, 0.1), known("b", 0.9, 0.1)),
    ...servedOn("a", "s1"),
  );
  strictEqual(pick(state, S1), "b");
});

Deno.test("least-used stays below its threshold, then takes the emptiest", () => {
  const low = fold(
    pool("least-used", known("a", 0.79, 0.1), known("b", 0.1, 0.1)),
    ...servedOn("a", "s1"),
  );
  strictEqual(pick(low), "a");
  const high = fold(
    pool(
      "least-used",
      known("a", 0.8, 0.1),
      known("b", 0.2, 0.7),
      known("c", 0.6, 0.1),
    ),
    ...servedOn("a", "s1"),
  );
  strictEqual(pick(high), "c");
  // A turn under way stays where it is; the next prompt goes along.
  strictEqual(pick(high, S1), "a");
  strictEqual(pick(high, { ...S1, isPrompt: true }), "c");
});

Deno.test("scored weighs burst, rolling and sessions", () => {
  // a: 0.7 * 50 + 0.3 * 90 = 62; b: 0.7 * 60 + 0.3 * 60 = 60.
  const state = pool("scored", known("a", 0.5, 0.1), known("b", 0.4, 0.4));
  strictEqual(pick(state), "a");
  // Two sessions cost four points: 58 against 60.
  const busy = fold(state, ...servedOn("a", "s1"), ...servedOn("a", "s2"));
  strictEqual(pick(busy), "b");
  strictEqual(pick(busy, S1), "a");
});

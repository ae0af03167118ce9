/** Sub-agents that start together, and the prompt that they share. */

import { strictEqual } from "node:assert/strict";
import { type PoolState, snapshot } from "../../src/core/pool/pool.ts";
import { route } from "../../src/core/route/route.ts";
import type { RouteQuery } from "../../src/core/route/route.ts";
import type { PolicyName } from "../../src/core/settings.ts";
import type { Instant } from "../../src/core/time.ts";
import {
  account,
  closed,
  conversationId,
  fold,
  inSeconds,
  judged,
  opened,
  poolOf,
  query,
  servedOn,
} from "../fixtures/pool.ts";

const MAIN = conversationId("main");

function agent(name: string): Partial<RouteQuery> {
  return {
    conversation: conversationId(name),
    parent: MAIN,
    contextTokens: 24_000,
  };
}

/** Where the sub-agent goes at `at`, or what it waits for. */
function decided(
  pool: PoolState,
  at: Instant,
  parts: Partial<RouteQuery> = agent("second"),
): string {
  const decision = route(snapshot(pool, at), query(parts));
  switch (decision.kind) {
    case "use":
      return `use ${decision.accountId}`;
    case "wait": {
      const seconds = ((decision.until ?? at) - at) / 1_000;
      return `wait ${decision.reason} ${seconds}s`;
    }
    case "refuse":
      return decision.reason;
  }
}

function twoAccounts(policy: PolicyName = "price"): PoolState {
  return fold(
    poolOf(
      ["a", "b"].map((name) => ({ account: account(name) })),
      { policy },
    ),
    ...servedOn("a", "main"),
  );
}

/** A pool in which one sub-agent started on `a` at one second. */
const STARTED = fold(
  twoAccounts(),
  opened("l1", "a", agent("first"), inSeconds(1)),
);

Deno.test("a sub-agent waits while another one writes the prompt that they share", () => {
  strictEqual(decided(STARTED, inSeconds(2)), "wait shared_prompt 3s");
  // After four seconds it goes all the same.
  strictEqual(decided(STARTED, inSeconds(5)), "use a");
  const begun = fold(STARTED, judged("l1", { kind: "served" }, inSeconds(3)));
  strictEqual(decided(begun, inSeconds(3)), "use a");
});

Deno.test("a sub-agent that was refused is waited for no longer", () => {
  const failed = fold(
    STARTED,
    judged("l1", { kind: "failed", status: 500 }, inSeconds(2)),
    closed("l1", null, inSeconds(2)),
  );
  strictEqual(decided(failed, inSeconds(2)), "use a");
});

Deno.test("nobody else waits for the prompt of sub-agents", () => {
  const at = inSeconds(2);
  const main = { ...agent("other"), parent: null };
  strictEqual(decided(STARTED, at, main).slice(0, 3), "use");
  const haiku = { ...agent("second"), families: ["haiku"] };
  strictEqual(decided(STARTED, at, haiku).slice(0, 3), "use");
  const side = { ...agent("second"), isSide: true };
  strictEqual(decided(STARTED, at, side).slice(0, 3), "use");
  // Its second request has a cache of its own.
  const known = fold(
    STARTED,
    judged("l1", { kind: "served" }, at),
    closed("l1", { cacheWrite5m: 24_000 }, inSeconds(4)),
  );
  strictEqual(decided(known, inSeconds(4), agent("first")), "use a");
  // A request that has waited enough for other things goes at once.
  const late = { ...agent("second"), waitedMs: 4_000 };
  strictEqual(decided(STARTED, at, late), "use a");
});

Deno.test("where the prompt proves not to be shared, nobody waits for it, until it is again", () => {
  let pool = STARTED;
  let second = 2;
  function start(name: string, cacheRead: number): void {
    const at = inSeconds(second++);
    pool = fold(
      pool,
      opened(name, "a", agent(name), at),
      judged(name, { kind: "served" }, at),
      closed(name, { cacheRead, cacheWrite5m: 24_000 - cacheRead }, at),
    );
  }
  // The first one writes; the next three find nothing.
  for (const name of ["w", "x", "y", "z"]) start(name, 0);
  const later = 10 * 60;
  const again = fold(pool, opened("l2", "a", agent("n1"), inSeconds(later)));
  strictEqual(decided(again, inSeconds(later + 1)).slice(0, 3), "use");
  start("found", 20_000);
  const shared = fold(pool, opened("l2", "a", agent("n1"), inSeconds(later)));
  strictEqual(
    decided(shared, inSeconds(later + 1)),
    "wait shared_prompt 3s",
  );
});

Deno.test("only the policy that prices sub-agents lets them wait", () => {
  const pool = fold(
    twoAccounts("scored"),
    opened("l1", "a", agent("first"), inSeconds(1)),
  );
  strictEqual(decided(pool, inSeconds(2)).slice(0, 3), "use");
});

/**
 * The wall clock is set back by hours while the server runs: a machine that
 * took its local time for UTC and was corrected. What was noted before must
 * not count as the future.
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { PoolState } from "../../src/core/pool.ts";
import { snapshot } from "../../src/core/pool.ts";
import { route } from "../../src/core/route.ts";
import { after, type Instant, MINUTE_MS } from "../../src/core/time.ts";
import {
  account,
  accountId,
  closed,
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
  stateOf,
} from "../fixtures/pool.ts";

/** What the clock showed before it was set back to {@linkcode NOW}. */
const WRONG = inHours(5);

function decisionAt(state: PoolState, at: Instant): string {
  const decision = route(snapshot(state, at), query());
  return decision.kind === "use" ? decision.reason : decision.kind;
}

Deno.test("a throttle noted by the wrong clock does not last for hours", () => {
  const until = inSeconds(5, WRONG);
  const state = fold(
    poolOf([{ account: account("a") }]),
    opened("1", "a", {}, WRONG),
    judged("1", { kind: "throttled", until, isStated: true }, WRONG),
    closed("1", null, WRONG),
  );
  strictEqual(decisionAt(state, WRONG), "wait");
  strictEqual(decisionAt(state, NOW), "new");
});

Deno.test("a spent account of the wrong clock is tried, and served again", () => {
  const until = after(WRONG, MINUTE_MS);
  const verdict = { kind: "exhausted", window: "5h", family: null, until };
  const state = fold(
    poolOf([{ account: account("a") }]),
    opened("1", "a", {}, WRONG),
    judged("1", { ...verdict, kind: "exhausted" }, WRONG),
    closed("1", null, WRONG),
  );
  strictEqual(decisionAt(state, NOW), "new");
  const tried = fold(
    state,
    opened("2", "a", {}, NOW),
    judged("2", { kind: "served" }, inSeconds(1)),
    closed("2", null, inSeconds(2)),
  );
  strictEqual(stateOf(tried, "a").bench.kind, "available");
});

Deno.test("starts of the wrong clock fill no minute after it", () => {
  let state = patch(poolOf([{ account: account("a") }]), "a", (before) => ({
    ...before,
    gate: { ...before.gate, perMinuteCap: 8 },
  }));
  for (let count = 0; count < 8; count++) {
    state = fold(
      state,
      opened(`${count}`, "a", {}, WRONG),
      judged(`${count}`, { kind: "served" }, WRONG),
      closed(`${count}`, null, WRONG),
    );
  }
  strictEqual(decisionAt(state, WRONG), "wait");
  strictEqual(decisionAt(state, NOW), "new");
  const next = fold(state, opened("next", "a", {}, NOW));
  deepStrictEqual(stateOf(next, "a").gate.starts, [NOW]);
});

Deno.test("figures of the wrong clock give way to newer ones", () => {
  const window = quotaWindow("5h", 1, {
    status: "rejected",
    resetsAt: inHours(6),
    observedAt: WRONG,
  });
  const state = poolOf([{ account: account("a"), windows: [window] }]);
  const seen = quotaWindow("5h", 0.2, {
    resetsAt: inHours(4),
    observedAt: NOW,
  });
  const { windows } = stateOf(
    fold(state, {
      kind: "quota_observed",
      observation: {
        accountId: accountId("a"),
        at: NOW,
        source: "response_headers",
        windows: [seen],
        overage: null,
      },
    }),
    "a",
  );
  strictEqual(windows["5h"]?.utilization, 0.2);
  strictEqual(windows["5h"]?.status, "allowed");
});

Deno.test("a throttle after the wrong clock is a lesson again", () => {
  const throttle = (at: Instant) =>
    ({ kind: "throttled", until: inSeconds(5, at), isStated: true }) as const;
  const state = fold(
    poolOf([{ account: account("a") }]),
    opened("1", "a", {}, WRONG),
    judged("1", throttle(WRONG), WRONG),
    closed("1", null, WRONG),
    opened("2", "a", {}, NOW),
    judged("2", throttle(NOW), inSeconds(1)),
  );
  const { gate, bench } = stateOf(state, "a");
  strictEqual(gate.streak, 2);
  strictEqual(gate.lastThrottledAt, inSeconds(1));
  ok(bench.kind === "benched" && bench.until === inSeconds(5));
});

Deno.test("a quarantine of the wrong clock does not last for hours", () => {
  const state = patch(poolOf([{ account: account("a") }]), "a", (before) => ({
    ...before,
    credential: {
      kind: "quarantined",
      fault: "oauth_refused",
      until: after(WRONG, 5 * MINUTE_MS),
    },
  }));
  strictEqual(decisionAt(state, WRONG), "wait");
  strictEqual(decisionAt(state, NOW), "new");
});

Deno.test("a trial is due although the last was made by the wrong clock", () => {
  const spent = quotaWindow("5h", 1, {
    status: "rejected",
    resetsAt: inHours(8),
    observedAt: NOW,
  });
  const state = patch(
    poolOf([{ account: account("a"), windows: [spent] }]),
    "a",
    (before) => ({ ...before, lastUsedAt: WRONG, lastProbedAt: WRONG }),
  );
  const later = after(NOW, 2 * MINUTE_MS);
  const stale = { ...state, lastProbedAt: WRONG };
  strictEqual(decisionAt(stale, later), "probe");
});

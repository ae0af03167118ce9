/** A clock that is set back moves what we dated, and nothing else. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { benchAt } from "../../src/core/quota/bench.ts";
import { reduce, snapshot } from "../../src/core/pool/pool.ts";
import { route } from "../../src/core/route/route.ts";
import { setBack } from "../../src/core/pool/set_back.ts";
import type { PoolState } from "../../src/core/pool/state.ts";
import {
  after,
  HOUR_MS,
  type Instant,
  SECOND_MS,
} from "../../src/core/time.ts";
import {
  account,
  closed,
  fold,
  inSeconds,
  judged,
  NOW,
  opened,
  patch,
  poolOf,
  query,
  quotaWindow,
} from "../fixtures/pool.ts";
import { histories, playHistory } from "../fixtures/random_pool.ts";
import { trials } from "../fixtures/trials.ts";

const BACK_MS = 8 * HOUR_MS;

function benchedPool() {
  const pool = poolOf([{
    account: account("work"),
    windows: [quotaWindow("5h", 0.4)],
  }]);
  const [[id, state] = []] = [...pool.accounts];
  ok(id !== undefined && state !== undefined);
  const until = after(NOW, 30 * SECOND_MS);
  const bench = {
    kind: "benched",
    since: NOW,
    until,
    reason: { kind: "throttled", streak: 1 },
  } as const;
  return {
    id,
    pool: { ...pool, accounts: new Map([[id, { ...state, bench }]]) },
  };
}

Deno.test("setBack() keeps a bench as long as it was meant", () => {
  const { id, pool } = benchedPool();
  const bench = setBack(pool, BACK_MS).accounts.get(id)?.bench;
  ok(bench !== undefined);
  const now = after(NOW, -BACK_MS);
  strictEqual(benchAt(bench, after(now, 29 * SECOND_MS)).kind, "benched");
  strictEqual(benchAt(bench, after(now, 31 * SECOND_MS)).kind, "probation");
});

Deno.test("setBack() lets the next statement of a window win", () => {
  const { id, pool } = benchedPool();
  // So small a step cannot be told by the figure's date alone.
  const backMs = 40 * SECOND_MS;
  const at = after(NOW, -backMs + SECOND_MS);
  const seen = { ...quotaWindow("5h", 0.7), observedAt: at };
  const observation = {
    accountId: id,
    at,
    source: "response_headers",
    windows: [seen],
    overage: null,
  } as const;
  const event = { kind: "quota_observed", observation } as const;
  const frozen = reduce(pool, event).accounts.get(id)?.windows["5h"];
  strictEqual(frozen?.utilization, 0.4);
  const moved = reduce(pool, { kind: "clock_set_back", byMs: backMs });
  const window = reduce(moved, event).accounts.get(id)?.windows["5h"];
  strictEqual(window?.utilization, 0.7);
});

Deno.test("setBack() leaves to the provider when a window refills", () => {
  const { id, pool } = benchedPool();
  const before = pool.accounts.get(id)?.windows["5h"]?.resetsAt;
  const after = setBack(pool, BACK_MS).accounts.get(id)?.windows["5h"];
  strictEqual(after?.resetsAt, before);
});

Deno.test("setBack() there and forward again changes no pool", () => {
  fc.assert(
    fc.property(histories, fc.integer({ min: 1, max: 1e9 }), (history, ms) => {
      const pool = playHistory(history);
      deepStrictEqual(setBack(setBack(pool, ms), -ms), setBack(pool, 0));
    }),
    { numRuns: trials(50, 2_000) },
  );
});

/** What the clock showed before it was set back to {@linkcode NOW}. */
const WRONG = after(NOW, BACK_MS);
const CLOCK_SET_BACK = { kind: "clock_set_back", byMs: BACK_MS } as const;

function decisionAt(state: PoolState, at: Instant): string {
  const decision = route(snapshot(state, at), query());
  return decision.kind === "use" ? decision.reason : decision.kind;
}

Deno.test("a throttle lasts its seconds across a clock that was set back", () => {
  const until = inSeconds(5, WRONG);
  const state = fold(
    poolOf([{ account: account("a") }]),
    opened("1", "a", {}, WRONG),
    judged("1", { kind: "throttled", until, isStated: true }, WRONG),
    closed("1", null, WRONG),
    CLOCK_SET_BACK,
  );
  strictEqual(decisionAt(state, inSeconds(4)), "wait");
  strictEqual(decisionAt(state, inSeconds(6)), "new");
});

Deno.test("starts fill their own minute across a clock that was set back", () => {
  let state = patch(poolOf([{ account: account("a") }]), "a", (before) => ({
    ...before,
    gate: {
      ...before.gate,
      perMinute: {
        level: 9,
        refusals: 2,
        trials: 0,
        limit: 8,
        since: WRONG,
        // Later than all that follows: the limit has not begun to open.
        refusedAt: inSeconds(120, WRONG),
      },
    },
  }));
  for (let count = 0; count < 8; count++) {
    state = fold(
      state,
      opened(`${count}`, "a", {}, WRONG),
      judged(`${count}`, { kind: "served" }, WRONG),
      closed(`${count}`, null, WRONG),
    );
  }
  state = fold(state, CLOCK_SET_BACK);
  strictEqual(decisionAt(state, inSeconds(59)), "wait");
  strictEqual(decisionAt(state, inSeconds(61)), "new");
});

Deno.test("a quarantine lasts its minutes across a clock that was set back", () => {
  const state = fold(
    patch(poolOf([{ account: account("a") }]), "a", (before) => ({
      ...before,
      credential: {
        kind: "quarantined",
        fault: "oauth_refused",
        reason: null,
        until: inSeconds(300, WRONG),
      },
    })),
    CLOCK_SET_BACK,
  );
  strictEqual(decisionAt(state, inSeconds(299)), "wait");
  strictEqual(decisionAt(state, inSeconds(301)), "new");
});

Deno.test("a trial is due in its time across a clock that was set back", () => {
  const spent = quotaWindow("5h", 1, {
    status: "rejected",
    resetsAt: inSeconds(8 * 3_600),
    observedAt: WRONG,
  });
  const state = fold(
    patch(
      poolOf([{ account: account("a"), windows: [spent] }]),
      "a",
      (before) => ({ ...before, lastUsedAt: WRONG, lastProbedAt: WRONG }),
    ),
    CLOCK_SET_BACK,
  );
  // The figure states the reset, so a trial is due half an hour after it.
  strictEqual(decisionAt(state, inSeconds(29 * 60)), "wait");
  strictEqual(decisionAt(state, inSeconds(31 * 60)), "probe");
});

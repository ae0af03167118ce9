/** What a machine knows of the other machines of its pool. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import {
  census,
  ownCounts,
  sumElsewhere,
} from "../../src/core/pool/headcount.ts";
import {
  emptyPool,
  type PoolEvent,
  type PoolState,
  reduce,
  snapshot,
} from "../../src/core/pool/pool.ts";
import { route } from "../../src/core/route/route.ts";
import { DEFAULT_ROUTE_SETTINGS } from "../../src/core/settings.ts";
import {
  account,
  accountId,
  conversationId,
  inSeconds,
  NOW,
  patch,
  query,
  ticketId,
} from "../fixtures/pool.ts";

const A = accountId("a");

function poolOf(...events: readonly PoolEvent[]): PoolState {
  const put = account("a", { leasesMax: 4 });
  return [
    { kind: "account_put", account: put, at: NOW } as const,
    ...events,
  ].reduce(reduce, emptyPool({ ...DEFAULT_ROUTE_SETTINGS }));
}

function elsewhere(inFlight: number, tokens = 0): PoolEvent {
  return {
    kind: "counted_elsewhere",
    accounts: new Map([[A, { inFlight, active: 2, warm: 1, tokens }]]),
    stalled: 3,
    at: NOW,
  };
}

function counts(booked: number, inFlight = 1) {
  return {
    accounts: { [A]: { inFlight, active: 2, warm: 1, booked } },
    stalled: 3,
  };
}

Deno.test("sumElsewhere() adds machines up, and counts each token once", () => {
  const x = { machine: "x", ...counts(100) };
  const y = { machine: "y", ...counts(50, 4) };
  const first = sumElsewhere([x, y], new Map());
  // Of a machine that was never heard, nothing is evidence yet.
  deepStrictEqual(first.accounts.get(A), {
    inFlight: 5,
    active: 4,
    warm: 2,
    tokens: 0,
  });
  strictEqual(first.stalled, 6);
  const second = sumElsewhere(
    [{ machine: "x", ...counts(130) }, y],
    first.booked,
  );
  strictEqual(second.accounts.get(A)?.tokens, 30);
  // A server that has started again counts from 0.
  const again = sumElsewhere([{ machine: "x", ...counts(7) }], second.booked);
  strictEqual(again.accounts.get(A)?.tokens, 7);
  // A machine that is silent has no requests in flight.
  strictEqual(sumElsewhere([], again.booked).accounts.size, 0);
});

Deno.test("a limit on requests in flight counts those of other machines", () => {
  const asked = query();
  const free = route(snapshot(poolOf(elsewhere(0)), NOW), asked);
  strictEqual(free.kind, "use");
  const full = route(snapshot(poolOf(elsewhere(4)), NOW), asked);
  strictEqual(full.kind, "wait");
  // The next word says that they are over.
  const over = poolOf(elsewhere(4), {
    kind: "counted_elsewhere",
    accounts: new Map(),
    stalled: 0,
    at: NOW,
  });
  strictEqual(route(snapshot(over, NOW), asked).kind, "use");
});

Deno.test("the census counts conversations of other machines, and what is told does not", () => {
  const now = snapshot(poolOf(elsewhere(1)), NOW);
  const { active, warm, stalled, byAccount } = census(now);
  deepStrictEqual({ active, warm, stalled }, {
    active: 2,
    warm: 1,
    stalled: 3,
  });
  strictEqual(byAccount.get(A)?.active, 2);
  deepStrictEqual(ownCounts(now), { accounts: {}, stalled: 0 });
});

Deno.test("tokens of other machines are evidence of an account's size", () => {
  const pool = poolOf(elsewhere(1, 5_000));
  const state = pool.accounts.get(A);
  strictEqual(state?.learned.evidence.tokens, 5_000);
  strictEqual(state?.burn.at(-1)?.tokens, 5_000);
  // They are not this machine's own: it does not tell them again.
  strictEqual(state?.booked, 0);
});

Deno.test("a refusal elsewhere closes the account here, a little longer", () => {
  const until = inSeconds(20);
  const throttled = poolOf({
    kind: "refused_elsewhere",
    accountId: A,
    verdict: { kind: "throttled", until, isStated: true },
    at: NOW,
  });
  const bench = throttled.accounts.get(A)?.bench;
  ok(bench?.kind === "benched");
  // The machine that was refused tries first.
  ok(bench.until > until);
  const spent = poolOf({
    kind: "refused_elsewhere",
    accountId: A,
    verdict: { kind: "exhausted", window: "5h", family: null, until },
    at: NOW,
  });
  strictEqual(spent.accounts.get(A)?.lastProbedAt, NOW);
  strictEqual(
    route(snapshot(spent, NOW), query()).kind === "use",
    false,
  );
  // An account that is gone by then is no fault.
  const gone = reduce(spent, { kind: "account_removed", accountId: A });
  strictEqual(
    reduce(gone, {
      kind: "refused_elsewhere",
      accountId: A,
      verdict: { kind: "throttled", until, isStated: true },
      at: NOW,
    }),
    gone,
  );
});

Deno.test("of several machines only one without a place there passes a learned limit, and late", () => {
  const LIMIT = 4;
  const later = inSeconds(60);
  const asked = { conversation: conversationId("s"), ticket: ticketId("t") };
  /** Whether a request that has waited a minute passes the limit. */
  const passes = (own: number, there: number, startedSecondsAgo: number) => {
    const refused = {
      level: 5,
      refusals: 2,
      trials: 0,
      since: later,
      refusedAt: later,
    };
    const state = patch(
      poolOf({ ...elsewhere(there), at: later } as PoolEvent, {
        kind: "waiting_changed",
        ticket: asked.ticket,
        query: query(asked),
        only: null,
        reason: "full",
        at: NOW,
      }),
      "a",
      (before) => ({
        ...before,
        account: account("a"),
        leases: own,
        gate: {
          ...before.gate,
          isProven: true,
          inFlight: { ...refused, limit: LIMIT },
          starts: before.gate.starts.with(
            inSeconds(60 - startedSecondsAgo),
          ),
        },
      }),
    );
    return route(snapshot(state, later), query(asked)).kind === "use";
  };
  // Alone it passes one a second.
  deepStrictEqual([passes(4, 0, 0.5), passes(4, 0, 1)], [false, true]);
  // A machine with requests there waits for one of them to end.
  strictEqual(passes(1, 3, 30), false);
  deepStrictEqual([passes(0, 4, 3), passes(0, 4, 4)], [false, true]);
});

/** What a machine knows of the other machines of its pool. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import {
  census,
  ownCounts,
  sumElsewhere,
  unheard,
} from "../../src/core/pool/headcount.ts";
import {
  emptyPool,
  type PoolEvent,
  type PoolState,
  reduce,
  snapshot,
} from "../../src/core/pool/pool.ts";
import type { Part } from "../../src/core/pool/state.ts";
import { route } from "../../src/core/route/route.ts";
import { DEFAULT_ROUTE_SETTINGS } from "../../src/core/settings.ts";
import {
  account,
  accountId,
  conversationId,
  inSeconds,
  leaseId,
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

function elsewhere(
  inFlight: number,
  tokens = 0,
  part: Part | null = null,
): PoolEvent {
  return {
    kind: "counted_elsewhere",
    accounts: new Map([[A, { inFlight, active: 2, warm: 1, tokens, part }]]),
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

/** What a machine says that has nothing to do. */
const IDLE = { machine: "own", accounts: {}, stalled: 0 };

/** What machines say of one account. */
function said(
  machine: string,
  inFlight: number,
  { waiting = 0, active = 1 } = {},
) {
  const count = { inFlight, active, warm: 0, booked: 0, waiting };
  return { machine, accounts: { [A]: count }, stalled: 0 };
}

Deno.test("a beat that tells nothing new leaves the pool the same one", () => {
  const part = { told: 1, machines: 2, place: 0 };
  const pool = poolOf(elsewhere(1, 10, part));
  strictEqual(reduce(pool, elsewhere(1, 0, { ...part })), pool);
  const changes = [
    elsewhere(2, 0, part),
    elsewhere(1, 10, part),
    elsewhere(1, 0, { ...part, place: 1 }),
    elsewhere(1, 0, null),
    { ...elsewhere(1, 0, part), stalled: 4 } as PoolEvent,
    { ...elsewhere(1, 0, part), accounts: new Map() } as PoolEvent,
  ];
  for (const change of changes) ok(reduce(pool, change) !== pool);
});

Deno.test("sumElsewhere() adds machines up, and counts each token once", () => {
  const x = { machine: "x", ...counts(100) };
  const y = { machine: "y", ...counts(50, 4) };
  const first = sumElsewhere(IDLE, [x, y], new Map());
  // Of a machine that was never heard, nothing is evidence yet.
  deepStrictEqual(first.accounts.get(A), {
    inFlight: 5,
    active: 4,
    warm: 2,
    tokens: 0,
    part: { told: 0, machines: 3, place: 0 },
  });
  strictEqual(first.stalled, 6);
  const second = sumElsewhere(
    IDLE,
    [{ machine: "x", ...counts(130) }, y],
    first.booked,
  );
  strictEqual(second.accounts.get(A)?.tokens, 30);
  // A server that has started again counts from 0.
  const again = sumElsewhere(
    IDLE,
    [{ machine: "x", ...counts(7) }],
    second.booked,
  );
  strictEqual(again.accounts.get(A)?.tokens, 7);
  // A machine that is silent has no requests in flight.
  strictEqual(sumElsewhere(IDLE, [], again.booked).accounts.size, 0);
});

Deno.test("machines reckon alike who comes first: who waits, then who has fewer in flight", () => {
  const all = [
    said("a", 3),
    said("b", 1),
    said("c", 2, { waiting: 1 }),
    said("d", 1),
    said("e", 5, { waiting: 2 }),
  ];
  const places = new Map(all.map((own) => {
    const others = all.filter((one) => one !== own);
    const { accounts } = sumElsewhere(own, others, new Map());
    const part = accounts.get(A)?.part;
    strictEqual(part?.machines, 5);
    strictEqual(part.told, own.accounts[A]?.inFlight);
    return [part.place, own.machine];
  }));
  deepStrictEqual([places.get(0), places.get(1)], ["c", "e"]);
  deepStrictEqual(new Set([places.get(2), places.get(3)]), new Set(["b", "d"]));
  strictEqual(places.get(4), "a");
  // A machine that does nothing there takes no part; an older tc says less.
  const idle = said("f", 0, { active: 0 });
  const older = { machine: "g", ...counts(1) };
  const alone = sumElsewhere(said("a", 3), [idle], new Map());
  strictEqual(alone.accounts.get(A)?.part, null);
  const two = sumElsewhere(said("a", 3), [idle, older], new Map());
  deepStrictEqual(two.accounts.get(A)?.part, {
    told: 3,
    machines: 2,
    place: 1,
  });
});

Deno.test("a machine tells of the requests that wait for a place, and at which account", () => {
  const waits = (ticket: string, reason: "full" | "warm_account") => ({
    kind: "waiting_changed",
    ticket: ticketId(ticket),
    query: query({
      conversation: conversationId("s"),
      ticket: ticketId(ticket),
    }),
    only: null,
    reason,
    at: NOW,
  } as const);
  const told = (pool: PoolState) =>
    ownCounts(snapshot(pool, NOW)).accounts[A]?.waiting;
  const cold = poolOf(waits("t", "full"), waits("u", "full"));
  strictEqual(told(cold), 2);
  // Its cache is at no account yet.
  strictEqual(told(poolOf(waits("t", "warm_account"))), undefined);
  const bound = poolOf(
    {
      kind: "lease_opened",
      leaseId: leaseId("l"),
      accountId: A,
      query: query({ conversation: conversationId("s") }),
      at: NOW,
    },
    waits("t", "warm_account"),
    waits("u", "full"),
  );
  strictEqual(told(bound), 2);
});

Deno.test("machines that believe in the same free places share them", () => {
  const passes = (own: number, there: number, part: Part | null) => {
    const pool = patch(
      poolOf(elsewhere(there, 0, part)),
      "a",
      (before) => ({ ...before, leases: own }),
    );
    return route(snapshot(pool, NOW), query()).kind === "use";
  };
  const part = (told: number, machines: number, place: number) => ({
    told,
    machines,
    place,
  });
  // One of four places is free, and three machines want it.
  deepStrictEqual(
    [0, 1, 2].map((place) => passes(1, 2, part(1, 3, place))),
    [true, false, false],
  );
  // Two are free.
  deepStrictEqual(
    [0, 1, 2].map((place) => passes(1, 1, part(1, 3, place))),
    [true, true, false],
  );
  // It has taken its part since it told the others.
  strictEqual(passes(2, 2, part(1, 3, 0)), false);
  // A request of its own has ended: the others do not know of the place yet.
  strictEqual(passes(1, 2, part(2, 3, 2)), true);
  strictEqual(passes(2, 2, part(2, 3, 2)), false);
  // Past the limit it counts as if it were alone.
  deepStrictEqual([passes(0, 4, part(2, 2, 0)), passes(0, 3, part(2, 2, 0))], [
    false,
    true,
  ]);
});

Deno.test("machines that are not heard any more hold no place, and each keeps to an even part", () => {
  const { accounts, stalled } = sumElsewhere(
    said("a", 3),
    [said("b", 3), said("c", 2)],
    new Map(),
  );
  const apart = poolOf({
    kind: "counted_elsewhere",
    accounts: unheard(accounts),
    stalled,
    at: NOW,
  });
  const passes = (leases: number) => {
    const pool = patch(apart, "a", (before) => ({
      ...before,
      leases,
      gate: { ...before.gate, isProven: true },
    }));
    return route(snapshot(pool, NOW), query()).kind === "use";
  };
  // Two have fewer requests there and come first: of four places one each.
  deepStrictEqual([passes(0), passes(1)], [true, false]);
  strictEqual(apart.accounts.get(A)?.elsewhere, 0);
  // Their conversations still divide the quota.
  strictEqual(census(snapshot(apart, NOW)).active, 2);
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

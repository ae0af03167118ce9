/** What holds of routing whatever happened before. */

import { inFlightCap, perMinuteCap } from "../../src/core/pool/lease.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { type Bench, benchAt, benched } from "../../src/core/quota/bench.ts";
import { snapshot } from "../../src/core/pool/pool.ts";
import { standingOf } from "../../src/core/route/queue.ts";
import { roomOf } from "../../src/core/route/gates.ts";
import { PRICE } from "../../src/core/policy/price.ts";
import { route } from "../../src/core/route/route.ts";
import { type Scene, survey, type View } from "../../src/core/route/scene.ts";
import { isWarm } from "../../src/core/pool/session.ts";
import type {
  AccountState,
  PoolSnapshot,
  PoolState,
} from "../../src/core/pool/state.ts";
import { after, HOUR_MS, SECOND_MS } from "../../src/core/time.ts";
import {
  account,
  conversationId,
  fold,
  leaseId,
  NOW,
  poolOf,
  query,
  ticketId,
} from "../fixtures/pool.ts";
import { histories, playHistory } from "../fixtures/random_pool.ts";
import { trials } from "../fixtures/trials.ts";

/** Places run out soon, so that gates and the line are met. */
const NARROW = { concurrencyStart: 2, fullWaitMaxMs: 10_000 };
const RUNS = { numRuns: trials(300, 10_000) };

/** Barred by what the provider said of it, read apart from the core's own list. */
function isClosed(state: AccountState, { at }: PoolSnapshot): boolean {
  if (benchAt(state.bench, at).kind === "benched") return true;
  return Object.values(state.windows).some(({ status, resetsAt }) =>
    status === "rejected" && resetsAt !== null && resetsAt > at
  );
}

function viewIn(scene: Scene, id: string): View {
  const view = scene.views.find((candidate) => candidate.id === id);
  if (view === undefined) throw new RangeError(`No view of ${id}`);
  return view;
}

Deno.test("route() uses a closed account only where every one is closed", () => {
  fc.assert(
    fc.property(histories, (history) => {
      playHistory(history, {
        decided(seen, _, decision) {
          if (decision.kind !== "use") return;
          const chosen = seen.accounts.get(decision.accountId);
          if (chosen === undefined || !isClosed(chosen, seen)) return;
          strictEqual(decision.reason, "probe");
          // A key is kept back while a subscription is about to return.
          ok(
            [...seen.accounts.values()].every((other) =>
              other.account.kind === "api_key" || isClosed(other, seen)
            ),
          );
        },
      });
    }),
    RUNS,
  );
});

Deno.test("route() never moves a warm conversation from an account that serves", () => {
  fc.assert(
    fc.property(histories, (history) => {
      playHistory(history, {
        decided(seen, asked, decision) {
          const scene = survey(seen, asked);
          const { binding } = scene;
          if (binding === null || !isWarm(binding, asked, seen.at)) return;
          const home = viewIn(scene, binding.accountId);
          if (scene.open.includes(home)) {
            if (decision.kind === "use") {
              strictEqual(decision.accountId, home.id);
            } else strictEqual(decision.kind, "wait");
            return;
          }
          const { bar } = home;
          if (bar?.reason !== "benched" || bar.until === null) return;
          const worthMs = Math.min(120_000, scene.contextTokens);
          const isShort = asked.waitedMs + bar.until - seen.at <= worthMs;
          if (isShort) strictEqual(decision.kind, "wait");
        },
      });
    }),
    RUNS,
  );
});

Deno.test("route() sends one request at a time to an account on trial", () => {
  fc.assert(
    fc.property(histories, (history) => {
      playHistory(history, {
        settings: NARROW,
        decided(seen, _, decision) {
          if (decision.kind !== "use") return;
          const chosen = seen.accounts.get(decision.accountId);
          if (chosen !== undefined && !chosen.gate.isProven) {
            strictEqual(chosen.leases, 0);
          }
        },
      });
    }),
    RUNS,
  );
});

Deno.test("route() passes a gate only where every account is at its own", () => {
  fc.assert(
    fc.property(histories, (history) => {
      playHistory(history, {
        settings: NARROW,
        decided(seen, asked, decision) {
          if (decision.kind !== "use" || decision.reason === "probe") return;
          const scene = survey(seen, asked);
          const isHome = scene.binding?.accountId === decision.accountId;
          if (isHome) return;
          const view = viewIn(scene, decision.accountId);
          const { leases, gate } = view.state;
          const isTail = Math.max(view.fiveHourUsed, view.weekUsed) >= 0.95;
          const isPast = leases >= Math.ceil(inFlightCap(gate, seen.at)) ||
            (isTail && leases > 0);
          if (!isPast) return;
          // Those who wait for an account's cache have a claim to its places.
          const { warmAt } = standingOf(scene);
          for (const other of scene.open) {
            const claimed = warmAt.get(other.id) ?? 0;
            ok(roomOf(other, scene, PRICE).cold <= claimed);
          }
        },
      });
    }),
    RUNS,
  );
});

Deno.test("learned limits rise on no refusal and fall on no answer", () => {
  fc.assert(
    fc.property(histories, (history) => {
      playHistory(history, {
        folded(before, event, now) {
          for (const [id, { gate }] of now.accounts) {
            ok(gate.cap >= 1 && gate.cap <= 64);
            const known = before.accounts.get(id)?.gate;
            if (known === undefined || event.kind !== "verdict_given") continue;
            const { at, verdict } = event;
            const inFlight = inFlightCap(gate, at) - inFlightCap(known, at);
            const perMinute = perMinuteCap(gate, at);
            const knownPerMinute = perMinuteCap(known, at);
            if (verdict.kind === "served") {
              ok(inFlight >= 0 && perMinute >= knownPerMinute);
            } else ok(inFlight <= 0 && perMinute <= knownPerMinute);
          }
        },
      });
    }),
    RUNS,
  );
});

Deno.test("benched() ends at the latest stated reset, no sooner and no later", () => {
  const refusal = fc.record({
    untilS: fc.integer({ min: 100, max: 10_000 }),
    isQuota: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(refusal, { minLength: 1 }), (refusals) => {
      let bench: Bench = { kind: "available" };
      for (const { untilS, isQuota } of refusals) {
        const reason = isQuota
          ? { kind: "exhausted", window: "5h" } as const
          : { kind: "throttled", streak: 1 } as const;
        const until = after(NOW, untilS * SECOND_MS);
        bench = benched(bench, until, { at: NOW, reason });
      }
      const quota = refusals.filter((r) => r.isQuota).map((r) => r.untilS);
      const throttles = refusals.map((r) => r.untilS);
      const end = Math.max(...(quota.length > 0 ? quota : throttles));
      const until = after(NOW, end * SECOND_MS);
      strictEqual(benchAt(bench, after(until, -1)).kind, "benched");
      ok(benchAt(bench, until).kind !== "benched");
    }),
    RUNS,
  );
});

Deno.test("route() uses a key only where no subscription serves soon", () => {
  fc.assert(
    fc.property(histories, (history) => {
      playHistory(history, {
        settings: NARROW,
        decided(seen, asked, decision) {
          if (decision.kind !== "use") return;
          const chosen = seen.accounts.get(decision.accountId);
          if (chosen?.account.kind !== "api_key") return;
          const scene = survey(seen, asked);
          for (const view of scene.views) {
            if (view.rank !== 0) continue;
            ok(view.bar !== null);
            const { until } = view.bar;
            ok(until === null || until - seen.at > 120 * SECOND_MS);
          }
        },
      });
    }),
    RUNS,
  );
});

Deno.test("route() lets no request overtake its equal that came before", () => {
  fc.assert(
    fc.property(histories, (history) => {
      const end = playHistory(history, { settings: NARROW });
      const first = query({ ticket: ticketId("first") });
      const second = query({ ticket: ticketId("second") });
      const state = [first, second].reduce<PoolState>(
        (pool, asked) =>
          fold(pool, {
            kind: "waiting_changed",
            ticket: asked.ticket ?? ticketId(""),
            query: asked,
            only: null,
            reason: "full",
            at: end.at,
          }),
        end,
      );
      const decision = route(snapshot(state, end.at), second);
      if (decision.kind !== "use") return;
      // It took a place that the first did not need.
      const taken = fold(state, {
        kind: "lease_opened",
        leaseId: leaseId("second"),
        accountId: decision.accountId,
        query: second,
        at: end.at,
      });
      strictEqual(route(snapshot(taken, end.at), first).kind, "use");
    }),
    RUNS,
  );
});

Deno.test("route() admits one to an oversubscribed pool where nobody works", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 40 }),
      fc.double({ min: 0, max: 0.9, noNaN: true }),
      (waiting, used) => {
        let state = poolOf([{ account: account("a") }]);
        state = {
          ...state,
          flow: { ...state.flow, tokensPerHour: 1e9 * used },
        };
        for (let number = 0; number < waiting; number++) {
          state = fold(state, {
            kind: "waiting_changed",
            ticket: ticketId(`t${number}`),
            query: query({ conversation: conversationId(`c${number}`) }),
            only: null,
            reason: "parked",
            at: NOW,
          });
        }
        const first = query({
          conversation: conversationId("c0"),
          ticket: ticketId("t0"),
        });
        strictEqual(route(snapshot(state, NOW), first).kind, "use");
      },
    ),
    RUNS,
  );
});

Deno.test("a history played twice gives the same pool and the same decisions", () => {
  fc.assert(
    fc.property(histories, (history) => {
      const runs = [1, 2].map(() => {
        const decisions: unknown[] = [];
        const end = playHistory(history, {
          decided: (_seen, _asked, decision) => decisions.push(decision),
        });
        return JSON.stringify([decisions, [...end.accounts]]);
      });
      strictEqual(runs[0], runs[1]);
    }),
    RUNS,
  );
});

Deno.test("reordering the accounts changes no choice", () => {
  fc.assert(
    fc.property(histories, (history) => {
      const end = playHistory(history);
      const turned = {
        ...end,
        accounts: new Map([...end.accounts].reverse()),
      };
      const asked = query({ conversation: conversationId("new") });
      const a = route(end, asked);
      const b = route(turned, asked);
      strictEqual(a.kind, b.kind);
      if (a.kind === "use" && b.kind === "use") {
        strictEqual(a.accountId, b.accountId);
      }
    }),
    RUNS,
  );
});

Deno.test("windows past their reset count as unspent, without a new header", () => {
  fc.assert(
    fc.property(histories, (history) => {
      const end = playHistory(history);
      const late = snapshot(end, after(end.at, 8 * 24 * HOUR_MS));
      const scene = survey(late, query());
      for (const view of scene.views) {
        deepStrictEqual(
          [view.fiveHourUsed, view.weekUsed, view.bar],
          [0, 0, null],
        );
      }
    }),
    RUNS,
  );
});

/** How the price policy answers to a change of one figure. */

import { ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { snapshot } from "../../src/core/pool/pool.ts";
import { PRICE, weekPrice } from "../../src/core/policy/price.ts";
import { route } from "../../src/core/route/route.ts";
import { survey } from "../../src/core/route/scene.ts";
import type { PoolState } from "../../src/core/pool/state.ts";
import {
  account,
  conversationId,
  fold,
  inHours,
  NOW,
  patch,
  poolOf,
  query,
  quotaWindow,
  servedOn,
} from "../fixtures/pool.ts";
import { histories, playHistory } from "../fixtures/random_pool.ts";
import { trials } from "../fixtures/trials.ts";

const RUNS = { numRuns: trials(300, 10_000) };
const NEW = query({ conversation: conversationId("new") });

const figures = fc.record({
  fiveHour: fc.double({ min: 0, max: 0.94, noNaN: true }),
  week: fc.double({ min: 0, max: 0.94, noNaN: true }),
  hours: fc.double({ min: 1, max: 168, noNaN: true }),
});
type Figures = typeof figures extends fc.Arbitrary<infer T> ? T : never;

const NAMES = ["a", "b", "c", "d"];
const pools = fc.array(figures, { minLength: 1, maxLength: 4 });

function known({ fiveHour, week, hours }: Figures, place: number) {
  return {
    account: account(NAMES[place] ?? "x"),
    windows: [
      quotaWindow("5h", fiveHour),
      quotaWindow("7d", week, { resetsAt: inHours(hours) }),
    ],
  };
}

function chosen(state: PoolState): string | null {
  const decision = route(snapshot(state, NOW), NEW);
  return decision.kind === "use" ? decision.accountId : null;
}

function priceOf(one: Figures): number {
  const scene = survey(snapshot(poolOf([known(one, 0)]), NOW), NEW);
  const view = scene.views[0];
  if (view === undefined) throw new RangeError("No view");
  return weekPrice(view, scene);
}

Deno.test("a fuller five-hour window never wins an account a conversation", () => {
  fc.assert(
    fc.property(
      pools,
      fc.double({ min: 0, max: 0.05, noNaN: true }),
      (all, more) => {
        const first = all[0];
        if (first === undefined) return;
        const raised = [
          { ...first, fiveHour: first.fiveHour + more },
          ...all.slice(1),
        ];
        const before = chosen(poolOf(all.map(known)));
        const now = chosen(poolOf(raised.map(known)));
        if (before !== "a") strictEqual(now, before);
      },
    ),
    RUNS,
  );
});

Deno.test("weekPrice() never falls as the week fills, nor rises as its end nears", () => {
  fc.assert(
    fc.property(
      figures,
      fc.double({ min: 0, max: 0.05, noNaN: true }),
      (one, more) => {
        const price = priceOf(one);
        ok(price > 0 && price < 1);
        ok(priceOf({ ...one, week: one.week + more }) >= price);
        ok(priceOf({ ...one, hours: one.hours * (1 - more) }) <= price);
      },
    ),
    RUNS,
  );
});

Deno.test("a larger prompt never favours an account that has less of it cached", () => {
  const tokens = fc.integer({ min: 30_000, max: 90_000 });
  fc.assert(
    fc.property(figures, figures, tokens, tokens, (one, two, cached, more) => {
      // Both far from their end, so that the risk of either is none.
      const all = [one, two].map((f) => ({
        ...f,
        fiveHour: 0,
        week: f.week / 2,
      }));
      const state = fold(
        poolOf(all.map(known)),
        ...servedOn("a", "s1", { tokens: cached }),
      );
      const costs = [cached, cached + more].map((contextTokens) => {
        const conversation = conversationId("s1");
        const asked = query({ conversation, contextTokens });
        const scene = survey(snapshot(state, NOW), asked);
        const found = [...PRICE.costs(scene.open, scene).values()];
        return (found[1]?.total ?? 0) - (found[0]?.total ?? 0);
      });
      ok((costs[1] ?? 0) >= (costs[0] ?? 0) - 1e-6);
    }),
    RUNS,
  );
});

Deno.test("one more idle subscription never makes a request wait", () => {
  fc.assert(
    fc.property(histories, (history) => {
      const end = playHistory(history);
      const extra = poolOf([{ account: account("z") }]);
      const accounts = new Map([...end.accounts, ...extra.accounts]);
      if (route(end, NEW).kind === "use") {
        strictEqual(route({ ...end, accounts }, NEW).kind, "use");
      }
    }),
    RUNS,
  );
});

Deno.test("sizes and pace scaled alike leave the choice as it is", () => {
  const factor = fc.double({ min: 0.2, max: 5, noNaN: true });
  const size = fc.integer({ min: 1_000_000, max: 30_000_000 });
  fc.assert(
    fc.property(
      pools,
      fc.array(size, { minLength: 4, maxLength: 4 }),
      factor,
      (all, sizes, by) => {
        const scaled = (share: number) => {
          let state = poolOf(all.map(known));
          all.forEach((_, place) => {
            state = patch(state, NAMES[place] ?? "x", (before) => ({
              ...before,
              learned: {
                ...before.learned,
                fiveHourTokens: (sizes[place] ?? 1) * share,
              },
            }));
          });
          const { flow } = state;
          return {
            ...state,
            flow: { ...flow, tokensPerHour: flow.tokensPerHour * share },
          };
        };
        strictEqual(chosen(scaled(1)), chosen(scaled(by)));
      },
    ),
    RUNS,
  );
});

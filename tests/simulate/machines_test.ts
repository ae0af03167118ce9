/** Several machines on one pool, with what they know late. */

import { ok } from "node:assert/strict";
import { boundOf } from "../../src/simulate/bound.ts";
import { play } from "../../src/simulate/play.ts";
import { SCENARIOS } from "../../src/simulate/workload/scenarios.ts";
import { report } from "../fixtures/report.ts";

Deno.test("four machines that share a pool serve what one serves, and without a store far less", () => {
  const workload = SCENARIOS["backlog"]?.(2);
  ok(workload !== undefined);
  const bound = boundOf(workload).served;
  const of = (machines: { count: number; isShared?: boolean }) => {
    const score = play(workload, { seed: 2, machines });
    return {
      share: score.usefulTokens / bound,
      refusals: score.refusals,
    };
  };
  const one = of({ count: 1 });
  const four = of({ count: 4 });
  const apart = of({ count: 4, isShared: false });
  report(
    `one machine ${one.share.toFixed(3)}, ${one.refusals} 429s; four ` +
      `${four.share.toFixed(3)}, ${four.refusals}; four without a store ` +
      `${apart.share.toFixed(3)}, ${apart.refusals}`,
  );
  ok(four.share > one.share - 0.01);
  // Each hears late of the others, and they share the free places.
  ok(four.refusals <= 1.2 * one.refusals);
  ok(apart.share < four.share - 0.1);
});

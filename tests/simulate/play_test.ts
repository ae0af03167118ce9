/** The simulator: the same again from the same seed, and nothing from nowhere. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { POLICY_NAMES } from "../../src/core/settings.ts";
import { instantFromMs } from "../../src/core/time.ts";
import { boundOf, Network } from "../../src/simulate/bound.ts";
import { Clockwork } from "../../src/simulate/world.ts";
import { compare } from "../../src/simulate/comparison.ts";
import { DEVELOPER, sitting } from "../../src/simulate/workload/people.ts";
import { play } from "../../src/simulate/play.ts";
import { MONDAY, plan } from "../../src/simulate/workload/plans.ts";
import { Random } from "../../src/simulate/random.ts";
import { SCENARIOS } from "../../src/simulate/workload/scenarios.ts";
import type { Workload } from "../../src/simulate/workload/workload.ts";
import { trials } from "../fixtures/trials.ts";

const HOUR_MS = 3_600_000;

/** Two people for some hours on accounts that do not feed them. */
function small(seed: number): Workload {
  const random = new Random(seed);
  return {
    name: "small",
    startsAt: MONDAY,
    endsAt: instantFromMs(MONDAY + 8 * HOUR_MS),
    accounts: [
      plan("a", "pro", { weekEndsIn: random.uniform(2, 100) }),
      plan("b", "pro", { weekEndsIn: 60, weekUsed: random.uniform(0.5, 1) }),
    ],
    sessions: [0, 1].map((seat) =>
      sitting(random, {
        id: `s${seat}`,
        startsAt: MONDAY,
        hours: random.uniform(1, 5),
        manner: DEVELOPER,
      })
    ),
    cacheTtlMs: 300_000,
    cacheReadWeight: 0.1,
    cacheTurnsBack: null,
    headMs: 2_000,
    sharedTokens: 0,
    storms: [],
    isKnown: true,
    pollMs: null,
    speaksLimits: true,
  };
}

Deno.test("play() gives the same score to the same work", () => {
  for (const policy of POLICY_NAMES) {
    const options = { settings: { policy }, seed: 3 };
    deepStrictEqual(play(small(3), options), play(small(3), options));
  }
});

Deno.test("play() books what accounts burnt, and serves no more than the bound", () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 1_000_000 }),
      fc.constantFrom(...POLICY_NAMES),
      (seed, policy) => {
        const workload = small(seed);
        const score = play(workload, { settings: { policy }, seed });
        let burnt = 0;
        for (const account of score.accounts) burnt += account.burntTokens;
        ok(Math.abs(burnt - score.burntTokens) < 1);
        ok(score.burntTokens >= score.usefulTokens - 1);
        ok(score.usefulTokens <= boundOf(workload).served + 1);
      },
    ),
    { numRuns: trials(25, 500) },
  );
});

Deno.test("every workload draws the same work from the same seed", () => {
  for (const [name, draw] of Object.entries(SCENARIOS)) {
    const workload = draw(5);
    strictEqual(workload.name, name);
    strictEqual(JSON.stringify(draw(5)), JSON.stringify(workload));
    ok(JSON.stringify(draw(6)) !== JSON.stringify(workload));
  }
});

Deno.test("compare() means over the seeds", () => {
  const both = compare(small, { seeds: [1, 2], policies: ["price"] });
  const [one, two] = [1, 2].map((seed) =>
    compare(small, { seeds: [seed], policies: ["price"] })
  );
  const score = both.standings[0]?.score ?? 0;
  const scores = [one, two].map((c) => c?.standings[0]?.score ?? 0);
  ok(Math.abs(score - ((scores[0] ?? 0) + (scores[1] ?? 0)) / 2) < 1e-12);
});

Deno.test("Clockwork runs things in the order of their times, then as set", () => {
  const clock = new Clockwork(0);
  const seen: string[] = [];
  clock.at(5, () => seen.push("b"));
  clock.at(3, () => {
    seen.push("a");
    clock.at(1, () => seen.push("late"));
  });
  clock.at(5, () => seen.push("c"));
  clock.at(9, () => seen.push("never"));
  clock.runUntil(8);
  deepStrictEqual(seen, ["a", "late", "b", "c"]);
  strictEqual(clock.now, 8);
});

Deno.test("Network finds the maximum flow of a small network", () => {
  const network = new Network();
  const [s, a, b, t] = [0, 1, 2, 3].map(() => network.node());
  network.edge(s ?? 0, a ?? 0, 3);
  network.edge(s ?? 0, b ?? 0, 2);
  network.edge(a ?? 0, b ?? 0, 1);
  network.edge(a ?? 0, t ?? 0, 2);
  network.edge(b ?? 0, t ?? 0, 2);
  strictEqual(network.maximum(s ?? 0, t ?? 0), 4);
});

Deno.test("price beats a policy without gates where the pool is overrun", () => {
  const steps: string[] = [];
  const { standings } = compare(SCENARIOS["fresh-start"] ?? small, {
    seeds: [1],
    policies: ["price", "scored"],
    onPlay: (words, done, of) => steps.push(`${done} of ${of}: ${words}`),
  });
  deepStrictEqual(steps, [
    "0 of 2: fresh-start, price",
    "1 of 2: fresh-start, scored",
  ]);
  const [price, scored] = standings;
  ok((price?.score ?? 0) > (scored?.score ?? 1));
  ok((price?.refusals ?? 1) * 10 < (scored?.refusals ?? 0));
});

/** How long simulated requests wait: the bounds of the data plane, and the client's. */

import { ok, strictEqual } from "node:assert/strict";
import { HOUR_MS, instantFromMs, MINUTE_MS } from "../../src/core/time.ts";
import { play } from "../../src/simulate/play.ts";
import type { HoldBounds } from "../../src/simulate/proxy.ts";
import type { Score } from "../../src/simulate/tally.ts";
import { MONDAY, plan } from "../../src/simulate/workload/plans.ts";
import type { Workload } from "../../src/simulate/workload/workload.ts";

const HOUR_SEC = 3_600;

/** One request to one account whose five-hour window is spent for that long. */
function spentFor(resetsInMs: number, parts: Partial<Workload> = {}): Workload {
  return {
    name: "spent",
    startsAt: MONDAY,
    endsAt: instantFromMs(MONDAY + 5 * HOUR_MS),
    accounts: [plan("a", "pro", {
      weekEndsIn: 100,
      fiveHourUsed: 1,
      fiveHourResetsAt: instantFromMs(MONDAY + resetsInMs),
    })],
    sessions: [{
      id: "s",
      startsAt: instantFromMs(MONDAY + MINUTE_MS),
      deadline: null,
      requests: [{
        gapMs: 0,
        contextTokens: 30_000,
        outputTokens: 300,
        durationMs: 8_000,
        family: "opus",
        isPrompt: true,
        isCompacted: false,
        isSide: false,
        agents: [],
      }],
    }],
    cacheTtlMs: 300_000,
    cacheReadWeight: 0.1,
    cacheTurnsBack: null,
    headMs: 2_000,
    sharedTokens: 0,
    storms: [],
    isKnown: true,
    pollMs: null,
    speaksLimits: true,
    ...parts,
  };
}

function stalledSec(
  workload: Workload,
  hold: Partial<HoldBounds> = {},
): readonly [seconds: number, score: Score] {
  // A look at a closed account is a trial, which these cases do not want.
  const settings = { probeMaxMs: 24 * HOUR_MS, probeMs: 24 * HOUR_MS };
  const score = play(workload, { settings, hold });
  strictEqual(score.requests, 1);
  return [score.stalledHours * HOUR_SEC, score];
}

Deno.test("a request is held to a reset within the hold, and served then", () => {
  const [seconds, score] = stalledSec(spentFor(6 * MINUTE_MS));
  ok(seconds >= 300 && seconds < 302, `${seconds}`);
  strictEqual(score.limitAnswers, 0);
});

Deno.test("past the hold a client is told the reset, and comes back by itself soon after", () => {
  const [seconds, score] = stalledSec(spentFor(HOUR_MS));
  strictEqual(score.limitAnswers, 1);
  strictEqual(score.clientErrors, 0);
  const afterReset = seconds - 59 * 60;
  ok(afterReset >= 20 && afterReset <= 90, `${afterReset}`);
});

Deno.test("the user's own hold bounds a simulated wait", () => {
  const [, score] = stalledSec(spentFor(6 * MINUTE_MS), { maxMs: 60_000 });
  strictEqual(score.limitAnswers, 1);
});

Deno.test("a client that knows no limit answer gets errors after its hold, and asks again", () => {
  for (
    const [workload, hold] of [
      [spentFor(HOUR_MS, { speaksLimits: false }), {}],
      [spentFor(HOUR_MS), { beyond: "retry" }],
    ] as const
  ) {
    const [seconds, score] = stalledSec(workload, hold);
    strictEqual(score.limitAnswers, 0);
    // Each try is held for 10 min as a stream or 20 s without one.
    ok(score.clientErrors >= 4, `${score.clientErrors}`);
    const afterReset = seconds - 59 * 60;
    ok(afterReset >= 0 && afterReset <= 130, `${afterReset}`);
  }
});

Deno.test("nobody waits longer than the JSON hold for a side request", () => {
  const [session] = spentFor(HOUR_MS).sessions;
  ok(session);
  const sessions = [{
    ...session,
    requests: session.requests.map((one) => ({ ...one, isSide: true })),
  }];
  const settings = { probeMaxMs: 24 * HOUR_MS, probeMs: 24 * HOUR_MS };
  const late = play(spentFor(2 * MINUTE_MS, { sessions }), { settings });
  strictEqual(late.requests, 0);
  const soon = play(spentFor(MINUTE_MS + 15_000, { sessions }), { settings });
  strictEqual(soon.requests, 1);
});

/** SimulatedAccount: what it finds in its caches. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { MONDAY, plan } from "../../src/simulate/workload/plans.ts";
import { SimulatedAccount } from "../../src/simulate/provider.ts";
import { Random } from "../../src/simulate/random.ts";
import type {
  PlannedRequest,
  Workload,
} from "../../src/simulate/workload/workload.ts";

const REQUEST: PlannedRequest = {
  gapMs: 0,
  contextTokens: 50_000,
  outputTokens: 100,
  durationMs: 1_000,
  family: "opus",
  isPrompt: true,
  isCompacted: false,
  isSide: false,
  agents: [],
};

function account(cacheTurnsBack: number | null): SimulatedAccount {
  const work = plan("work", "max_20x", { weekEndsIn: 100 });
  const workload: Workload = {
    name: "caches",
    startsAt: MONDAY,
    endsAt: MONDAY,
    accounts: [work],
    sessions: [],
    cacheTtlMs: 3_600_000,
    cacheReadWeight: 0.1,
    cacheTurnsBack,
    headMs: 2_000,
    sharedTokens: 8_000,
    storms: [],
    isKnown: true,
    pollMs: null,
    speaksLimits: true,
  };
  return new SimulatedAccount(work, workload, new Random(1));
}

/** Tokens read from cache at turn `turn` after turn 1 was cached here. */
function cachedAt(turn: number, cacheTurnsBack: number | null): number {
  const own = account(cacheTurnsBack);
  own.receive(REQUEST, { conversation: "s", parent: null, turn: 1 }, MONDAY);
  const later = MONDAY + 60_000;
  const got = own.receive(
    REQUEST,
    { conversation: "s", parent: null, turn },
    later,
  );
  return got.kind === "served" ? got.cached : NaN;
}

Deno.test("receive() finds no cache of a conversation that went on elsewhere for long", () => {
  strictEqual(cachedAt(10, 9), 50_000);
  strictEqual(cachedAt(11, 9), 8_000);
  strictEqual(cachedAt(11, null), 50_000);
});

/** Tokens that a sub-agent reads that starts this long after another one. */
function readAfter(ms: number): number {
  const own = account(null);
  const start = (name: string, at: number) =>
    own.receive(REQUEST, { conversation: name, parent: "s", turn: 1 }, at);
  start("first", MONDAY);
  const got = start("second", MONDAY + ms);
  return got.kind === "served" ? got.cached : NaN;
}

Deno.test("receive() reads a shared prompt only once the answer that writes it has begun", () => {
  deepStrictEqual([0, 1_999, 2_000].map(readAfter), [0, 0, 8_000]);
});

Deno.test("receive() keeps reading what is cached while another request writes it again", () => {
  const own = account(null);
  const start = (name: string, at: number) =>
    own.receive(REQUEST, { conversation: name, parent: "s", turn: 1 }, at);
  start("first", MONDAY);
  start("second", MONDAY + 60_000);
  const got = start("third", MONDAY + 60_100);
  strictEqual(got.kind === "served" && got.cached, 8_000);
});

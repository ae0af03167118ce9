/** Many at once: how a pool takes a burst and a failover, account by account. */

import { ok, strictEqual } from "node:assert/strict";
import { after, HOUR_MS, instantFromMs } from "../../src/core/time.ts";
import { play } from "../../src/simulate/play.ts";
import { MONDAY, plan } from "../../src/simulate/plans.ts";
import type { AccountScore, Score } from "../../src/simulate/tally.ts";
import type {
  PlannedAccount,
  PlannedRequest,
  PlannedSession,
  Workload,
} from "../../src/simulate/workload.ts";

function workload(
  accounts: readonly PlannedAccount[],
  sessions: readonly PlannedSession[],
): Workload {
  return {
    name: "burst",
    startsAt: MONDAY,
    endsAt: instantFromMs(MONDAY + 2 * HOUR_MS),
    accounts,
    sessions,
    cacheTtlMs: 300_000,
    cacheReadWeight: 0.1,
    storms: [],
    isKnown: true,
    pollMs: null,
  };
}

function request(gapMs: number, contextTokens: number): PlannedRequest {
  return {
    gapMs,
    contextTokens,
    outputTokens: 300,
    durationMs: 8_000,
    family: "opus",
    isPrompt: true,
    isCompacted: false,
    isSide: false,
    agents: [],
  };
}

function fourAccounts(): PlannedAccount[] {
  return ["a", "b", "c", "d"].map((name) =>
    plan(name, "max_20x", { weekEndsIn: 100 })
  );
}

/** `a 52 requests, 2 refused · …`, the table of the failure message. */
function table({ accounts }: Score): string {
  return accounts.map(({ name, requests, refusals }) =>
    `${name} ${requests} requests, ${refusals} refused`
  ).join(" · ");
}

function served({ requests, refusals }: AccountScore): number {
  return requests - refusals;
}

Deno.test("200 requests at once spread over four idle accounts", () => {
  const sessions = Array.from({ length: 200 }, (_, index) => ({
    id: `s${index}`,
    startsAt: MONDAY,
    deadline: null,
    requests: [request(0, 30_000)],
  }));
  const score = play(workload(fourAccounts(), sessions));
  strictEqual(score.requests, 200, table(score));
  strictEqual(score.clientErrors, 0, table(score));
  for (const account of score.accounts) {
    ok(served(account) >= 30 && served(account) <= 70, table(score));
    ok(account.refusals <= 4, table(score));
  }
});

Deno.test("30 agents that fail over at once bring no other account down", () => {
  const [a, ...others] = fourAccounts();
  if (a === undefined) throw new RangeError("No account");
  // Nearly spent: it is refused while all of them work on it.
  const dying = {
    ...a,
    concurrency: 40,
    perMinute: 1_000,
    fiveHourUsed: 0.6,
    fiveHourTokens: 8_000_000,
    fiveHourResetsAt: after(MONDAY, 3 * HOUR_MS),
  };
  const sessions = Array.from({ length: 30 }, (_, index) => ({
    id: `s${index}`,
    startsAt: MONDAY,
    deadline: null,
    requests: Array.from(
      { length: 40 },
      (_, round) => request(2_000, 60_000 + round * 500),
    ),
  }));
  const score = play(workload([dying, ...others], sessions));
  strictEqual(score.requests, 1_200, table(score));
  strictEqual(score.clientErrors, 0, table(score));
  for (const account of score.accounts) {
    ok(account.refusals <= 20, table(score));
    if (account.name !== "a") ok(served(account) >= 200, table(score));
  }
});

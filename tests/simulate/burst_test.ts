/** Many at once: how a pool takes a burst and a failover, account by account. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { snapshot } from "../../src/core/pool/pool.ts";
import { route } from "../../src/core/route/route.ts";
import { after, HOUR_MS, instantFromMs } from "../../src/core/time.ts";
import { play } from "../../src/simulate/play.ts";
import { MONDAY, plan } from "../../src/simulate/workload/plans.ts";
import type { AccountScore, Score } from "../../src/simulate/tally.ts";
import type {
  PlannedAccount,
  PlannedRequest,
  PlannedSession,
  Workload,
} from "../../src/simulate/workload/workload.ts";
import {
  account,
  closed,
  conversationId,
  fold,
  inHours,
  judged,
  NOW,
  opened,
  poolOf,
  query,
  servedOn,
  ticketId,
} from "../fixtures/pool.ts";

const SPENT = {
  kind: "exhausted",
  window: "5h",
  family: null,
  until: inHours(2),
} as const;

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
    cacheTurnsBack: null,
    headMs: 2_000,
    sharedTokens: 0,
    storms: [],
    isKnown: true,
    pollMs: null,
    speaksLimits: true,
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
    // A limit binds from the second refusal on.
    ok(account.refusals <= 6, table(score));
  }
});

Deno.test("30 agents that fail over at once bring no other account down", () => {
  const agents = Array.from({ length: 30 }, (_, number) => `agent${number}`);
  let state = poolOf(["a", "b", "c", "d"].map((name) => ({
    account: account(name, { tier: "max_20x" }),
  })));
  for (const agent of agents) {
    state = fold(state, ...servedOn("a", agent, { tokens: 60_000 }));
  }
  state = fold(state, opened("x", "a"), judged("x", SPENT), closed("x"));
  const ends: { readonly at: number; readonly lease: string }[] = [];
  const waiting = new Set(agents);
  const requests = new Map<string, number>();
  let most = 0;
  for (let ms = 0; waiting.size > 0 && ms < 60_000; ms += 250) {
    const now = after(NOW, ms);
    for (const { lease } of ends.filter(({ at }) => at === ms)) {
      state = fold(state, judged(lease, { kind: "served" }, now));
      state = fold(state, closed(lease, { cacheWrite5m: 60_000 }, now));
    }
    for (const agent of [...waiting]) {
      const facts = {
        conversation: conversationId(agent),
        contextTokens: 60_000,
      };
      const asked = query({ ...facts, ticket: ticketId(agent) });
      const decision = route(snapshot(state, now), asked);
      const ticket = ticketId(agent);
      if (decision.kind === "wait") {
        const { reason } = decision;
        state = fold(state, {
          kind: "waiting_changed",
          ticket,
          query: asked,
          only: null,
          reason,
          at: now,
        });
      }
      if (decision.kind !== "use") continue;
      waiting.delete(agent);
      const { accountId } = decision;
      requests.set(accountId, (requests.get(accountId) ?? 0) + 1);
      state = fold(state, { kind: "waiting_ended", ticket, at: now });
      state = fold(state, opened(agent, accountId, facts, now));
      most = Math.max(most, state.accounts.get(accountId)?.leases ?? 0);
      ends.push({ at: ms + 8_000, lease: agent });
    }
    // The ramp lets one in on each account at first, then one a quarter second.
    if (ms === 0) strictEqual(waiting.size, 27);
  }
  strictEqual(waiting.size, 0);
  deepStrictEqual([...requests].sort(), [["b", 10], ["c", 10], ["d", 10]]);
  ok(most <= 10);
});

import { PLAIN_TERMS } from "../../src/core/pricing.ts";
import { LIST_BOOK } from "../fixtures/list_book.ts";
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { Tally } from "../../src/records/tally.ts";
import type { AccountId } from "../../src/core/account.ts";
import { instantFromMs } from "../../src/core/time.ts";
import type { RequestRecord } from "../../src/ports.ts";

const START = instantFromMs(1_800_000_000_000);
const WORK = "work" as AccountId;
const SPARE = "spare" as AccountId;

/** 10 in, 90 read, 20 written for an hour, 5 out at Opus 5.5's list price. */
const COST_NANO = (10 * 4 + 90 * 4 * 0.05 + 20 * 4 * 2 + 5 * 20) * 1_000;

function record(change: Partial<RequestRecord>): RequestRecord {
  return {
    id: "r",
    startedAt: START,
    endedAt: START,
    method: "POST",
    path: "/v1/messages",
    session: "s1",
    agent: null,
    conversation: "s1",
    modelAsked: "claude-opus-5-5",
    modelAnswered: null,
    isStream: true,
    isPrompt: true,
    isSide: false,
    accountId: WORK,
    reason: "cheapest",
    movedFrom: null,
    movedWhy: null,
    policy: "price",
    attempts: [{ accountId: WORK, verdict: "served", status: 200 }],
    status: 200,
    waitedMs: 0,
    firstByteMs: 10,
    durationMs: 20,
    usage: {
      input: 10,
      cacheRead: 90,
      cacheWrite5m: 0,
      cacheWrite1h: 20,
      output: 5,
    },
    terms: PLAIN_TERMS,
    isPaid: false,
    stopReason: "end_turn",
    isCompaction: false,
    isCompacted: false,
    end: "complete",
    errorType: null,
    providerId: null,
    project: null,
    ...change,
  };
}

Deno.test("Tally.add() sums by session, account and pool", () => {
  const tally = new Tally(START, LIST_BOOK);
  tally.add(record({}));
  tally.add(record({ session: "s2" }));
  tally.add(record({ usage: null, session: null }));
  deepStrictEqual(tally.pool, {
    requests: 3,
    input: 20,
    cacheRead: 180,
    cacheWrite: 40,
    output: 10,
    rebuilds: 0,
    costNano: 2 * COST_NANO,
    paidNano: null,
  });
  deepStrictEqual(tally.sessions().map((s) => s.session), ["s2", "s1"]);
  strictEqual(tally.account(WORK, START).usage.requests, 3);
});

Deno.test("Tally.add() counts a rebuild when more was written than read", () => {
  const tally = new Tally(START, LIST_BOOK);
  tally.add(record({
    usage: {
      input: 1,
      cacheRead: 5,
      cacheWrite5m: 3,
      cacheWrite1h: 3,
      output: 1,
    },
  }));
  strictEqual(tally.pool.rebuilds, 1);
});

Deno.test("Tally.add() books a failed try on the account that failed", () => {
  const tally = new Tally(START, LIST_BOOK);
  tally.add(record({
    attempts: [
      { accountId: SPARE, verdict: "exhausted", status: 429 },
      { accountId: WORK, verdict: "served", status: 200 },
    ],
  }));
  deepStrictEqual(tally.account(SPARE, START).lastError, {
    at: START,
    status: 429,
    text: "exhausted",
  });
  strictEqual(tally.account(WORK, START).lastError, null);
});

Deno.test("a period of paying sums what a key cost, and ends a quarter of an hour later", () => {
  const tally = new Tally(START, LIST_BOOK);
  const at = (minutes: number) => instantFromMs(START + minutes * 60_000);
  const paid = (minutes: number) =>
    tally.add(
      record({ startedAt: at(minutes), endedAt: at(minutes), isPaid: true }),
    );
  tally.add(record({ accountId: SPARE }));
  strictEqual(tally.account(SPARE, START).paying, null);

  paid(0);
  paid(10);
  deepStrictEqual(tally.account(WORK, at(11)).paying, {
    since: at(0),
    lastAt: at(10),
    requests: 2,
    costNano: 2 * COST_NANO,
  });
  strictEqual(tally.account(WORK, at(25)).paying, null);
  paid(30);
  strictEqual(tally.account(WORK, at(30)).paying?.since, at(30));
  // What plans cover is never part of what was paid.
  strictEqual(tally.pool.paidNano, 3 * COST_NANO);
  strictEqual(tally.pool.costNano, 4 * COST_NANO);
});

Deno.test("what was paid is the sum of all accounts, those that are gone as well", () => {
  const tally = new Tally(START, LIST_BOOK);
  const at = (minutes: number) => instantFromMs(START + minutes * 60_000);
  strictEqual(tally.paying(START), null);
  for (const [accountId, minutes] of [[WORK, 0], [SPARE, 5]] as const) {
    tally.add(record({
      accountId,
      startedAt: at(minutes),
      endedAt: at(minutes),
      isPaid: true,
    }));
  }
  deepStrictEqual(tally.paying(at(6)), {
    since: START,
    lastAt: at(5),
    requests: 2,
    costNano: 2 * COST_NANO,
  });
  // Work's period has ended, a quarter of an hour after its last request.
  strictEqual(tally.paying(at(16))?.costNano, COST_NANO);
  strictEqual(tally.paying(at(20)), null);
});

/** Refusals of every kind, and what they may cost others (R4, R5, R6). */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { observation, responseFacts } from "../../src/wire/ratelimit.ts";
import { classify } from "../../src/core/verdict.ts";
import { reduce, snapshot } from "../../src/core/pool.ts";
import { route } from "../../src/core/route.ts";
import { DAY_MS, instantFromMs } from "../../src/core/time.ts";
import type { HeaderList } from "../../src/ports.ts";
import { DemoPlane, type Got, numbered } from "../fixtures/demo_plane.ts";
import {
  account,
  accountId,
  closed,
  judged,
  leaseId,
  NOW,
  opened,
  poolOf,
  query,
} from "../fixtures/pool.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { report } from "../fixtures/report.ts";
import { trials } from "../fixtures/trials.ts";

const SECOND_MS = 1_000;
const HOUR_MS = 3_600 * SECOND_MS;

function isWhole({ text }: Got): boolean {
  return text.includes("message_stop");
}

Deno.test("R4: a 429 without headers is about its request and holds nobody", async () => {
  await using plane = await DemoPlane.open();
  for (let round = 0; round < trials(20, 200); round++) {
    // Every account says so: one hop, and then the answer is believed.
    for (const name of ["a", "b", "c"]) plane.api.next(name).burst();
    const before = plane.messages().length;
    const refused = await plane.ask({ session: `r${round}`, isStream: false });
    strictEqual(refused.status, 429);
    strictEqual(plane.messages().length, before + 2);
    // Whoever comes next is asked of the provider, whichever account it is on.
    for (const name of ["a", "b", "c"]) {
      const next = await plane.ask({
        session: `n${round}${name}`,
        isStream: false,
        headers: { "x-tc-account": name },
      });
      ok(next.status === 200 || next.status === 429);
    }
    strictEqual(plane.messages().length, before + 5);
  }
  for (const { bench } of plane.kit.keeper.snapshot().accounts.values()) {
    deepStrictEqual(bench, { kind: "available" });
  }
  await plane.kit.isEmpty();
});

const RETRY_AFTERS = [
  "1",
  "54",
  "18000",
  "-5",
  "1000000000000",
  "0.5",
  "soon",
  new Date(Date.now() + 30 * SECOND_MS).toUTCString(),
  new Date(Date.now() - HOUR_MS).toUTCString(),
  null,
];

Deno.test("R4: whatever retry-after says, another account serves at once", async () => {
  await using plane = await DemoPlane.open({
    accounts: ["a", "b"],
    isUnlimited: true,
    kit: { hold: { silentMs: 30_000 } },
  });
  for (const [index, retryAfterSeconds] of RETRY_AFTERS.entries()) {
    for (const isRejected of [true, false]) {
      const session = `s${index}${isRejected}`;
      plane.api.next("a").reply(429, {
        retryAfterSeconds,
        ...(isRejected
          ? { rejected: "5h" as const, resetsInMs: SECOND_MS }
          : {}),
      });
      plane.api.next("b").serve();
      const startedMs = performance.now();
      const got = await plane.ask({ session, nonce: session });
      ok(isWhole(got), `${retryAfterSeconds}: ${got.text}`);
      const waitedMs = performance.now() - startedMs;
      // A short throttle may be waited out where the cache is.
      ok(waitedMs < 7 * SECOND_MS, `${retryAfterSeconds}: ${waitedMs} ms`);
    }
  }
  plane.assertSentOnce();
  await plane.kit.isEmpty();
});

Deno.test("R4: a refusal on one account does not touch the others' sessions", async () => {
  await using plane = await DemoPlane.open({ isUnlimited: true });
  await Promise.all(
    numbered(3, (index) =>
      plane.ask({
        session: `home-${index}`,
        headers: { "x-tc-account": ["a", "b", "c"][index] ?? "a" },
      })),
  );
  plane.api.account("a").windows({ "5h": 1 }).resetIn("5h", HOUR_MS);
  const count = trials(60, 500);
  await Promise.all(
    numbered(count, async (index) => {
      const got = await plane.ask({ session: `home-${index % 3}` });
      ok(isWhole(got));
    }),
  );
  const records = plane.kit.records.slice(3);
  for (const { session, accountId: served, waitedMs } of records) {
    if (session === "home-0") continue;
    strictEqual(served, session === "home-1" ? "b" : "c");
    ok(waitedMs < 5 * SECOND_MS, `${session} waited ${waitedMs} ms`);
  }
  const refused = plane.table().get("a")?.refused429 ?? 0;
  // The gate lets ten go at once; the others see the bench.
  ok(refused <= 10, `${refused} refusals`);
  await plane.kit.isEmpty();
});

Deno.test("R5: with all held the wait is the soonest true reset, told anew", async () => {
  await using plane = await DemoPlane.open({
    accounts: ["a", "b"],
    kit: { hold: { maxMs: 500, jsonMaxMs: 500 } },
  });
  plane.api.account("a").windows({ "5h": 1 }).resetIn("5h", 30 * SECOND_MS);
  plane.api.account("b").windows({ "5h": 1 }).resetIn("5h", 5 * HOUR_MS);
  const waits: number[] = [];
  for (let round = 0; round < 3; round++) {
    if (round > 0) await realClock.sleep(1_100);
    const got = await plane.ask({ session: "one", isStream: false });
    strictEqual(got.status, 429);
    match(got.text, /All 2 accounts are closed/);
    waits.push(Number(got.headers.get("retry-after")));
  }
  const [first = 0, second = 0, third = 0] = waits;
  ok(first <= 31 && first >= 25, `${waits}`);
  ok(second < first && third < second, `${waits}`);
  // It was asked once an account, not once a request.
  strictEqual(plane.messages().length, 2);
  await plane.kit.isEmpty();
});

Deno.test("R6: a black hole leaves nothing held once it is over", async () => {
  await using plane = await DemoPlane.open({
    isUnlimited: true,
    kit: {
      upstream: { firstByteMs: 700, idleBodyMs: 700, connectMs: 700 },
      hold: { silentMs: 20_000 },
    },
  });
  await Promise.all(
    numbered(6, (index) => plane.ask({ session: `s${index}` })),
  );
  plane.network.freeze();
  const lost = await Promise.all(
    numbered(
      12,
      (index) => plane.ask({ session: `s${index}`, nonce: `lost-${index}` }),
    ),
  );
  ok(lost.every(({ status }) => status === 502));
  plane.network.thaw();
  const startedMs = performance.now();
  const back = await Promise.all(
    numbered(
      12,
      (index) => plane.ask({ session: `s${index}`, nonce: `back-${index}` }),
    ),
  );
  ok(back.every(isWhole), "not all are back");
  const backMs = performance.now() - startedMs;
  report(`after a black hole all were served within ${Math.round(backMs)} ms`);
  plane.assertSentOnce();
  await plane.kit.isEmpty();
});

Deno.test("R6: a quota that comes back early is found within a probe interval", async () => {
  const probeMs = 2 * SECOND_MS;
  await using plane = await DemoPlane.open({
    accounts: ["a", "b"],
    kit: {
      settings: { probeMs, sweepMs: SECOND_MS },
      hold: { maxMs: 20_000, silentMs: 20_000 },
    },
  });
  for (const held of plane.api.accounts()) {
    held.windows({ "5h": 1 }).resetIn("5h", 15 * SECOND_MS);
  }
  const asking = plane.ask({ session: "one" });
  await realClock.sleep(SECOND_MS);
  // The provider refills them, and says so to nobody.
  for (const held of plane.api.accounts()) held.windows({ "5h": 0 });
  const backMs = performance.now();
  ok(isWhole(await asking));
  const tookMs = performance.now() - backMs;
  ok(tookMs <= probeMs + 2 * SECOND_MS, `it took ${Math.round(tookMs)} ms`);
  ok(isWhole(await plane.ask({ session: "two" })));
  await plane.kit.isEmpty();
});

/** Limits as they were seen, and as they never should be. */
const oddValue = fc.oneof(
  fc.constantFrom("", "0", "1", "1.01", "1.4", "-1", "NaN", "1e400", "null"),
  fc.double({ min: 0, max: 3, noNaN: true }).map(String),
);
const oddReset = fc.oneof(
  fc.constantFrom("", "0", "-1", "never", "1e30"),
  fc.integer({ min: -100, max: 600_000 })
    .map((sec) => String(NOW / SECOND_MS + sec)),
  fc.integer({ min: -10, max: 10 })
    .map((ms) => String((NOW + HOUR_MS + ms) / SECOND_MS)),
);
const oddHeaders: fc.Arbitrary<HeaderList> = fc.record({
  status: fc.constantFrom("allowed", "allowed_warning", "rejected", "", "?"),
  fiveHour: oddValue,
  week: oddValue,
  fiveHourReset: oddReset,
  weekReset: oddReset,
  retryAfter: fc.option(oddReset, { nil: null }),
}).map((odd) => [
  ["anthropic-ratelimit-unified-status", odd.status],
  ["anthropic-ratelimit-unified-5h-status", odd.status],
  ["anthropic-ratelimit-unified-5h-utilization", odd.fiveHour],
  ["anthropic-ratelimit-unified-5h-reset", odd.fiveHourReset],
  ["anthropic-ratelimit-unified-7d-utilization", odd.week],
  ["anthropic-ratelimit-unified-7d-reset", odd.weekReset],
  ...(odd.retryAfter === null
    ? []
    : [["retry-after", odd.retryAfter] as const]),
]);
const oddAnswer = fc.record({
  status: fc.constantFrom(200, 200, 429, 529, 500),
  headers: oddHeaders,
  afterMs: fc.integer({ min: 1, max: 10 * 60 * SECOND_MS }),
});

/** No window of the provider lasts longer. */
const HELD_MS_MAX = 36 * DAY_MS;

Deno.test("R6: no sequence of limits throws, or holds an account for ever", () => {
  const id = accountId("a");
  let answers = 0;
  fc.assert(
    fc.property(fc.array(oddAnswer, { maxLength: 12 }), (sequence) => {
      let state = poolOf([{ account: account("a") }]);
      let at = NOW;
      for (const [index, { status, headers, afterMs }] of sequence.entries()) {
        at = instantFromMs(at + afterMs);
        state = reduce(state, opened(`l${index}`, "a", {}, at));
        const seen = observation(headers, id, at);
        if (seen !== null) {
          state = reduce(state, { kind: "quota_observed", observation: seen });
        }
        const facts = responseFacts(status, headers, null, at);
        const verdict = classify(facts, at);
        state = reduce(state, judged(`l${index}`, verdict, at));
        state = reduce(state, closed(`l${index}`, null, at));
        answers++;
        const decision = route(snapshot(state, at), query());
        ok(decision.kind !== "refuse", "nothing but a person refuses");
        if (decision.kind === "wait" && decision.until !== null) {
          ok(decision.until > at && decision.until - at <= HELD_MS_MAX);
        }
      }
      const later = instantFromMs(at + HELD_MS_MAX);
      const last = route(snapshot(state, later), query());
      strictEqual(last.kind, "use", JSON.stringify(last));
      strictEqual(state.leases.has(leaseId("l0")), false);
    }),
    { numRuns: trials(1_000, 10_000), seed: 6 },
  );
  report(`${answers} odd answers, none held an account for ever`);
});

/** What was closed opens again, by itself and soon (R6). */

import { ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { observation, responseFacts } from "../../src/wire/answer/ratelimit.ts";
import { classify } from "../../src/core/quota/verdict.ts";
import { reduce, snapshot } from "../../src/core/pool/pool.ts";
import { route } from "../../src/core/route/route.ts";
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
  quotaWindow,
} from "../fixtures/pool.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { report } from "../fixtures/report.ts";
import { trials } from "../fixtures/trials.ts";

const SECOND_MS = 1_000;
const HOUR_MS = 3_600 * SECOND_MS;

function isWhole({ text }: Got): boolean {
  return text.includes("message_stop");
}

Deno.test("a black hole leaves nothing held once it is over", async () => {
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

Deno.test("a quota that comes back early serves as soon as the usage endpoint says so", async () => {
  await using plane = await DemoPlane.open({
    accounts: ["a", "b"],
    kit: {
      settings: { probeMs: SECOND_MS, sweepMs: SECOND_MS },
      hold: { maxMs: 20_000, silentMs: 20_000 },
    },
  });
  for (const held of plane.api.accounts()) {
    held.windows({ "5h": 1 }).resetIn("5h", 15 * SECOND_MS);
  }
  const asking = plane.ask({ session: "one" });
  await realClock.sleep(3 * SECOND_MS);
  // Both refused once and stated the reset: nobody asked them again.
  const asked = () => plane.api.requests("/v1/messages").length;
  strictEqual(asked(), 2);
  for (const held of plane.api.accounts()) held.windows({ "5h": 0 });
  const backMs = performance.now();
  const { keeper } = plane.kit;
  const { at } = keeper.snapshot();
  for (const id of keeper.state.accounts.keys()) {
    const source = "usage_endpoint" as const;
    const seen = { source, observedAt: at, status: null, resetsAt: null };
    const windows = [{ ...quotaWindow("5h", 0), ...seen }];
    keeper.dispatch({
      kind: "quota_observed",
      observation: { accountId: id, at, source, windows, overage: null },
    });
  }
  ok(isWhole(await asking));
  const tookMs = performance.now() - backMs;
  ok(tookMs <= 2 * SECOND_MS, `it took ${Math.round(tookMs)} ms`);
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

Deno.test("no sequence of limits throws, or holds an account for ever", () => {
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

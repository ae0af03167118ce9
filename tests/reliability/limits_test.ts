/** Refusals of every kind, and what they may cost others (R4, R5). */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { DemoPlane, type Got, numbered } from "../fixtures/demo_plane.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { trials } from "../fixtures/trials.ts";

const SECOND_MS = 1_000;
const HOUR_MS = 3_600 * SECOND_MS;

function isWhole({ text }: Got): boolean {
  return text.includes("message_stop");
}

Deno.test("a 429 without headers is about its request and holds nobody", async () => {
  await using plane = await DemoPlane.open({
    isUnlimited: true,
    kit: { settings: { parking: 0 } },
  });
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

Deno.test("what is parked is told the time of its turn", async () => {
  await using plane = await DemoPlane.open({
    isUnlimited: true,
    kit: { hold: { maxMs: 500, jsonMaxMs: 500 } },
  });
  for (const account of plane.api.accounts()) {
    account.windows({ "5h": 0.8 }).resetIn("5h", 4 * HOUR_MS);
    await plane.ask({
      session: `first-${account.name}`,
      headers: { "x-tc-account": account.name },
    });
  }
  await Promise.all(
    numbered(30, (index) => plane.ask({ session: `active-${index}` })),
  );
  const told = await plane.ask({ session: "late" });
  strictEqual(told.status, 429, told.text);
  ok(told.text.includes("this one is parked. Its turn comes at"), told.text);
  const resetSec = told.headers.get("anthropic-ratelimit-unified-reset");
  ok(Number(resetSec) * 1_000 > Date.now());
  // Its waiting counts from here, however often it comes back.
  ok(plane.kit.keeper.state.parked.has("late" as never));
  await plane.kit.isEmpty();
});

Deno.test("what is parked goes at the end of its hold, and does not fail", async () => {
  await using plane = await DemoPlane.open({
    isUnlimited: true,
    kit: {
      hold: {
        maxMs: 2_000,
        jsonMaxMs: 1_000,
        silentMs: 30_000,
        beyond: "retry",
      },
    },
  });
  for (const account of plane.api.accounts()) {
    account.windows({ "5h": 0.8 }).resetIn("5h", 4 * HOUR_MS);
    // Each is known and has somebody at work, however the others are spread.
    await plane.ask({
      session: `first-${account.name}`,
      headers: { "x-tc-account": account.name },
    });
  }
  // More conversations than what is left is thought to feed.
  await Promise.all(
    numbered(30, (index) => plane.ask({ session: `active-${index}` })),
  );
  for (const isStream of [true, false]) {
    const startedMs = performance.now();
    const got = await plane.ask({ session: `late-${isStream}`, isStream });
    strictEqual(got.status, 200, got.text);
    ok(performance.now() - startedMs >= 900, "nothing was parked");
  }
  await plane.kit.isEmpty();
});

/** How long a session waited whose account refused it so; throws if unserved. */
async function waitAfter(
  retryAfterSeconds: string | null,
  isRejected: boolean,
): Promise<number> {
  await using plane = await DemoPlane.open({
    accounts: ["a", "b"],
    kit: { hold: { silentMs: 30_000 } },
  });
  await plane.ask({ session: "one", headers: { "x-tc-account": "a" } });
  plane.api.next("a").reply(429, {
    retryAfterSeconds,
    ...(isRejected ? { rejected: "5h" as const, resetsInMs: HOUR_MS } : {}),
  });
  const startedMs = performance.now();
  const got = await plane.ask({ session: "one", nonce: "one" });
  ok(isWhole(got), `${retryAfterSeconds}: ${got.text}`);
  deepStrictEqual(
    plane.messages().slice(1, 2).map(({ status }) => status),
    [429],
  );
  const away = plane.asked.at(-1);
  if (isRejected) strictEqual(away, "b", `${retryAfterSeconds}`);
  plane.assertSentOnce();
  await plane.kit.isEmpty();
  return performance.now() - startedMs;
}

Deno.test("whatever retry-after says, the session is served soon", async () => {
  for (const isRejected of [true, false]) {
    const waits = await Promise.all(
      RETRY_AFTERS.map((value) => waitAfter(value, isRejected)),
    );
    for (const [index, waitMs] of waits.entries()) {
      // A throttle of up to 5 s is waited out where the cache is.
      const mostMs = isRejected ? 4 * SECOND_MS : 9 * SECOND_MS;
      ok(waitMs < mostMs, `${RETRY_AFTERS[index]}: ${Math.round(waitMs)} ms`);
    }
  }
});

Deno.test("a refusal on one account does not touch the others' sessions", async () => {
  await using plane = await DemoPlane.open({
    isUnlimited: true,
    kit: { hold: { requestsMax: 1_000 } },
  });
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
      ok(isWhole(got), `${got.status} ${got.text.slice(0, 300)}`);
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

Deno.test("with all held the wait is the soonest true reset, told anew", async () => {
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

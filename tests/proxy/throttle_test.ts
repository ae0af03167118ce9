/** Throttled accounts: how often they are asked, and how long a request waits. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import type { OriginAnswer } from "../fixtures/origin_answer.ts";
import {
  ask,
  EVENTS,
  labelOf,
  served,
  STREAM,
} from "../fixtures/proxy_client.ts";
import { errorBody } from "../fixtures/proxy_kit.ts";
import { Scene } from "../fixtures/proxy_scene.ts";
import { until } from "../fixtures/upstream_client.ts";

/** A 429 that names no spent window and says nothing of when to come again. */
const ABOUT_THE_REQUEST: OriginAnswer = {
  status: 429,
  headers: [
    ["content-type", "application/json"],
    ["anthropic-ratelimit-unified-status", "allowed"],
    ["anthropic-ratelimit-unified-5h-status", "allowed"],
    ["anthropic-ratelimit-unified-5h-utilization", "0.2"],
    ["anthropic-ratelimit-unified-7d-status", "allowed_warning"],
  ],
  body: errorBody("rate_limit_error", "Something about this request"),
};

function throttle(seconds: number): OriginAnswer {
  return {
    status: 429,
    headers: [
      ["content-type", "application/json"],
      ["retry-after", String(seconds)],
    ],
    body: errorBody("rate_limit_error", "slow down"),
  };
}

for (const isStream of [false, true]) {
  Deno.test(`a 429 about the request is relayed after one hop and benches nobody (stream: ${isStream})`, async () => {
    await using scene = new Scene();
    const { kit, origin } = scene;
    origin.always(ABOUT_THE_REQUEST);
    const startedMs = performance.now();
    const response = await ask(kit, { isStream });
    strictEqual(response.status, 429);
    strictEqual(await response.text(), ABOUT_THE_REQUEST.body);
    ok(performance.now() - startedMs < 1_000);
    strictEqual(scene.asked.length, 2);
    strictEqual(new Set(scene.asked).size, 2);
    for (const { bench } of kit.keeper.state.accounts.values()) {
      strictEqual(bench.kind, "available");
    }
    origin.always(served);
    strictEqual((await (await ask(kit)).text()).length > 0, true);
    await kit.isEmpty();
  });
}

Deno.test("a throttle that never ends is answered within the hold's limit", async () => {
  for (const seconds of [1, 2, 5]) {
    await using scene = new Scene({
      hold: { jsonMaxMs: 2_500, maxMs: 3_000, silentMs: 50 },
    });
    const { kit, origin } = scene;
    origin.always(throttle(seconds));
    const startedMs = performance.now();
    const [plain, stream] = await Promise.all([
      ask(kit).then(async (r) => [r.status, await r.text()] as const),
      ask(kit, { isStream: true }).then((r) => r.text()),
    ]);
    strictEqual(plain[0], 429);
    ok(plain[1].includes("throttled"), plain[1]);
    ok(stream.includes("rate_limit_error"), stream.slice(-300));
    const tookMs = performance.now() - startedMs;
    ok(tookMs < 4_500, `retry-after ${seconds}: ${Math.round(tookMs)} ms`);
    await kit.isEmpty();
  }
});

Deno.test("ten sessions behind a short throttle do not retry at once", async () => {
  await using scene = new Scene({ hold: { maxMs: 60_000 } });
  const { kit, origin } = scene;
  const startedMs = performance.now();
  /** Sent at, answered with a 429, by account. */
  const sends: { label: string; atMs: number; isRefused: boolean }[] = [];
  origin.always((request) => {
    const atMs = performance.now() - startedMs;
    const isRefused = atMs < 6_000;
    sends.push({ label: labelOf(request), atMs, isRefused });
    return isRefused ? throttle(1) : served(request);
  });
  const texts = await Promise.all(
    Array.from({ length: 10 }, async (_, index) => {
      const session = `0000000${index}-0000-4000-8000-000000000000`;
      return await (await ask(kit, { isStream: true, session })).text();
    }),
  );
  for (const text of texts) ok(text.endsWith(EVENTS), text.slice(-200));
  const refused = sends.filter((send) => send.isRefused);
  const volley = refused.filter(({ atMs }) => atMs < 500);
  // Ten at once, then each account is tried after 1, 3 and 7 seconds.
  ok(refused.length - volley.length <= 3 * 3, `${refused.length} refusals`);
  ok(volley.length <= 3 * 10, `${volley.length} refusals at once`);
  for (const label of ["a", "b", "c"]) {
    const times = refused.filter((send) => send.label === label)
      .map(({ atMs }) => atMs).filter((atMs) => atMs > 500);
    for (const [index, atMs] of times.entries()) {
      const before = times[index - 1] ?? 0;
      ok(atMs - before >= 950, `${label}: ${before} ms, then ${atMs} ms`);
    }
  }
  ok(performance.now() - startedMs < 20_000);
  await kit.isEmpty();
});

Deno.test("after a throttle one request tries the account and the rest follow in order", async () => {
  await using scene = new Scene({ accounts: ["a"], hold: { maxMs: 60_000 } });
  const { kit, origin } = scene;
  // A stream that runs since before the throttle is no trial and blocks nobody.
  origin.next({ ...STREAM, framing: "length", writes: [80], pauseMs: 400 });
  const long = ask(kit, { isStream: true }).then((r) => r.text());
  await until(() => origin.requests().length === 1);
  origin.next(throttle(1), { ...STREAM, delayMs: 400 });
  const asks: Promise<string>[] = [];
  for (let index = 0; index < 5; index++) {
    const session = `0000000${index}-1111-4000-8000-000000000000`;
    asks.push(ask(kit, { isStream: true, session }).then((r) => r.text()));
    await until(() => kit.keeper.state.waiting.size === index + 1);
  }
  await Promise.all(asks);
  // After the long stream, the first is refused by the throttle and then it is
  // the trial.
  const served = kit.events.flatMap((event) =>
    event.kind === "lease_opened" ? event.query.conversation ?? [] : []
  );
  deepStrictEqual(
    served.slice(1).map((conversation) => Number(conversation.slice(0, 8))),
    [0, 0, 1, 2, 3, 4],
  );
  const [trial, ...rest] = origin.requests().slice(2);
  strictEqual(rest.length, 4);
  for (const { arrivedAtMs } of rest) {
    ok(arrivedAtMs - (trial?.arrivedAtMs ?? 0) >= 390, "beside the trial");
  }
  strictEqual(kit.keeper.state.leases.size, 1, "the long stream goes on");
  await long;
  await kit.isEmpty();
});

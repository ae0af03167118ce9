/** The demo's limits on speed. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { instantFromMs, MINUTE_MS } from "../../src/core/time.ts";
import { KeyQuota } from "../../src/demo/quota/key_quota.ts";
import { Bucket, RateGate } from "../../src/demo/quota/rate_gate.ts";

const START = instantFromMs(1_800_000_000_000);

function at(ms: number) {
  return instantFromMs(START + ms);
}

Deno.test("RateGate lets as many run as its concurrency says", () => {
  const gate = new RateGate({ concurrency: 2, requestsPerMinute: 100 });
  gate.enter(at(0));
  strictEqual(gate.check(at(0)).retryAfterMs, null);
  gate.enter(at(0));
  strictEqual(gate.check(at(0)).retryAfterMs, 5_000);
  gate.leave();
  strictEqual(gate.check(at(0)).retryAfterMs, null);
});

Deno.test("RateGate counts starts within one minute", () => {
  const gate = new RateGate({ concurrency: 9, requestsPerMinute: 2 });
  for (const ms of [0, 10_000]) {
    strictEqual(gate.check(at(ms)).retryAfterMs, null);
    gate.enter(at(ms));
    gate.leave();
  }
  strictEqual(gate.check(at(20_000)).retryAfterMs, 40_000);
  strictEqual(gate.check(at(59_000)).retryAfterMs, 5_000);
  strictEqual(gate.check(at(MINUTE_MS)).retryAfterMs, null);
});

Deno.test("Bucket refills evenly and is whole after a minute", () => {
  const bucket = new Bucket(60, at(0));
  bucket.take(60, at(0));
  strictEqual(bucket.remaining(at(0)), 0);
  strictEqual(bucket.freeAt(at(0)), at(1_000));
  strictEqual(bucket.remaining(at(30_000)), 30);
  strictEqual(bucket.fullAt(at(30_000)), at(60_000));
  strictEqual(bucket.remaining(at(10 * MINUTE_MS)), 60);
});

Deno.test("Bucket may go below zero and says when one is there again", () => {
  const bucket = new Bucket(60, at(0));
  bucket.take(90, at(0));
  strictEqual(bucket.remaining(at(0)), 0);
  strictEqual(bucket.freeAt(at(0)), at(31_000));
});

Deno.test("KeyQuota is empty when any bucket is, and reads cost nothing", () => {
  const quota = new KeyQuota({
    requestsPerMinute: 10,
    inputTokensPerMinute: 600,
    outputTokensPerMinute: 60,
  }, at(0));
  quota.charge({
    input: 100,
    cacheRead: 9_999,
    cacheWrite5m: 200,
    cacheWrite1h: 100,
    output: 30,
  }, at(0));
  deepStrictEqual(
    [quota.input.remaining(at(0)), quota.output.remaining(at(0))],
    [200, 30],
  );
  strictEqual(quota.retryAt(at(0)), null);
  quota.output.take(30, at(0));
  strictEqual(quota.retryAt(at(0)), at(1_000));
});

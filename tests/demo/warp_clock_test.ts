/** The demo's clock: two times, moved only as told. */

import { ok, rejects, strictEqual } from "node:assert/strict";
import { instantFromMs } from "../../src/core/time.ts";
import { WarpClock } from "../../src/demo/warp_clock.ts";

const START = instantFromMs(1_800_000_000_000);

function frozen(): WarpClock {
  return new WarpClock({ startAt: START, scale: 0 });
}

Deno.test("WarpClock stands still at scale 0 and moves when advanced", () => {
  const clock = frozen();
  strictEqual(clock.now(), START);
  clock.advance(1_500);
  strictEqual(clock.now(), START + 1_500);
  strictEqual(clock.monotonicMs(), 1_500);
});

Deno.test("WarpClock.setWall() moves wall time alone", () => {
  const clock = frozen();
  clock.advance(10);
  clock.setWall(instantFromMs(START - 5_000));
  strictEqual(clock.now(), START - 5_000);
  strictEqual(clock.monotonicMs(), 10);
  clock.advance(1);
  strictEqual(clock.now(), START - 4_999);
});

Deno.test("WarpClock.sleep() wakes when its time has come, not before", async () => {
  const clock = frozen();
  let woken = 0;
  const first = clock.sleep(100).then(() => woken += 1);
  const second = clock.sleep(200).then(() => woken += 1);
  clock.advance(99);
  await Promise.resolve();
  strictEqual(woken, 0);
  clock.advance(1);
  await first;
  strictEqual(woken, 1);
  strictEqual(clock.sleeperCount, 1);
  clock.advance(1_000);
  await second;
  strictEqual(clock.sleeperCount, 0);
});

Deno.test("WarpClock.sleep() rejects with the signal's reason", async () => {
  const clock = frozen();
  const stop = new AbortController();
  const sleeping = clock.sleep(100, stop.signal);
  stop.abort(new RangeError("enough"));
  await rejects(sleeping, RangeError);
  await rejects(async () => await clock.sleep(1, stop.signal), RangeError);
  strictEqual(clock.sleeperCount, 0);
});

Deno.test("WarpClock runs as fast as its scale says", async () => {
  const clock = new WarpClock({ startAt: START, scale: 1_000 });
  const startedAt = performance.now();
  await clock.sleep(60_000);
  const tookMs = performance.now() - startedAt;
  ok(tookMs >= 59 && tookMs < 10_000, `took ${tookMs} ms`);
  ok(clock.now() >= START + 60_000);
});

Deno.test("WarpClock.setScale() lets sleepers wake at the new speed", async () => {
  const clock = frozen();
  const sleeping = clock.sleep(3_600_000);
  clock.setScale(1_000_000);
  await sleeping;
  ok(clock.now() >= START + 3_600_000);
});

/**
 * A few seconds of what `deno task soak` does for hours (K11), and the figure
 * that it judges by.
 */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { report } from "../fixtures/report.ts";
import { type Sample, slopeMbPerHour, soak } from "../soak/soak.ts";

Deno.test("mixed traffic leaves nothing behind", async () => {
  const found = await soak({
    durationMs: 8_000,
    sessions: 12,
    sampleMs: 1_000,
    expireMs: 1_500,
  });
  const { samples, requests, sessions, renewals } = found;
  report(
    `${requests} requests of ${sessions} sessions, ${found.left} left, ` +
      `${found.broken} broken, ${renewals} renewals`,
  );
  deepStrictEqual(found.strange, {});
  deepStrictEqual(found.sentTwice, []);
  deepStrictEqual([found.reused, found.killed], [0, 0]);
  strictEqual(found.leftOver, 0);
  ok(requests > 20 && found.left > 0 && renewals > 0, "it showed nothing");
  ok(samples.length >= 5);
});

Deno.test("slopeMbPerHour() fits a line through what is not skipped", () => {
  const samples = [0, 1, 2, 3, 4].map((hour): Sample => ({
    atMs: hour * 3_600_000,
    // 100 MB more while it warms up, then 3 MB an hour.
    rssMb: hour < 2 ? 50 : 150 + 3 * hour,
    files: 0,
    threads: 0,
  }));
  ok(Math.abs(slopeMbPerHour(samples, 0.5) - 3) < 1e-9);
  strictEqual(slopeMbPerHour(samples.slice(0, 1), 0.5), 0);
});

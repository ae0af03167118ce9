import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { Lateness } from "../../src/http/deadline.ts";
import { realClock } from "../fixtures/real_ports.ts";

Deno.test("Lateness.watch() calls after its limit and never before", async () => {
  const lateness = new Lateness();
  const startedMs = performance.now();
  const passed: number[] = [];
  // The second comes between two looks of the first.
  for (const pauseMs of [13, 0]) {
    const fromMs = performance.now();
    lateness.watch(() => passed.push(performance.now() - fromMs), 80);
    await realClock.sleep(pauseMs);
  }
  while (passed.length < 2 && performance.now() - startedMs < 5_000) {
    await realClock.sleep(5);
  }
  strictEqual(passed.length, 2);
  for (const ms of passed) ok(ms >= 79, `after ${ms} ms`);
});

Deno.test("Lateness.forget() and close() leave nobody to call", async () => {
  const lateness = new Lateness();
  const called: string[] = [];
  const first = () => called.push("first");
  lateness.watch(first, 16);
  lateness.forget(first);
  await realClock.sleep(60);
  lateness.watch(() => called.push("second"), 16);
  lateness.close();
  await realClock.sleep(60);
  deepStrictEqual(called, []);
});

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { Deadline } from "../../src/http/deadline.ts";
import { realClock } from "../fixtures/real_ports.ts";

Deno.test("Deadline.watch() calls after its limit and never before", async () => {
  const deadline = new Deadline(80);
  const startedMs = performance.now();
  const passed: number[] = [];
  // The second comes between two checks of the first.
  for (const pauseMs of [13, 0]) {
    const fromMs = performance.now();
    deadline.watch(() => passed.push(performance.now() - fromMs));
    await realClock.sleep(pauseMs);
  }
  while (passed.length < 2 && performance.now() - startedMs < 5_000) {
    await realClock.sleep(5);
  }
  strictEqual(passed.length, 2);
  for (const ms of passed) ok(ms >= 79, `after ${ms} ms`);
});

Deno.test("Deadline.forget() and close() end the wait", async () => {
  const deadline = new Deadline(16);
  const called: string[] = [];
  const first = () => called.push("first");
  deadline.watch(first);
  deadline.forget(first);
  await realClock.sleep(60);
  deadline.watch(() => called.push("second"));
  deadline.close();
  await realClock.sleep(60);
  deepStrictEqual(called, []);
});

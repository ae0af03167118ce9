import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { Deadline, Wait } from "../../src/http/deadline.ts";
import { realClock } from "../fixtures/real_ports.ts";

Deno.test("Deadline.watch() calls after its limit and never before", async () => {
  const deadline = new Deadline(80);
  const startedMs = performance.now();
  const passed: number[] = [];
  // The second comes between two checks of the first.
  for (const pauseMs of [13, 0]) {
    const fromMs = performance.now();
    deadline.watch(new Wait(() => passed.push(performance.now() - fromMs)));
    await realClock.sleep(pauseMs);
  }
  while (passed.length < 2 && performance.now() - startedMs < 5_000) {
    await realClock.sleep(5);
  }
  strictEqual(passed.length, 2);
  for (const ms of passed) ok(ms >= 79, `after ${ms} ms`);
});

Deno.test("Wait.end() and Deadline.close() end the wait", async () => {
  const deadline = new Deadline(16);
  const called: string[] = [];
  const first = new Wait(() => called.push("first"));
  deadline.watch(first);
  first.end();
  await realClock.sleep(60);
  deadline.watch(new Wait(() => called.push("second")));
  deadline.close();
  await realClock.sleep(60);
  deepStrictEqual(called, []);
});

Deno.test("many waits end and pass the limit, each by itself", async () => {
  const deadline = new Deadline(40);
  const called: number[] = [];
  const waits = Array.from({ length: 50 }, (_, n) =>
    new Wait(() => {
      called.push(n);
      // Both are late: whichever is called first ends the other.
      if (n === 4) waits[8]?.end();
      if (n === 8) waits[4]?.end();
    }));
  for (const wait of waits) deadline.watch(wait);
  for (const wait of waits.filter((_, n) => n % 4 !== 0)) wait.end();
  const other = new Deadline(60_000);
  const moved = waits[12];
  if (moved !== undefined) other.watch(moved);
  await realClock.sleep(150);
  other.close();
  deadline.close();
  const others = [...waits.keys()].filter((n) =>
    n % 4 === 0 && ![4, 8, 12].includes(n)
  );
  const either: readonly number[] = called.filter((n) => n === 4 || n === 8);
  strictEqual(either.length, 1, `of two that end each other: ${either}`);
  deepStrictEqual(
    called.filter((n) => !either.includes(n)).toSorted((a, b) => a - b),
    others,
  );
});

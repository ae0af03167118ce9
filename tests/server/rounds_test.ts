/** What the server does by itself outlives its failures and ends with it. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { Rounds } from "../../src/server/worker/rounds.ts";
import { ManualClock } from "../fixtures/manual_clock.ts";

Deno.test("Rounds continue after a failed one, and log it", async () => {
  const clock = new ManualClock();
  const lines: unknown[] = [];
  let count = 0;
  const rounds = new Rounds({
    failure: "window",
    clock,
    journal: { log: (...line) => lines.push(line) },
    round: () => {
      count++;
      return count === 2
        ? Promise.reject(new TypeError("no such thing"))
        : Promise.resolve(1_000);
    },
    afterFailureMs: 5_000,
  });
  rounds.start();
  await clock.advance(2_000);
  strictEqual(count, 2);
  await clock.advance(5_000);
  strictEqual(count, 3);
  await rounds.stop();
  await clock.advance(5_000);
  strictEqual(count, 3);
  deepStrictEqual(lines, [["warn", "window", { reason: "no such thing" }]]);
});

Deno.test("Rounds.stop() ends the current round and waits for it", async () => {
  const clock = new ManualClock();
  let isOver = false;
  const rounds = new Rounds({
    failure: "window",
    clock,
    journal: { log: () => {} },
    round: async (signal) => {
      await clock.sleep(60_000, signal).finally(() => (isOver = true));
      return 1_000;
    },
    afterFailureMs: 1_000,
  });
  rounds.start();
  await clock.advance(1_000);
  strictEqual(isOver, false);
  await rounds.stop();
  strictEqual(isOver, true);
});

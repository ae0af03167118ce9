/** Own requests are sent only where they are asked for, and once. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { WindowOpener } from "../../src/server/worker/window_opener.ts";
import type { ApiCall } from "../../src/control/routes.ts";
import { snapshot } from "../../src/core/pool/pool.ts";
import type { QuotaObservation } from "../../src/core/quota/quota.ts";
import type { OpenWindows } from "../../src/core/settings.ts";
import { DAY_MS, HOUR_MS } from "../../src/core/time.ts";
import type { LogFields } from "../../src/ports.ts";
import { ManualClock } from "../fixtures/manual_clock.ts";
import { account, poolOf, quotaWindow } from "../fixtures/pool.ts";

const STEP_MS = HOUR_MS / 6;

/** A pool whose person worked from 9 to 18 UTC yesterday and the day before. */
function opener(
  openWindows: OpenWindows,
  answers: Promise<void> = Promise.resolve(),
) {
  const clock = new ManualClock();
  const midnight = Math.floor(clock.now() / DAY_MS) * 24;
  const activeHours = [1, 2].flatMap((day) =>
    Array.from({ length: 9 }, (_, hour) => midnight - day * 24 + 9 + hour)
  );
  const state = {
    ...poolOf([
      { account: account("idle"), windows: [quotaWindow("7d", 0.1)] },
      { account: account("key", { kind: "api_key" }), windows: [] },
    ], { openWindows }),
    activeHours,
  };
  const calls: ApiCall[] = [];
  const sentAt: number[] = [];
  const seen: QuotaObservation[] = [];
  const lines: LogFields[] = [];
  const subject = new WindowOpener({
    clock,
    journal: { log: (_level, _event, fields) => lines.push(fields) },
    snapshot: () => snapshot(state, clock.now()),
    utcOffsetMinutes: () => 0,
    call: async (call) => {
      calls.push(call);
      sentAt.push(clock.now());
      await answers;
      return {
        schema: "tc.call/v1",
        account: "idle",
        status: 200,
        headers: [["anthropic-ratelimit-unified-5h-utilization", "0.01"]],
        body: "{}",
      };
    },
    observed: (observation) => seen.push(observation),
  });
  return { clock, subject, calls, sentAt, seen, lines };
}

Deno.test("WindowOpener opens an idle window once, before the working hours", async () => {
  const { clock, subject, calls, sentAt, seen, lines } = opener("scheduled");
  subject.start();
  await clock.advance(23 * HOUR_MS, STEP_MS);
  await subject.stop();
  strictEqual(calls.length, 1);
  strictEqual(calls[0]?.account, "idle");
  strictEqual(JSON.parse(calls[0]?.body ?? "").max_tokens, 1);
  const hour = ((sentAt[0] ?? 0) % DAY_MS) / HOUR_MS;
  ok(hour >= 6 && hour < 6.5, `sent at ${hour}`);
  deepStrictEqual(seen.map(({ accountId }) => accountId as string), ["idle"]);
  match(String(lines[0]?.["sent"]), /1 request, .*max_tokens 1/);
});

Deno.test("WindowOpener sends nothing unless it is asked to", async () => {
  for (const setting of ["passive", "off"] as const) {
    const { clock, subject, calls } = opener(setting);
    subject.start();
    await clock.advance(23 * HOUR_MS, STEP_MS);
    await subject.stop();
    strictEqual(calls.length, 0);
  }
});

Deno.test("WindowOpener ends although its request has no answer", async () => {
  const never = Promise.withResolvers<void>();
  const { clock, subject, calls } = opener("scheduled", never.promise);
  subject.start();
  await clock.advance(23 * HOUR_MS, STEP_MS);
  strictEqual(calls.length, 1);
  let isStopped = false;
  subject.stop().then(() => isStopped = true);
  await clock.advance(STEP_MS, STEP_MS);
  strictEqual(isStopped, true);
  never.resolve();
});

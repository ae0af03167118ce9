/** A provider that answers nothing but 529 for a while (R7). */

import { ok, strictEqual } from "node:assert/strict";
import { DemoPlane, type Got } from "../fixtures/demo_plane.ts";
import { realClock } from "../fixtures/real_ports.ts";
import { report } from "../fixtures/report.ts";
import { trials } from "../fixtures/trials.ts";

const PER_SECOND = 50;
const SECOND_MS = 1_000;

/** Sends evenly for so long; resolves when all have been answered. */
async function load(
  plane: DemoPlane,
  lengthMs: number,
  name: string,
): Promise<readonly Got[]> {
  const running: Promise<Got>[] = [];
  const startedMs = performance.now();
  const count = lengthMs / SECOND_MS * PER_SECOND;
  for (let index = 0; index < count; index++) {
    const dueMs = startedMs + index * SECOND_MS / PER_SECOND;
    await realClock.sleep(Math.max(0, dueMs - performance.now()));
    running.push(plane.ask({
      session: `${name}-${index}`,
      nonce: `${name}-${index}`,
      text: "demo:say ok",
    }));
  }
  return await Promise.all(running);
}

Deno.test("a storm of 529 is not made worse, and is over when it is over", async () => {
  const stormMs = trials(6, 60) * SECOND_MS;
  await using plane = await DemoPlane.open({
    accounts: ["a", "b", "c", "d"],
    isUnlimited: true,
    kit: { settings: { parking: 0 } },
  });
  const { api } = plane;
  for (const account of api.accounts()) account.refuse("overloaded");
  const startedMs = performance.now();
  const answers = await load(plane, stormMs, "storm");
  const tookMs = performance.now() - startedMs;
  const sends = plane.messages().length;
  const amplification = sends / answers.length;
  report(
    `529 for ${stormMs / SECOND_MS} s: ${answers.length} requests, ${sends} ` +
      `sends, amplification ${amplification.toFixed(3)}`,
  );
  ok(answers.every(({ status }) => status === 529 || status === 200));
  // A fifth of the requests, and five for each second that the machine lost.
  const lostMs = Math.max(0, tookMs - stormMs);
  const most = 0.2 * answers.length + 5 * Math.ceil(lostMs / SECOND_MS);
  ok(sends - answers.length <= most, `amplification ${amplification}`);

  for (const account of api.accounts()) account.serve();
  const calm = await load(plane, SECOND_MS, "calm");
  strictEqual(calm.filter(({ status }) => status === 200).length, calm.length);
  strictEqual(plane.messages().length, sends + calm.length);
  plane.assertSentOnce();
  await plane.kit.isEmpty();
});

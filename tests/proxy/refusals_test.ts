/** Refused requests in the log: anybody who can connect can cause them. */

import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { Clock } from "../../src/ports.ts";
import { Scene } from "../fixtures/proxy_scene.ts";
import { realClock } from "../fixtures/real_ports.ts";

Deno.test("refusals are logged in twenty lines a minute, and the rest is counted", async () => {
  let nowMs = 0;
  const clock: Clock = { ...realClock, monotonicMs: () => nowMs };
  await using scene = new Scene({ clock });
  const { kit } = scene;
  async function knock(): Promise<void> {
    const response = await fetch(`${kit.url}/x?key=1`);
    strictEqual(response.status, 401);
    await response.body?.cancel();
  }
  const refused = () =>
    kit.lines.map((line) => JSON.parse(line)).filter(({ event }) =>
      event === "refused"
    );
  for (let index = 0; index < 60; index++) await knock();
  strictEqual(refused().length, 20);
  strictEqual(refused()[0].path, "/x");
  nowMs = 60_000;
  await knock();
  deepStrictEqual(refused().slice(20).map(({ more }) => more ?? null), [
    40,
    null,
  ]);
});

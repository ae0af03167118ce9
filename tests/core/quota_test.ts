import { ok, strictEqual } from "node:assert/strict";
import { snapshot } from "../../src/core/pool/pool.ts";
import { windowLengthMs } from "../../src/core/quota/quota.ts";
import { route } from "../../src/core/route/route.ts";
import { DAY_MS, HOUR_MS } from "../../src/core/time.ts";
import { account, NOW, poolOf, query, quotaWindow } from "../fixtures/pool.ts";

Deno.test("windowLengthMs() reads the length off the key, within bounds", () => {
  strictEqual(windowLengthMs("5h"), 5 * HOUR_MS);
  strictEqual(windowLengthMs("7d_oi"), 7 * DAY_MS);
  strictEqual(windowLengthMs("monthly"), 5 * HOUR_MS);
  for (const digits of ["999999", "9".repeat(20), "9".repeat(400)]) {
    const lengthMs = windowLengthMs(`${digits}d`);
    ok(lengthMs <= 366 * DAY_MS, `${lengthMs} ms`);
  }
});

Deno.test("a window with a senseless name stops no request", () => {
  const window = quotaWindow(`${"9".repeat(400)}d`, 0.5, { resetsAt: null });
  const state = poolOf([{ account: account("a"), windows: [window] }]);
  strictEqual(route(snapshot(state, NOW), query()).kind, "use");
});

/** forecast(): when windows run out, and how long the pool lasts. */

import { ok, strictEqual } from "node:assert/strict";
import { forecast } from "../../src/core/forecast.ts";
import { snapshot } from "../../src/core/pool.ts";
import type { AccountState } from "../../src/core/state.ts";
import { HOUR_MS } from "../../src/core/time.ts";
import {
  account,
  inHours,
  inSeconds,
  NOW,
  patch,
  poolOf,
  quotaWindow,
} from "../fixtures/pool.ts";

const WINDOWS = [
  quotaWindow("5h", 0.5, { resetsAt: inHours(3) }),
  quotaWindow("7d", 0.1, { resetsAt: inHours(100) }),
];

/** An account of a million tokens in five hours that gives so many an hour. */
function giving(tokens: number) {
  return (before: AccountState): AccountState => ({
    ...before,
    learned: {
      ...before.learned,
      fiveHourTokens: 1_000_000,
      weekInFiveHours: 8,
    },
    burn: [{ at: inSeconds(-900), tokens }],
  });
}

function pool(tokens: number) {
  return patch(
    poolOf([{ account: account("a"), windows: WINDOWS }]),
    "a",
    giving(tokens),
  );
}

Deno.test("forecast() says when a window runs out at the present pace", () => {
  const { windows, tokensPerHour } = forecast(snapshot(pool(250_000), NOW));
  strictEqual(tokensPerHour, 250_000);
  const fiveHour = windows.find(({ key }) => key === "5h");
  // Half a million left, a quarter of a million an hour.
  strictEqual(fiveHour?.spentAt, inHours(2));
  const week = windows.find(({ key }) => key === "7d");
  strictEqual(week?.spentAt, inHours(7.2 / 0.25));
});

Deno.test("forecast() says nothing runs out that lasts to its reset", () => {
  const { windows, lastsUntil } = forecast(snapshot(pool(40_000), NOW));
  strictEqual(windows.find(({ key }) => key === "5h")?.spentAt, null);
  strictEqual(lastsUntil, null);
});

Deno.test("forecast() adds up the pool until nothing is left", () => {
  const { lastsUntil, isGuess } = forecast(snapshot(pool(250_000), NOW));
  // The window is empty after two hours, an hour before its reset.
  ok(Math.abs(Number(lastsUntil) - inHours(2)) <= HOUR_MS / 4);
  strictEqual(isGuess, false);
});

Deno.test("forecast() counts on a second account", () => {
  const both = poolOf([
    { account: account("a"), windows: WINDOWS },
    { account: account("b") },
  ]);
  const state = patch(both, "a", giving(250_000));
  const { lastsUntil, isGuess } = forecast(snapshot(state, NOW));
  ok(lastsUntil === null || lastsUntil > inHours(6));
  strictEqual(isGuess, true, "the second account is unlearned");
});

Deno.test("forecast() of an idle pool has no end", () => {
  const { lastsUntil, windows } = forecast(
    snapshot(poolOf([{ account: account("a") }]), NOW),
  );
  strictEqual(lastsUntil, null);
  strictEqual(windows.length, 0);
});

/** forecast(): when windows run out, and how long the pool lasts. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import {
  burnSpread,
  forecast,
  meanBetween,
  runsOutBetween,
} from "../../src/core/quota/forecast.ts";
import { snapshot } from "../../src/core/pool/pool.ts";
import type { AccountState } from "../../src/core/pool/state.ts";
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

/** So many tokens each five minutes, the newest last. */
function burning(each: readonly number[]) {
  return each.map((tokens, index) => ({
    at: inSeconds(-300 * (each.length - 1 - index)),
    tokens,
  }));
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

Deno.test("burnSpread() of a steady burn has no variance", () => {
  const spread = burnSpread(burning(new Array(37).fill(20_000)), NOW);
  deepStrictEqual(spread, { mean: 20_000, variance: 0 });
});

Deno.test("burnSpread() takes quarters of an hour for one draw", () => {
  // In twelve whole quarters, every other one gives nothing: 6 each, or 0.
  const quarters = Array.from(
    { length: 36 },
    (_, index) => Math.floor(index / 3) % 2 === 0 ? 0 : 2,
  );
  const spread = burnSpread(burning([...quarters, 1]), NOW);
  // The last hour: eleven whole five minutes, of which six gave 2, and a 1.
  strictEqual(spread?.mean, 13 / 12);
  const [low, high] = [3 * 13 / 12, 6 - 3 * 13 / 12];
  const expected = 6 * (low * low + high * high) / 36;
  ok(Math.abs(Number(spread?.variance) - expected) < 1e-9);
});

Deno.test("burnSpread() knows nothing where nothing was burnt in the last hour", () => {
  strictEqual(burnSpread([], NOW), null);
  strictEqual(
    burnSpread([{ at: inSeconds(-2 * 3_600), tokens: 5_000 }], NOW),
    null,
  );
});

Deno.test("runsOutBetween() is where the bounds of the burn meet what is left", () => {
  const FIVE_MINUTES = 300_000;
  const steady = runsOutBetween(12, { mean: 1, variance: 0 });
  deepStrictEqual(steady, {
    soonest: 12 * FIVE_MINUTES,
    latest: 12 * FIVE_MINUTES,
  });
  // 1.7² times the variance is 1: (1 - 1/12) k² - 25 k + 144 = 0.
  const spread = { mean: 1, variance: 1 / (1.7 * 1.7) };
  const { soonest, latest } = runsOutBetween(12, spread);
  ok(Math.abs(Number(soonest) / FIVE_MINUTES - 8.2642) < 0.001);
  ok(Math.abs(Number(latest) / FIVE_MINUTES - 19.0085) < 0.001);
  // A burn that may as well be nothing has no latest end.
  const wild = runsOutBetween(12, { mean: 1, variance: 12 });
  strictEqual(wild.latest, null);
  ok(Number(wild.soonest) > 0);
});

Deno.test("meanBetween() is wider for a short time than for a long one", () => {
  const spread = { mean: 10, variance: 12 };
  const long = meanBetween(spread, 1e12);
  // What is left of it is the error of the hour's mean: 1.7 * sqrt(12 / 12).
  ok(Math.abs(long.high - 11.7) < 0.001);
  ok(Math.abs(long.low - 8.3) < 0.001);
  ok(meanBetween(spread, 300_000).high > long.high);
  strictEqual(meanBetween({ mean: 1, variance: 100 }, 300_000).low, 0);
});

Deno.test("forecast() gives a steady burn the rounding of the figures alone", () => {
  const steady = patch(pool(0), "a", (before) => ({
    ...before,
    burn: burning(new Array(37).fill(250_000 / 12)),
  }));
  const { windows, lastsBetween } = forecast(snapshot(steady, NOW));
  const between = windows.find(({ key }) => key === "5h")?.spentBetween;
  deepStrictEqual(between, {
    soonest: inHours(1.98),
    latest: inHours(2.02),
  });
  strictEqual(lastsBetween?.soonest, lastsBetween?.latest);
});

Deno.test("forecast() names no time of an interval that is past the reset", () => {
  const { windows } = forecast(snapshot(pool(170_000), NOW));
  const window = windows.find(({ key }) => key === "5h");
  // One burst in an hour: soon, or not before the reset in three hours.
  strictEqual(window?.spentAt, inHours(0.5 / 0.17));
  ok(Number(window?.spentBetween?.soonest) < inHours(2));
  strictEqual(window?.spentBetween?.latest, null);
});

Deno.test("forecast() gives no interval to what is spent, or to nothing burnt", () => {
  const idle = forecast(snapshot(pool(0), NOW));
  deepStrictEqual(idle.windows.map((one) => one.spentBetween), [null, null]);
  strictEqual(idle.lastsBetween, null);
});

Deno.test("tokens that hardly moved the provider's figure disprove a small guess", () => {
  const busy = (before: AccountState): AccountState => ({
    ...before,
    learned: {
      fiveHourTokens: null,
      weekInFiveHours: null,
      // An hour of 24 requests a second, and the figure rose by a hundredth.
      evidence: { tokens: 90_000_000, fiveHourRise: 0.01, weekRise: 0 },
    },
    burn: [{ at: inSeconds(-900), tokens: 90_000_000 }],
  });
  const windows = [
    quotaWindow("5h", 0.1, { resetsAt: inHours(4) }),
    quotaWindow("7d", 0.1, { resetsAt: inHours(100) }),
  ];
  const before = poolOf([{ account: account("a"), windows }]);
  const { lastsUntil } = forecast(snapshot(patch(before, "a", busy), NOW));
  ok(
    lastsUntil === null || lastsUntil - NOW > 24 * HOUR_MS,
    `${lastsUntil === null ? null : (lastsUntil - NOW) / HOUR_MS} hours`,
  );
});

Deno.test("while one window is used up no other is said to run out before its reset", () => {
  const week = (utilization: number, used: number) =>
    forecast(snapshot(
      patch(
        poolOf([{
          account: account("a"),
          windows: [
            quotaWindow("5h", used, { resetsAt: inHours(3) }),
            quotaWindow("7d", utilization, { resetsAt: inHours(100) }),
          ],
        }]),
        "a",
        giving(250_000),
      ),
      NOW,
    )).windows.find(({ key }) => key === "7d");
  // A quarter of a million tokens an hour are 1/32 of the week.
  const soon = week(0.97, 0.5);
  ok(soon?.spentAt !== null && soon?.spentAt !== undefined);
  ok(soon.spentAt < inHours(3));
  strictEqual(week(0.97, 1)?.spentAt, null);
  strictEqual(week(0.97, 1)?.spentBetween, null);
  // What ends later than that reset is told as before.
  strictEqual(week(0.8, 1)?.spentAt, week(0.8, 0.5)?.spentAt);
  ok((week(0.8, 1)?.spentAt ?? 0) > inHours(3));
});

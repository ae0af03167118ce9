import { deepStrictEqual, strictEqual } from "node:assert/strict";
import type { UsageSum } from "../../src/control/status_view.ts";
import { Curves } from "../../src/records/curves.ts";
import {
  account,
  inHours,
  NOW,
  poolOf,
  quotaWindow,
} from "../fixtures/pool.ts";

const NOTHING: UsageSum = {
  requests: 0,
  input: 0,
  cacheRead: 0,
  cacheWrite: 0,
  output: 0,
  rebuilds: 0,
  costNano: null,
  paidNano: null,
};

function stage() {
  let usage = NOTHING;
  let used = 0.1;
  const state = () =>
    poolOf([{
      account: account("work"),
      windows: [quotaWindow("5h", used, { resetsAt: inHours(2) })],
    }, { account: account("new") }]);
  const curves = new Curves({
    clock: {
      now: () => NOW,
      monotonicMs: () => 0,
      sleep: () => Promise.reject(new Error("nobody waits")),
    },
    accounts: () => state().accounts.values(),
    usage: () => usage,
  });
  return {
    curves,
    minute: (part: Partial<UsageSum>, share: number) => {
      usage = { ...usage, ...part };
      used = share;
      curves.sample();
    },
  };
}

Deno.test("Curves keep what each minute added, and how full each window was", () => {
  const { curves, minute } = stage();
  minute({ input: 100, cacheRead: 900, output: 50 }, 0.2);
  minute({ input: 100, cacheRead: 900, output: 80 }, 0.25);
  minute({ input: 400, cacheRead: 1_000, output: 80 }, 0.3);
  const view = curves.view();
  strictEqual(view.stepMs, 60_000);
  deepStrictEqual(view.tokens, [150, 30, 300]);
  deepStrictEqual(view.hits, [0.9, null, 0.25]);
  deepStrictEqual(view.windows, [
    { account: "work", key: "5h", used: [0.2, 0.25, 0.3] },
  ]);
});

Deno.test("Curves hold five hours and no more", () => {
  const { curves, minute } = stage();
  for (let step = 1; step <= 400; step++) minute({ output: step }, 0.5);
  const { tokens, hits, windows } = curves.view();
  deepStrictEqual(
    [tokens.length, hits.length, windows[0]?.used.length],
    [300, 300, 300],
  );
});

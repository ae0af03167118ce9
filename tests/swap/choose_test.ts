import { deepStrictEqual, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import type { Account } from "../../src/core/account.ts";
import { DEFAULT_ROUTE_SETTINGS } from "../../src/core/settings.ts";
import { after, HOUR_MS, instantFromMs } from "../../src/core/time.ts";
import {
  type Candidate,
  choose,
  isSpentUntilReset,
  MARGIN,
  score,
  usableAt,
  type Wish,
} from "../../src/swap/choose.ts";
import { trials } from "../fixtures/trials.ts";
import { idOf } from "../fixtures/vault_kit.ts";

const AT = instantFromMs(1_790_000_000_000);
const USAGE = {
  fiveHour: 0.5,
  week: 0.2,
  fiveHourResetsAt: after(AT, HOUR_MS),
  weekResetsAt: after(AT, 24 * HOUR_MS),
  at: AT,
};

function candidate(
  id: string,
  fiveHour: number,
  changes: Partial<Account> = {},
): Candidate {
  return {
    account: {
      id: idOf(id),
      label: id,
      kind: "subscription",
      tier: "max_5x",
      priority: 0,
      enabled: true,
      leasesMax: null,
      utilizationMax: null,
      signInEndsAt: null,
      ...changes,
    },
    observation: {
      accountId: idOf(id),
      at: AT,
      source: "usage_endpoint",
      windows: [{
        key: "5h",
        utilization: fiveHour,
        status: null,
        lengthMs: 5 * HOUR_MS,
        resetsAt: after(AT, HOUR_MS),
        observedAt: AT,
        source: "usage_endpoint",
        family: null,
      }],
      overage: null,
    },
  };
}

const WISH: Wish = {
  settings: {
    ...DEFAULT_ROUTE_SETTINGS,
    policy: "least-used",
    leastUsedThreshold: 0,
  },
  at: AT,
  current: null,
  limited: new Set(),
};

Deno.test("score() is the fuller window, and unknown is not 0", () => {
  strictEqual(score(USAGE), 0.5);
  strictEqual(score({ ...USAGE, week: 0.9 }), 0.9);
  strictEqual(score({ ...USAGE, fiveHour: null, week: null }), null);
});

Deno.test("usableAt() is the latest reset of what is spent", () => {
  strictEqual(usableAt(USAGE), null);
  strictEqual(usableAt({ ...USAGE, fiveHour: 1 }), USAGE.fiveHourResetsAt);
  strictEqual(
    usableAt({ ...USAGE, fiveHour: 1, week: 1.2 }),
    USAGE.weekResetsAt,
  );
  const unsaid = { ...USAGE, fiveHour: 1, fiveHourResetsAt: null };
  strictEqual(usableAt(unsaid), null);
  strictEqual(isSpentUntilReset(unsaid, AT), false);
});

Deno.test("choose() skips used-up accounts, and returns null when all are", () => {
  strictEqual(choose([candidate("a", 1), candidate("b", 1.5)], WISH), null);
  strictEqual(choose([candidate("a", 1), candidate("b", 0.99)], WISH), "b");
});

Deno.test("choose() puts priority before the figures", () => {
  const candidates = [
    candidate("a", 0.1, { priority: 1 }),
    candidate("b", 0.6),
  ];
  strictEqual(choose(candidates, WISH), "b");
  strictEqual(choose(candidates, { ...WISH, current: idOf("a") }), "b");
});

Deno.test("choose() never moves for less than the margin, and settles at once", () => {
  const part = fc.double({ min: 0, max: 1.1, noNaN: true });
  fc.assert(
    fc.property(
      fc.array(part, { minLength: 1, maxLength: 5 }),
      fc.nat(4),
      (parts, at) => {
        const candidates = parts.map((used, index) =>
          candidate(`acc${index}`, used)
        );
        const current = candidates[at % parts.length]?.account.id ?? null;
        const chosen = choose(candidates, { ...WISH, current });
        if (chosen === null) return parts.every((used) => used >= 1);
        const usedOf = (id: string | null) =>
          parts[Number(id?.slice(3))] ?? Infinity;
        const isMoved = chosen !== current;
        const isWorth = usedOf(current) >= 1 ||
          usedOf(current) - usedOf(chosen) >= MARGIN - 1e-9;
        const again = choose(candidates, { ...WISH, current: chosen });
        return (!isMoved || isWorth) && again === chosen;
      },
    ),
    { numRuns: trials(200, 10_000) },
  );
});

Deno.test("choose() skips an account that has just refused, unless it is the only one", () => {
  const limited = new Set([idOf("a")]);
  const wish = { ...WISH, current: idOf("a"), limited };
  deepStrictEqual(
    [
      choose([candidate("a", 0.1), candidate("b", 0.9)], wish),
      choose([candidate("a", 0.1), candidate("b", 1)], wish),
    ],
    ["b", "a"],
  );
});

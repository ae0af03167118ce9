/** nextStep(): what follows each verdict, and the retry budget. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { snapshot } from "../../src/core/pool/pool.ts";
import {
  type Attempt,
  FIRST_ATTEMPT,
  nextStep,
  retriesLeft,
} from "../../src/core/quota/retry.ts";
import type { CapacityVerdict } from "../../src/core/quota/verdict.ts";
import {
  account,
  fold,
  inHours,
  inSeconds,
  NOW,
  opened,
  poolOf,
} from "../fixtures/pool.ts";

function attempt(parts: Partial<Attempt> = {}): Attempt {
  return { ...FIRST_ATTEMPT, now: NOW, retriesLeft: 10, ...parts };
}

function throttled(seconds: number): CapacityVerdict {
  return { kind: "throttled", until: inSeconds(seconds), isStated: true };
}

Deno.test("nextStep() relays what was served and what the request deserves", () => {
  deepStrictEqual(nextStep({ kind: "served" }, attempt()), { kind: "relay" });
  deepStrictEqual(
    nextStep({ kind: "request_refused", status: 400 }, attempt()),
    { kind: "relay" },
  );
});

Deno.test("nextStep() reroutes a spent or throttled account as often as it takes", () => {
  const spent: CapacityVerdict = {
    kind: "exhausted",
    window: "5h",
    family: null,
    until: inHours(1),
  };
  const step = { kind: "reroute", exclude: false, mayWait: true };
  for (const verdict of [spent, throttled(4), throttled(90)]) {
    deepStrictEqual(nextStep(verdict, attempt()), step);
    deepStrictEqual(nextStep(verdict, attempt({ hops: 5 })), step);
  }
});

Deno.test("nextStep() hops once for a 429 without headers, then relays it", () => {
  const verdict: CapacityVerdict = { kind: "request_throttled" };
  deepStrictEqual(nextStep(verdict, attempt()), {
    kind: "reroute",
    exclude: true,
    mayWait: false,
  });
  deepStrictEqual(nextStep(verdict, attempt({ hops: 1 })), { kind: "relay" });
});

Deno.test("nextStep() backs off on the same account, hops once, then relays", () => {
  const verdict: CapacityVerdict = { kind: "overloaded", retryAt: null };
  deepStrictEqual(nextStep(verdict, attempt()), {
    kind: "retry_same",
    afterMs: 250,
  });
  deepStrictEqual(nextStep(verdict, attempt({ failures: 1, jitter: 1 })), {
    kind: "retry_same",
    afterMs: 1_000,
  });
  deepStrictEqual(nextStep(verdict, attempt({ failures: 2 })), {
    kind: "reroute",
    exclude: true,
    mayWait: false,
  });
  deepStrictEqual(nextStep(verdict, attempt({ failures: 3, hops: 1 })), {
    kind: "relay",
  });
});

Deno.test("nextStep() relays a failure at once when the budget is spent", () => {
  const spent = attempt({ retriesLeft: 0 });
  deepStrictEqual(nextStep({ kind: "failed", status: 500 }, spent), {
    kind: "relay",
  });
});

Deno.test("nextStep() renews an expired credential once, then goes elsewhere", () => {
  const expired: CapacityVerdict = { kind: "credential", fault: "expired" };
  const away = { kind: "reroute", exclude: true, mayWait: true };
  deepStrictEqual(nextStep(expired, attempt()), { kind: "renew" });
  deepStrictEqual(nextStep(expired, attempt({ renewals: 1 })), away);
  for (
    const fault of [
      "forbidden",
      "oauth_refused",
      "organization_disabled",
    ] as const
  ) {
    deepStrictEqual(nextStep({ kind: "credential", fault }, attempt()), away);
  }
});

Deno.test("nextStep() never sends again what may have been received", () => {
  const sent: CapacityVerdict = { kind: "unreachable", sent: true };
  for (const unsent of [0, 1, 2]) {
    for (const hops of [0, 1]) {
      deepStrictEqual(nextStep(sent, attempt({ unsent, hops })), {
        kind: "give_up",
      });
    }
  }
});

Deno.test("nextStep() tries what never left this machine again, then elsewhere", () => {
  const unsent: CapacityVerdict = { kind: "unreachable", sent: false };
  strictEqual(nextStep(unsent, attempt()).kind, "retry_same");
  deepStrictEqual(nextStep(unsent, attempt({ unsent: 1 })), {
    kind: "reroute",
    exclude: true,
    mayWait: false,
  });
  deepStrictEqual(nextStep(unsent, attempt({ unsent: 2, hops: 1 })), {
    kind: "give_up",
  });
});

/** Repeats made in a minute in which each request wants two. */
function repeatsIn(requestsPerSecond: number): number {
  let state = poolOf([{ account: account("a") }]);
  let repeats = 0;
  for (let tick = 0; tick < 60 * requestsPerSecond; tick++) {
    const at = inSeconds(tick / requestsPerSecond);
    state = fold(state, opened(`r${tick}`, "a", {}, at));
    for (let wish = 0; wish < 2; wish++) {
      if (retriesLeft(snapshot(state, at)) < 1) continue;
      state = fold(
        state,
        { kind: "retry_sent", at },
        opened(`r${tick}.${wish}`, "a", {}, at),
      );
      repeats++;
    }
  }
  return repeats;
}

Deno.test("retriesLeft() allows a fifth of the requests, or five a second", () => {
  // 3,000 requests: their share is more than what time gives.
  const many = repeatsIn(50);
  ok(many <= 0.2 * 3_000 && many >= 0.95 * 0.2 * 3_000, `${many} repeats`);
  // 300 requests: time gives more, and a second's worth is there at once.
  const few = repeatsIn(5);
  ok(few <= 5 * 61 && few >= 0.95 * 5 * 60, `${few} repeats`);
});

/** price: what staying is worth to a conversation whose cache is gone. */

import { strictEqual } from "node:assert/strict";
import type { Tier } from "../../../src/core/account.ts";
import { snapshot } from "../../../src/core/pool/pool.ts";
import { route } from "../../../src/core/route/route.ts";
import {
  account,
  conversationId,
  fold,
  inHours,
  inSeconds,
  poolOf,
  query,
  quotaWindow,
  servedOn,
} from "../../fixtures/pool.ts";

/** Where a cold conversation of `b` goes when the week of `a` ends sooner. */
function goesTo(
  tier: Tier,
  { used, contextTokens }: {
    readonly used: number;
    readonly contextTokens: number;
  },
): string | null {
  const known = [["a", 72], ["b", 96]] as const;
  const pool = fold(
    poolOf(known.map(([name, hours]) => ({
      account: account(name, { tier }),
      windows: [
        quotaWindow("5h", name === "b" ? used : 0.3),
        quotaWindow("7d", 0.5, { resetsAt: inHours(hours) }),
      ],
    }))),
    ...servedOn("b", "s1"),
  );
  const decision = route(
    snapshot(pool, inSeconds(900)),
    query({ conversation: conversationId("s1"), contextTokens }),
  );
  return decision.kind === "use" ? decision.accountId : null;
}

Deno.test("price stays for small windows, where the next move would be near", () => {
  strictEqual(goesTo("pro", { used: 0.3, contextTokens: 50_000 }), "b");
  strictEqual(goesTo("max_20x", { used: 0.3, contextTokens: 50_000 }), "a");
});

Deno.test("price leaves a window that the cache written anew would fill", () => {
  strictEqual(goesTo("pro", { used: 0.7, contextTokens: 10_000 }), "b");
  strictEqual(goesTo("pro", { used: 0.93, contextTokens: 100_000 }), "a");
});

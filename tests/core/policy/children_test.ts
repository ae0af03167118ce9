/** Where a sub-agent starts, as README and docs/routing.md say it. */

import { match, ok, strictEqual } from "node:assert/strict";
import { snapshot } from "../../../src/core/pool/pool.ts";
import { route } from "../../../src/core/route/route.ts";
import { POLICY_NAMES, type PolicyName } from "../../../src/core/settings.ts";
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
import { ROOT } from "../../fixtures/paths.ts";

/** Where the child of a conversation at work on `b` starts, and why. */
function child(
  policy: PolicyName,
  used: { readonly a: number; readonly b: number },
): string {
  const pool = fold(
    poolOf(
      (["a", "b"] as const).map((name) => ({
        account: account(name, { tier: "max_5x" }),
        windows: [
          quotaWindow("5h", used[name]),
          quotaWindow("7d", used[name], { resetsAt: inHours(90) }),
        ],
      })),
      { policy },
    ),
    ...servedOn("b", "main"),
  );
  const decision = route(
    snapshot(pool, inSeconds(30)),
    query({
      conversation: conversationId("child"),
      parent: conversationId("main"),
      contextTokens: 20_000,
    }),
  );
  return decision.kind === "use"
    ? `${decision.accountId}: ${decision.reason}`
    : decision.kind;
}

Deno.test("a sub-agent starts at its parent's account where all else is equal, by every policy", () => {
  for (const policy of POLICY_NAMES) {
    match(child(policy, { a: 0.3, b: 0.3 }), /^b: /, policy);
  }
});

Deno.test("price prices a sub-agent by itself, the others place it beside its parent", () => {
  const used = { a: 0.1, b: 0.85 };
  strictEqual(child("price", used), "a: new");
  for (const policy of POLICY_NAMES.filter((name) => name !== "price")) {
    ok(
      ["b: parent", "a: new"].includes(child(policy, used)),
      `${policy}: ${child(policy, used)}`,
    );
  }
  strictEqual(child("cache-first", used), "b: parent");
  const near = { a: 0.05, b: 0.06 };
  for (const policy of POLICY_NAMES.filter((name) => name !== "price")) {
    strictEqual(child(policy, near), "b: parent", policy);
  }
});

Deno.test("the words about sub-agents say what the default policy does", async () => {
  const readme = (await Deno.readTextFile(`${ROOT}README.md`))
    .replaceAll(/\s+/g, " ");
  match(
    readme,
    /A sub-agent is placed separately: it prefers its parent's account, unless another one costs less\./,
  );
  ok(!/start at their parent's account/.test(readme));
});

/** launchVariables(): what a launch is told by its environment. */

import { strictEqual } from "node:assert/strict";
import { launchVariables } from "../../src/claude/launch.ts";

const FACTS = {
  origin: "http://127.0.0.1:3456",
  key: "tc-test-key-0001",
  hasOwnLogin: true,
  isSubscriptionPool: true,
  silentMsMax: 1_000,
  holdMsMax: 1_000,
  account: null,
  policy: null,
  socket: null,
} as const;

function headers(
  wish: { readonly account?: string; readonly policy?: string },
  present?: string,
): string | null | undefined {
  const variables = launchVariables(
    { ...FACTS, ...wish },
    present === undefined ? {} : { ANTHROPIC_CUSTOM_HEADERS: present },
  );
  return variables["ANTHROPIC_CUSTOM_HEADERS"];
}

Deno.test("launchVariables() tells a launch's account and policy by headers", () => {
  strictEqual(headers({}), undefined);
  strictEqual(headers({ policy: "pace" }), "x-tc-policy: pace");
  strictEqual(
    headers({ account: "work", policy: "pace" }, "x-team: a\nx-b: c:d"),
    "x-team: a\nx-b: c:d\nx-tc-account: work\nx-tc-policy: pace",
  );
});

Deno.test("launchVariables() says anew what an outer launch said", () => {
  strictEqual(
    headers({ policy: "pace" }, "X-Tc-Policy: price\nx-tc-account: work"),
    "x-tc-account: work\nx-tc-policy: pace",
  );
});

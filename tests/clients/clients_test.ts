/** Clients of the API directly and through tc: the difference is empty. */

import "../fixtures/clean_environment.ts";
import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { trials } from "../fixtures/trials.ts";
import type { ClientName } from "../fixtures/client_package.ts";
import type { OriginRequest } from "../fixtures/origin_answer.ts";
import { compared } from "./compare.ts";
import { credentialOf, previousOf, replyIdOf } from "./thread_book.ts";

interface Row {
  readonly client: ClientName;
  readonly script: string;
  /** What `tc env --for` is asked for; null: settings alone. */
  readonly variables: Parameters<typeof compared>[2];
  /** Requests that the script makes at least. */
  readonly requests: number;
  /** Only in the long run: its packages are large. */
  readonly isLong: boolean;
}

const ROWS: readonly Row[] = [
  {
    client: "anthropic",
    script: "anthropic_sdk.mjs",
    variables: "sdk",
    requests: 15,
    isLong: false,
  },
  {
    client: "aiSdk",
    script: "ai_sdk.mjs",
    variables: "ai-sdk",
    requests: 3,
    isLong: false,
  },
  {
    client: "openai",
    script: "openai_sdk.mjs",
    variables: "openai",
    requests: 2,
    isLong: false,
  },
  {
    client: "langchain",
    script: "langchain.mjs",
    variables: "langchain",
    requests: 4,
    isLong: false,
  },
  {
    client: "router",
    script: "router.mjs",
    variables: null,
    requests: 4,
    isLong: false,
  },
  {
    client: "cline",
    script: "cline.mjs",
    variables: null,
    requests: 2,
    isLong: true,
  },
  {
    client: "continue",
    script: "continue.mjs",
    variables: null,
    requests: 1,
    isLong: true,
  },
  {
    client: "pi",
    script: "pi.mjs",
    variables: null,
    requests: 2,
    isLong: true,
  },
  {
    client: "python",
    script: "anthropic_sdk.py",
    variables: "sdk",
    requests: 17,
    isLong: true,
  },
  {
    client: "agentSdk",
    script: "agent_sdk.mjs",
    variables: null,
    requests: 2,
    isLong: true,
  },
  {
    client: "opencode",
    script: "opencode.mjs",
    variables: null,
    requests: 1,
    isLong: true,
  },
];

for (const { client, script, variables, requests, isLong } of ROWS) {
  Deno.test({
    name: `${script} sees and sends the same through tc`,
    ignore: isLong && trials(0, 1) === 0,
    async fn() {
      const { direct, behind, attempts } = await compared(
        client,
        script,
        variables,
      );
      deepStrictEqual(behind.printed, direct.printed);
      deepStrictEqual(behind.requests, direct.requests);
      ok(
        direct.requests.length >= requests,
        `${direct.requests.length} requests:\n${direct.printed}`,
      );
      laterTurns(attempts);
    },
  });
}

Deno.test("threads.mjs sees and sends the same through tc, each thread on one account", async () => {
  const { direct, behind, attempts } = await compared(
    "anthropic",
    "threads.mjs",
    "sdk",
  );
  deepStrictEqual(behind.printed, direct.printed);
  deepStrictEqual(behind.requests, direct.requests);
  ok(
    new Set(attempts.map(credentialOf)).size > 1,
    "the pool used one account only",
  );
  // Six threads of three later turns, the turn of a tool, the lost one.
  strictEqual(laterTurns(attempts), 6 * 3 + 1 + 1);
});

/**
 * Counts the turns that go on with a thread; fails where one was sent to another
 * account than the turn before it.
 */
function laterTurns(attempts: readonly OriginRequest[]): number {
  const accounts = new Map(
    attempts.map((request) => [replyIdOf(request), credentialOf(request)]),
  );
  let count = 0;
  for (const request of attempts) {
    if (request.target.split("?")[0] !== "/v1/messages") continue;
    const text = new TextDecoder().decode(request.body);
    const previous = previousOf(JSON.parse(text));
    if (previous === null) continue;
    count++;
    strictEqual(credentialOf(request), accounts.get(previous));
  }
  return count;
}

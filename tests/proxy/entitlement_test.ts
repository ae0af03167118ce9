/** Accounts that may not do what a request asks: another one is asked, once. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { persisted, restore } from "../../src/core/pool/persist.ts";
import { statusView } from "../../src/control/status_view.ts";
import type { OriginAnswer, OriginRequest } from "../fixtures/origin_answer.ts";
import { ask, labelOf, served } from "../fixtures/proxy_client.ts";
import { errorBody } from "../fixtures/proxy_kit.ts";
import { Scene } from "../fixtures/proxy_scene.ts";
import { headerOf } from "../fixtures/raw_connection.ts";

const LONG = "context-1m-2025-08-07";
const LONG_BETA = { "anthropic-beta": `claude-code-20250219,${LONG}` };
const NO_LONG_CONTEXT =
  "The long context beta is not yet available for this subscription.";
const SESSION = "77777777-0000-4000-8000-000000000001";

const ALLOWED = [
  ["anthropic-ratelimit-unified-status", "allowed"],
  ["anthropic-ratelimit-unified-5h-status", "allowed"],
] as const;

function refusal(
  status: number,
  message: string,
  headers: OriginAnswer["headers"] = [],
): OriginAnswer {
  const type = status === 429
    ? "rate_limit_error"
    : status === 404
    ? "not_found_error"
    : status === 403
    ? "permission_error"
    : "invalid_request_error";
  return {
    status,
    headers: [["content-type", "application/json"], ...headers],
    body: errorBody(type, message),
  };
}

/** `a` and `b` refuse what `isRefused` picks; `c` serves all. */
function refusing(
  scene: Scene,
  answer: OriginAnswer,
  isRefused: (request: OriginRequest) => boolean = () => true,
): void {
  scene.origin.always((request) =>
    labelOf(request) !== "c" && isRefused(request) ? answer : served(request)
  );
}

function hasLongBeta({ headers }: OriginRequest): boolean {
  return headerOf(headers, "anthropic-beta")?.includes(LONG) === true;
}

const REFUSALS: readonly (readonly [string, OriginAnswer])[] = [
  ["400", refusal(400, NO_LONG_CONTEXT)],
  ["403", refusal(403, NO_LONG_CONTEXT)],
  ["429 without figures", refusal(429, NO_LONG_CONTEXT)],
  ["429 with figures", refusal(429, NO_LONG_CONTEXT, ALLOWED)],
  [
    "429 with retry-after",
    refusal(429, NO_LONG_CONTEXT, [["retry-after", "5"]]),
  ],
];

for (const [name, answer] of REFUSALS) {
  Deno.test(`an account without a beta is asked once, the one with it serves (${name})`, async () => {
    await using scene = new Scene();
    const { kit } = scene;
    refusing(scene, answer, hasLongBeta);
    for (let turn = 0; turn < 3; turn++) {
      const response = await ask(kit, { session: SESSION, headers: LONG_BETA });
      strictEqual(response.status, 200, await response.text());
    }
    const counts = Object.groupBy(scene.asked, (label) => label);
    ok((counts["a"]?.length ?? 0) <= 1 && (counts["b"]?.length ?? 0) <= 1);
    strictEqual(counts["c"]?.length, 3);
    strictEqual(
      kit.keeper.state.bindings.get(SESSION as never)?.accountId,
      "c",
    );
    // Without the beta both serve as before.
    kit.keeper.dispatch({ kind: "pinned", accountId: "a" as never });
    const plain = await ask(kit, { session: `${SESSION}0` });
    strictEqual(plain.status, 200);
    await plain.body?.cancel();
    strictEqual(scene.asked.at(-1), "a");
    await kit.isEmpty();
  });
}

Deno.test("a model that plans lack is asked once per account, also under another session", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  refusing(scene, refusal(404, "model: claude-opus-5-5"));
  for (const session of [SESSION, `${SESSION}1`, `${SESSION}2`]) {
    const response = await ask(kit, { session });
    strictEqual(response.status, 200);
    await response.body?.cancel();
  }
  ok(scene.asked.length <= 5, scene.asked.join());
  deepStrictEqual(scene.asked.slice(-2), ["c", "c"]);
  await kit.isEmpty();
});

Deno.test("what every account refuses is relayed, and later asked of one account alone", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  const answer = refusal(404, "model: claude-opus-5-5");
  origin.always(answer);
  const first = await ask(kit);
  strictEqual(first.status, 404);
  strictEqual(await first.text(), answer.body);
  deepStrictEqual(scene.asked.toSorted(), ["a", "b", "c"]);
  const second = await ask(kit);
  strictEqual(second.status, 404);
  strictEqual(await second.text(), answer.body);
  strictEqual(scene.asked.length, 4);
  // The model is there again: one served request disproves its account's refusal.
  origin.always(served);
  const third = await ask(kit);
  strictEqual(third.status, 200);
  await third.body?.cancel();
  const known = [...kit.keeper.state.accounts.values()]
    .filter(({ refusals }) => refusals.size > 0);
  strictEqual(known.length, 2);
  await kit.isEmpty();
});

Deno.test("a 403 about the accounts never reaches the client", async () => {
  await using scene = new Scene();
  const { kit, origin } = scene;
  origin.always(refusal(403, "Your plan does not include this model"));
  for (let turn = 0; turn < 2; turn++) {
    const response = await ask(kit);
    strictEqual(response.status, 400);
    const { error } = await response.json();
    strictEqual(error.type, "invalid_request_error");
    match(error.message, /No account .*does not include this model/);
  }
  await kit.isEmpty();
});

Deno.test("paid usage that is used up closes long prompts, not the account", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  const long = "x".repeat(900_000);
  refusing(
    scene,
    refusal(400, "You're out of extra usage. Add more at claude.ai."),
    ({ body }) => body.length > 100_000,
  );
  async function send(content: string): Promise<number> {
    const response = await fetch(`${kit.url}/v1/messages`, {
      method: "POST",
      headers: { "x-api-key": "local-key-of-the-test-0123456789" },
      body: JSON.stringify({
        model: "claude-opus-5-5",
        tools: [{ name: "Bash" }],
        messages: [{ role: "user", content }],
      }),
    });
    await response.body?.cancel();
    return response.status;
  }
  strictEqual(await send(long), 200);
  strictEqual(await send(`${long}y`), 200);
  strictEqual(scene.asked.filter((label) => label !== "c").length <= 2, true);
  kit.keeper.dispatch({ kind: "pinned", accountId: "b" as never });
  strictEqual(await send("short"), 200);
  strictEqual(scene.asked.at(-1), "b");
  await kit.isEmpty();
});

Deno.test("if the plan is used up, used-up paid usage closes the account until the reset", async () => {
  await using scene = new Scene({ accounts: ["a", "c"] });
  const { kit, origin } = scene;
  const resetSec = Math.ceil(Date.now() / 1_000) + 3_600;
  origin.always((request) =>
    labelOf(request) === "c" ? served(request) : refusal(
      400,
      "You're out of extra usage. Add more at claude.ai.",
      [
        ["anthropic-ratelimit-unified-5h-status", "rejected"],
        ["anthropic-ratelimit-unified-5h-utilization", "1"],
        ["anthropic-ratelimit-unified-5h-reset", String(resetSec)],
      ],
    )
  );
  kit.keeper.dispatch({ kind: "pinned", accountId: "a" as never });
  for (let turn = 0; turn < 2; turn++) {
    const response = await ask(kit);
    strictEqual(response.status, 200, await response.text());
  }
  strictEqual(scene.asked.filter((label) => label === "a").length, 1);
  const bench = kit.keeper.state.accounts.get("a" as never)?.bench;
  strictEqual(bench?.kind === "benched" && bench.until, resetSec * 1_000);
  await kit.isEmpty();
});

Deno.test("a login without the inference scope needs a login, and says so", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  refusing(
    scene,
    refusal(403, "OAuth token does not meet scope requirement user:inference"),
  );
  for (let turn = 0; turn < 3; turn++) {
    const response = await ask(kit, { session: `${SESSION}${turn}` });
    strictEqual(response.status, 200);
    await response.body?.cancel();
  }
  ok(scene.asked.filter((label) => label !== "c").length <= 2);
  const asked = new Set(scene.asked);
  for (const { account, credential } of kit.keeper.state.accounts.values()) {
    if (account.label === "c" || !asked.has(account.label)) continue;
    strictEqual(credential.kind, "needs_login");
    strictEqual(
      credential.kind === "needs_login" && credential.reason,
      "its login does not allow inference",
    );
  }
  await kit.isEmpty();
});

Deno.test("what was refused is shown, and known after a restart", async () => {
  await using scene = new Scene();
  const { kit } = scene;
  refusing(scene, refusal(400, NO_LONG_CONTEXT), hasLongBeta);
  await (await ask(kit, { headers: LONG_BETA })).body?.cancel();
  const snapshot = kit.keeper.snapshot();
  const [refuser] = scene.asked;
  const state = snapshot.accounts.get(refuser as never);
  strictEqual(state?.refusals.size, 1);
  const none = { usage: EMPTY_USAGE, lastError: null, paying: null };
  const view = statusView(snapshot, {
    server: {} as never,
    usage: EMPTY_USAGE,
    paying: null,
    accountUsage: () => none,
    sessions: [],
    requests: {} as never,
    activity: [],
    machines: [],
    notices: [],
    habit: null,
    recent: () => ({
      requests15m: 0,
      requests1h: 0,
      hitRate1h: null,
      tokens1h: 0,
    }),
  });
  const shown = view.accounts.find(({ label }) => label === refuser);
  deepStrictEqual(
    shown?.refusals.map(({ what, said }) => [what, said]),
    [[LONG, NO_LONG_CONTEXT]],
  );
  const memory = JSON.parse(
    JSON.stringify(persisted(kit.keeper.state, snapshot.at)),
  );
  const forgotten = new Map(
    [...kit.keeper.state.accounts].map(([id, known]) => [
      id,
      { ...known, refusals: new Map() },
    ]),
  );
  const back = restore(
    { ...kit.keeper.state, accounts: forgotten },
    memory,
    snapshot.at,
  );
  deepStrictEqual(
    back.accounts.get(refuser as never)?.refusals,
    state?.refusals,
  );
});

const EMPTY_USAGE = {
  requests: 0,
  input: 0,
  cacheRead: 0,
  cacheWrite: 0,
  output: 0,
  rebuilds: 0,
  costNano: null,
  paidNano: null,
};

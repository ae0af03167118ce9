/** The official SDK, unchanged, through tc as its users have it. */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import { ServedPool } from "../fixtures/served_pool.ts";

const ASK = {
  model: "claude-opus-5-5",
  max_tokens: 400,
  tools: [{ name: "Bash", input_schema: { type: "object" as const } }],
  messages: [{ role: "user" as const, content: "demo:say Good morning" }],
};
const MORNING = [{ type: "text", text: "Good morning" }];

/** Each request once: what the SDK tries again is not hidden. */
function clientOf(
  { baseUrl }: ServedPool,
  headers: Readonly<Record<string, string>> = {},
): Anthropic {
  return new Anthropic({
    apiKey: "its-own-key-is-not-used",
    baseURL: baseUrl,
    maxRetries: 0,
    defaultHeaders: headers,
  });
}

Deno.test("the SDK through tc", async (test) => {
  await using served = await ServedPool.open();
  const { api } = served;
  const client = clientOf(served, { "x-tc-session": "sdk" });

  await test.step("reads a whole message", async () => {
    const message = await client.messages.create(ASK);
    deepStrictEqual(message.content, MORNING);
    strictEqual(message.stop_reason, "end_turn");
    ok(message._request_id?.startsWith("req_"));
  });

  await test.step("puts a stream together", async () => {
    api.next().content([
      { kind: "thinking", text: "Let me see" },
      { kind: "text", text: "I look" },
      { kind: "tool_use", name: "Bash", input: { command: "ls", deep: [1] } },
    ]);
    const message = await client.messages.stream(ASK).finalMessage();
    deepStrictEqual(
      message.content.map(({ type }) => type),
      ["thinking", "text", "tool_use"],
    );
    const call = message.content[2];
    ok(call?.type === "tool_use");
    deepStrictEqual(call.input, { command: "ls", deep: [1] });
  });

  await test.step("keeps one account for a session by header", () => {
    const names = served.messages().map(({ account }) => account);
    deepStrictEqual(names, [names[0], names[0]]);
  });

  await test.step("does not see a failover", async () => {
    for (const isStream of [true, false]) {
      const home = served.messages().at(-1)?.account ?? "";
      api.account(home).windows({ "5h": 1 }).resetIn("5h", 3_600_000);
      const before = served.messages().length;
      const message = isStream
        ? await client.messages.stream(ASK).finalMessage()
        : await client.messages.create(ASK);
      deepStrictEqual(message.content, MORNING);
      const statuses = served.messages().slice(before)
        .map(({ status }) => status);
      deepStrictEqual(statuses, [429, 200]);
    }
  });

  await test.step("counts tokens and lists models", async () => {
    const { max_tokens: _tokensMax, ...count } = ASK;
    ok((await client.messages.countTokens(count)).input_tokens > 5);
    const ids: string[] = [];
    for await (const model of client.models.list()) ids.push(model.id);
    ok(ids.includes("claude-sonnet-5-5"));
  });

  await test.step("knows errors by their class", async () => {
    const last = served.messages().at(-1)?.account ?? "";
    const named = clientOf(served, { "x-tc-account": last });
    api.next().fail("invalid_request");
    await rejects(named.messages.create(ASK), Anthropic.BadRequestError);
    api.next().fail("model_not_found");
    await rejects(named.messages.create(ASK), Anthropic.NotFoundError);
    api.next().stream(["message_start", { error: "overloaded_error" }]);
    await rejects(named.messages.stream(ASK).finalMessage(), /Overloaded/);
    api.next().stream(["message_start", { text: "half" }, "cut"]);
    await rejects(named.messages.stream(ASK).finalMessage());
    const stranger = new Anthropic({
      apiKey: "not-the-local-key",
      baseURL: served.origin,
      maxRetries: 0,
    });
    await rejects(stranger.messages.create(ASK), Anthropic.AuthenticationError);
  });

  await test.step("is told when all accounts are closed", async () => {
    for (const account of api.accounts()) {
      account.windows({ "5h": 1 }).resetIn("5h", 3_600_000);
    }
    const failure = await client.messages.create(ASK).catch((cause) => cause);
    ok(failure instanceof Anthropic.RateLimitError, String(failure));
    ok(/All 3 accounts are closed/.test(failure.message), failure.message);
    ok(Number(failure.headers.get("retry-after")) >= 1);
  });

  for (const { token, headers } of served.messages()) {
    ok(token !== null);
    ok(!JSON.stringify(headers).includes("its-own-key-is-not-used"));
  }
});

/** The official SDK, unchanged, takes the fake API for the real one. */

import { deepStrictEqual, ok, rejects, strictEqual } from "node:assert/strict";
import Anthropic from "@anthropic-ai/sdk";
import {
  type ScriptedApi,
  startScriptedApi,
} from "../fixtures/scripted_api.ts";

function clientOf(api: ScriptedApi): Anthropic {
  const key = api.account("key", { kind: "api_key" });
  return new Anthropic({
    apiKey: key.token(),
    baseURL: api.url,
    maxRetries: 0,
  });
}

const ASK = {
  model: "claude-sonnet-5-5",
  max_tokens: 200,
  messages: [{ role: "user" as const, content: "demo:say Good morning" }],
};

Deno.test("the SDK reads a whole message", async () => {
  await using api = await startScriptedApi();
  const message = await clientOf(api).messages.create(ASK);
  deepStrictEqual(message.content, [{ type: "text", text: "Good morning" }]);
  strictEqual(message.stop_reason, "end_turn");
  ok(message._request_id?.startsWith("req_"));
});

Deno.test("the SDK puts a stream together, tool calls and thinking included", async () => {
  await using api = await startScriptedApi();
  const client = clientOf(api);
  api.next("key").content([
    { kind: "thinking", text: "Let me see" },
    { kind: "text", text: "I look" },
    { kind: "tool_use", name: "Bash", input: { command: "ls -l", deep: [1] } },
  ]);
  const message = await client.messages.stream(ASK).finalMessage();
  deepStrictEqual(
    message.content.map((block) => block.type),
    ["thinking", "text", "tool_use"],
  );
  const call = message.content[2];
  ok(call?.type === "tool_use");
  deepStrictEqual(call.input, { command: "ls -l", deep: [1] });
  strictEqual(message.stop_reason, "tool_use");
  strictEqual(message.usage.output_tokens, api.truth().total.usage.output);
});

Deno.test("the SDK reads compressed streams", async () => {
  for (const encoding of ["gzip", "br"] as const) {
    await using api = await startScriptedApi({ encodings: [encoding] });
    const message = await clientOf(api).messages.stream(ASK).finalMessage();
    deepStrictEqual(message.content, [{ type: "text", text: "Good morning" }]);
  }
});

Deno.test("the SDK knows our errors by their class", async () => {
  await using api = await startScriptedApi();
  const client = clientOf(api);
  api.next("key").throttle({ retryAfterSeconds: 7 });
  await rejects(client.messages.create(ASK), Anthropic.RateLimitError);
  api.next("key").fail("invalid_request");
  await rejects(client.messages.create(ASK), Anthropic.BadRequestError);
  api.next("key").stream(["message_start", { error: "overloaded_error" }]);
  await rejects(client.messages.stream(ASK).finalMessage(), /Overloaded/);
  const stranger = new Anthropic({
    apiKey: "sk-ant-api03-FAKE",
    baseURL: api.url,
    maxRetries: 0,
  });
  await rejects(stranger.messages.create(ASK), Anthropic.AuthenticationError);
});

Deno.test("the SDK lists models and counts tokens", async () => {
  await using api = await startScriptedApi();
  const client = clientOf(api);
  const ids: string[] = [];
  for await (const model of client.models.list()) ids.push(model.id);
  ok(ids.includes("claude-sonnet-5-5"));
  const { max_tokens: _tokensMax, ...count } = ASK;
  ok((await client.messages.countTokens(count)).input_tokens > 5);
});

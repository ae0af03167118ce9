/** What the demo's model says, and in which events. */

import { deepStrictEqual, match, ok, strictEqual } from "node:assert/strict";
import { NO_USAGE } from "../../src/core/usage.ts";
import {
  type Answer,
  outputTokens,
  planAnswer,
} from "../../src/demo/answer/answer.ts";
import {
  answerEmissions,
  type Emission,
  scriptedEmissions,
  type StreamStep,
} from "../../src/demo/answer/emission.ts";
import { EventWriter } from "../../src/demo/answer/event_writer.ts";
import { type Prompt, readPrompt } from "../../src/demo/answer/prompt.ts";
import { tokenPieces } from "../../src/demo/answer/prose.ts";

type Content = string | readonly Readonly<Record<string, unknown>>[];

function promptOf(
  messages: readonly (readonly [role: string, content: Content])[],
  more: Readonly<Record<string, unknown>> = {},
): Prompt {
  const reading = readPrompt({
    model: "claude-sonnet-5-5",
    max_tokens: 500,
    messages: messages.map(([role, content]) => ({ role, content })),
    tools: [{ name: "Bash" }, { name: "Agent" }],
    ...more,
  }, "answer");
  ok(reading.kind === "prompt");
  return reading.prompt;
}

function answerTo(
  ...messages: readonly (readonly [string, Content])[]
): Answer {
  return planAnswer(promptOf(messages), "seed", null);
}

function texts(answer: Answer): readonly string[] {
  return answer.blocks.map((block) =>
    block.kind === "tool_use"
      ? `${block.name} ${JSON.stringify(block.input)}`
      : block.text
  );
}

const RESULT = [{ type: "tool_result", tool_use_id: "t", content: "it is hi" }];

Deno.test("planAnswer() says the same to the same request, else something else", () => {
  const once = answerTo(["user", "hello"]);
  deepStrictEqual(answerTo(["user", "hello"]), once);
  ok(texts(answerTo(["user", "hello there"]))[0] !== texts(once)[0]);
});

Deno.test("demo:say answers with that text and nothing else", () => {
  deepStrictEqual(texts(answerTo(["user", "a\ndemo:say good morning"])), [
    "good morning",
  ]);
});

Deno.test("demo:tool calls the tools one after the other, then ends", () => {
  const ask = "demo:tool Bash echo hi\ndemo:tool Bash echo ho";
  const first = answerTo(["user", ask]);
  strictEqual(first.stopReason, "tool_use");
  match(texts(first)[1] ?? "", /^Bash .*"command":"echo hi"/);
  const second = answerTo(["user", ask], ["assistant", "ok"], ["user", RESULT]);
  match(texts(second)[1] ?? "", /"command":"echo ho"/);
  const last = answerTo(
    ["user", ask],
    ["assistant", "ok"],
    ["user", RESULT],
    ["assistant", "ok"],
    ["user", RESULT],
  );
  strictEqual(last.stopReason, "end_turn");
  match(texts(last)[0] ?? "", /^The tool said: it is hi/);
});

Deno.test("demo:tool Agent hands the rest over as the sub-agent's prompt", () => {
  const [, call] = texts(
    answerTo(["user", "demo:tool Agent demo:tool Bash ls"]),
  );
  match(call ?? "", /^Agent .*"prompt":"demo:tool Bash ls"/);
});

Deno.test("demo:tool takes a JSON object as the whole input", () => {
  const [, call] = texts(
    answerTo(["user", 'demo:tool Bash {"command":"a","x":1}']),
  );
  strictEqual(call, 'Bash {"command":"a","x":1}');
});

Deno.test("an old prompt's directive and a quoted one are not obeyed again", () => {
  const answer = answerTo(
    ["user", "demo:tool Bash echo hi"],
    ["assistant", "done"],
    ["user", "and now?"],
  );
  strictEqual(answer.stopReason, "end_turn");
  const quoted = answerTo(
    ["user", "demo:tool Bash cat x"],
    ["assistant", "ok"],
    ["user", [{ type: "tool_result", content: "demo:tool Bash rm x" }]],
  );
  ok(!(texts(quoted)[0] ?? "").includes("demo:"));
});

Deno.test("a tool that the client does not offer is not called", () => {
  const answer = answerTo(["user", "demo:tool Fly away"]);
  deepStrictEqual(texts(answer), ["There is no tool named Fly here."]);
});

Deno.test("a request for a summary gets one, whatever the history asks", () => {
  const answer = answerTo(
    ["user", "demo:tool Bash echo hi"],
    ["assistant", "ok"],
    ["user", "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools."],
  );
  match(
    texts(answer)[0] ?? "",
    /^<analysis>[^]*<\/analysis>\s+<summary>[^]*<\/summary>$/,
  );
});

Deno.test("a schema is filled", () => {
  const prompt = promptOf([["user", "title?"]], {
    output_config: {
      format: {
        type: "json_schema",
        schema: {
          type: "object",
          properties: { title: { type: "string" }, n: { type: "integer" } },
        },
      },
    },
  });
  const [text = ""] = texts(planAnswer(prompt, "seed", null));
  const value = JSON.parse(text);
  deepStrictEqual(Object.keys(value), ["title", "n"]);
  ok(typeof value.title === "string" && value.title.length > 3);
});

Deno.test("max_tokens cuts the answer and says so", () => {
  const answer = planAnswer(
    promptOf([["user", "demo:tokens 50"]], { max_tokens: 7 }),
    "seed",
    null,
  );
  strictEqual(outputTokens(answer), 7);
  strictEqual(answer.stopReason, "max_tokens");
  const whole = planAnswer(
    promptOf([["user", "demo:tokens 50"]]),
    "seed",
    null,
  );
  ok(outputTokens(whole) >= 50);
  strictEqual(whole.stopReason, "end_turn");
});

Deno.test("tokenPieces() loses nothing", () => {
  for (
    const text of ["", " ", "a b", "long-word-here\n\n  x", "日本語のテキスト"]
  ) {
    strictEqual(tokenPieces(text).join(""), text);
  }
});

function namesOf(emissions: Iterable<Emission>): readonly string[] {
  return [...emissions].map((each) =>
    each.kind === "event" ? each.name : each.kind
  );
}

const TWO_BLOCKS: Answer = {
  id: "msg_1",
  model: "m",
  blocks: [
    { kind: "text", text: "one two three four five" },
    { kind: "tool_use", id: "toolu_1", name: "Bash", input: { command: "ls" } },
  ],
  stopReason: "tool_use",
};

Deno.test("answerEmissions() keeps the real API's order of events", () => {
  const writer = new EventWriter(TWO_BLOCKS, { ...NO_USAGE, input: 3 });
  deepStrictEqual(namesOf(answerEmissions(writer, 0)), [
    "message_start",
    "content_block_start",
    "ping",
    "content_block_delta",
    "content_block_delta",
    "content_block_stop",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
  ]);
});

Deno.test("output tokens only grow and end at the true count", () => {
  const writer = new EventWriter(TWO_BLOCKS, { ...NO_USAGE, input: 3 });
  const stated = [...answerEmissions(writer, 0)].flatMap((each) =>
    each.kind === "event" && each.states !== null ? [each.states] : []
  );
  deepStrictEqual(stated.map((usage) => usage.output), [
    1,
    outputTokens(TWO_BLOCKS),
  ]);
  deepStrictEqual(stated.map((usage) => usage.input), [3, 3]);
});

Deno.test("scriptedEmissions() sends what is named and closes what is open", () => {
  const table:
    readonly (readonly [readonly StreamStep[], readonly string[]])[] = [
      [
        [
          "message_start",
          { text: "a" },
          { pauseMs: 5 },
          { text: "b" },
          "message_stop",
        ],
        [
          "message_start",
          "content_block_start",
          "content_block_delta",
          "pause",
          "content_block_delta",
          "content_block_stop",
          "message_delta",
          "message_stop",
        ],
      ],
      [["message_start", "cut"], ["message_start", "cut"]],
      [["ping", { raw: ": note\n\n" }, "hang"], ["ping", "raw", "hang"]],
      [
        ["message_start", { error: "overloaded_error" }],
        ["message_start", "error"],
      ],
    ];
  for (const [steps, names] of table) {
    const writer = new EventWriter(TWO_BLOCKS, NO_USAGE);
    deepStrictEqual(namesOf(scriptedEmissions(writer, steps)), names);
  }
});

/** The demo's prompt cache, on numbers worked out by hand. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { HOUR_MS, instantFromMs, MINUTE_MS } from "../../src/core/time.ts";
import { contextTokens } from "../../src/core/usage.ts";
import {
  FRAMING_TOKENS,
  PromptCache,
} from "../../src/demo/quota/prompt_cache.ts";
import {
  type Prompt,
  type PromptBlock,
  promptTokens,
  readPrompt,
} from "../../src/demo/answer/prompt.ts";

const START = instantFromMs(1_800_000_000_000);

function at(ms: number) {
  return instantFromMs(START + ms);
}

/** Blocks written as `name:tokens`, with `*` for a 5m and `**` for a 1h breakpoint. */
function promptOf(...names: readonly string[]): Prompt {
  let chain = "";
  const blocks = names.map((name): PromptBlock => {
    const bare = name.replaceAll("*", "");
    chain += `/${bare}`;
    const stars = name.length - bare.length;
    return {
      tokens: Number(bare.split(":")[1]),
      chain,
      breakpoint: stars === 0 ? null : stars === 1 ? "5m" : "1h",
    };
  });
  return {
    model: "claude-sonnet-5-5",
    family: "sonnet",
    tokensMax: 1,
    isStream: true,
    blocks,
    messages: [],
    tools: [],
    schema: null,
  };
}

function use(cache: PromptCache, ms: number, ...names: readonly string[]) {
  const usage = cache.use(promptOf(...names), at(ms));
  return [
    usage.input - FRAMING_TOKENS,
    usage.cacheRead,
    usage.cacheWrite5m,
    usage.cacheWrite1h,
  ];
}

Deno.test("PromptCache writes up to the last breakpoint and reads it again", () => {
  const cache = new PromptCache();
  deepStrictEqual(use(cache, 0, "a:2000*", "b:100"), [100, 0, 2000, 0]);
  deepStrictEqual(use(cache, 1, "a:2000*", "b:100"), [100, 2000, 0, 0]);
});

Deno.test("PromptCache reads the longest known prefix of a grown history", () => {
  const cache = new PromptCache();
  use(cache, 0, "system:2000*", "one:100*");
  deepStrictEqual(
    use(cache, 1, "system:2000*", "one:100", "two:50", "three:30*"),
    [0, 2100, 80, 0],
  );
});

Deno.test("PromptCache finds nothing where an early block differs", () => {
  const cache = new PromptCache();
  use(cache, 0, "system:2000*", "one:100*");
  deepStrictEqual(use(cache, 1, "other:2000*", "one:100*"), [0, 0, 2100, 0]);
  deepStrictEqual(use(cache, 2, "system:2000*", "two:70*"), [0, 2000, 70, 0]);
});

Deno.test("PromptCache forgets after five minutes, and use renews", () => {
  const cache = new PromptCache();
  use(cache, 0, "a:2000*");
  deepStrictEqual(use(cache, 4 * MINUTE_MS, "a:2000*"), [0, 2000, 0, 0]);
  deepStrictEqual(use(cache, 8 * MINUTE_MS, "a:2000*"), [0, 2000, 0, 0]);
  deepStrictEqual(use(cache, 13 * MINUTE_MS, "a:2000*"), [0, 0, 2000, 0]);
});

Deno.test("PromptCache keeps hour entries an hour", () => {
  const cache = new PromptCache();
  deepStrictEqual(use(cache, 0, "a:2000**"), [0, 0, 0, 2000]);
  deepStrictEqual(use(cache, HOUR_MS - 1, "a:2000**"), [0, 2000, 0, 0]);
  deepStrictEqual(use(cache, 2 * HOUR_MS, "a:2000**"), [0, 0, 0, 2000]);
});

Deno.test("PromptCache splits a write between the two lifetimes", () => {
  const cache = new PromptCache();
  deepStrictEqual(
    use(cache, 0, "tools:1500**", "system:500**", "one:100*", "tail:7"),
    [7, 0, 100, 2000],
  );
  deepStrictEqual(
    use(cache, 10 * MINUTE_MS, "tools:1500**", "system:500**", "one:100*"),
    [0, 2000, 100, 0],
  );
});

Deno.test("PromptCache looks back twenty blocks from a breakpoint and no further", () => {
  const steps = (count: number) =>
    Array.from({ length: count }, (_, index) => `s${index}:10`);
  const near = new PromptCache();
  use(near, 0, "a:2000*");
  deepStrictEqual(
    use(near, 1, "a:2000", ...steps(18), "end:10*"),
    [0, 2000, 190, 0],
  );
  const far = new PromptCache();
  use(far, 0, "a:2000*");
  deepStrictEqual(
    use(far, 1, "a:2000", ...steps(19), "end:10*"),
    [0, 0, 2200, 0],
  );
});

Deno.test("PromptCache does not cache a short prefix", () => {
  const cache = new PromptCache();
  deepStrictEqual(use(cache, 0, "a:1023*"), [1023, 0, 0, 0]);
  deepStrictEqual(use(cache, 0, "a:1023*"), [1023, 0, 0, 0]);
  deepStrictEqual(use(cache, 0, "a:1023*", "b:1*"), [0, 0, 1024, 0]);
});

Deno.test("readPrompt() chains tools, system and messages in the provider's order", () => {
  const reading = readPrompt({
    model: "claude-opus-5-5",
    max_tokens: 10,
    messages: [{ role: "user", content: "hello" }],
    system: [
      { type: "text", text: "x-anthropic-billing-header: cc_version=1;" },
      { type: "text", text: "be kind", cache_control: { type: "ephemeral" } },
    ],
    tools: [{ name: "Bash", description: "runs" }],
  }, "answer");
  ok(reading.kind === "prompt");
  const { blocks, family, tools } = reading.prompt;
  deepStrictEqual(blocks.map((block) => block.breakpoint), [null, "5m", null]);
  // JSON characters by four, rounded up: 36, 32 and 30 characters.
  deepStrictEqual(blocks.map((block) => block.tokens), [9, 8, 8]);
  strictEqual(promptTokens(reading.prompt), 25);
  deepStrictEqual([family, tools], ["opus", ["Bash"]]);
});

Deno.test("a breakpoint itself does not change what a block is", () => {
  const withAndWithout = [{ type: "ephemeral" }, null].map((control) => {
    const block = { type: "text", text: "same" };
    const reading = readPrompt({
      model: "m",
      max_tokens: 1,
      messages: [{
        role: "user",
        content: [
          control === null ? block : { ...block, cache_control: control },
        ],
      }],
    }, "answer");
    ok(reading.kind === "prompt");
    return reading.prompt.blocks[0]?.chain;
  });
  strictEqual(withAndWithout[0], withAndWithout[1]);
});

Deno.test("readPrompt() says what is missing", () => {
  const faults = [
    [null, "The request body is not valid JSON"],
    [{ messages: [] }, "model: Field required"],
    [{ model: "m" }, "messages: Field required"],
    [
      { model: "m", messages: [] },
      "messages: at least one message is required",
    ],
    [
      { model: "m", messages: [{ role: "user", content: "a" }] },
      "max_tokens: Field required",
    ],
  ] as const;
  for (const [body, message] of faults) {
    deepStrictEqual(readPrompt(body, "answer"), { kind: "refused", message });
  }
});

Deno.test("law: what is read, written and fresh adds up to the prompt", () => {
  const cache = new PromptCache();
  const names = ["a:1500*", "b:20", "c:7**", "d:300*", "e:1"];
  for (let length = 1; length <= names.length; length++) {
    const prompt = promptOf(...names.slice(0, length));
    const usage = cache.use(prompt, at(length));
    strictEqual(contextTokens(usage), promptTokens(prompt) + FRAMING_TOKENS);
  }
});

import { PLAIN_TERMS } from "../../src/core/pricing.ts";
import {
  deepStrictEqual,
  notStrictEqual,
  ok,
  strictEqual,
} from "node:assert/strict";
import fc from "fast-check";
import type { HeaderList } from "../../src/ports.ts";
import { peek, type RequestPeek } from "../../src/wire/request/request_peek.ts";
import { trials } from "../fixtures/trials.ts";
import { CLIENT_MESSAGE } from "./captured.ts";

const TARGET = "/v1/messages?beta=true";
const SESSION = "50aead76-f351-4346-b9ca-4152fdfa5966";
const SUMMARY =
  "This session is being continued from a previous conversation that ran out of context. The summary below covers the earlier portion.";
const COMPACT =
  "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.\n\n- Do NOT use Read";

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function look(body: unknown, headers: HeaderList = []): RequestPeek {
  return peek(headers, TARGET, bytes(JSON.stringify(body)));
}

function textBlock(text: string, ttl?: string): unknown {
  const cache_control = { type: "ephemeral", ttl };
  return {
    type: "text",
    text,
    ...(ttl === undefined ? {} : { cache_control }),
  };
}

/** The main request of Claude Code 2.1.329, shortened. */
const MAIN = {
  model: "claude-opus-5-5",
  messages: [
    {
      role: "user",
      content: [
        textBlock('<system-reminder>\n"quoted"</system-reminder>'),
        textBlock("say hi", "1h"),
      ],
    },
  ],
  system: [
    textBlock("x-anthropic-billing-header: cc_version=2.1.329.0a8;"),
    textBlock("You are Claude Code.", "1h"),
  ],
  tools: [
    { name: "Read", description: "Reads", input_schema: { type: "object" } },
    { type: "advisor_20260301", name: "advisor", model: "claude-fable-5" },
  ],
  metadata: {
    user_id: JSON.stringify({
      device_id: "d".repeat(64),
      account_uuid: "",
      session_id: SESSION,
    }),
  },
  max_tokens: 128000,
  thinking: { type: "adaptive", display: "omitted" },
  output_config: { effort: "medium" },
  stream: true,
};

Deno.test("peek() sees what Claude Code's main request shows", () => {
  const seen = look(MAIN, [
    ...CLIENT_MESSAGE,
    ["x-claude-code-agent-id", "ae0f43c403509f1e3"],
    ["X-Claude-Code-Parent-Agent-Id", "a000000000000000f"],
  ]);
  deepStrictEqual(seen, {
    sessionId: SESSION,
    agentId: "ae0f43c403509f1e3",
    betas:
      "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27,effort-2025-11-24",
    path: "/v1/messages",
    client: "claude-cli",
    retryCount: 0,
    parentAgentId: "a000000000000000f",
    model: "claude-opus-5-5",
    advisorModel: "claude-fable-5",
    isStream: true,
    maxTokens: 128000,
    terms: PLAIN_TERMS,
    metadataSession: SESSION,
    hasTools: true,
    isSide: false,
    systemDigest: null,
    isPrompt: true,
    isCompaction: false,
    isCompacted: false,
    compactionDigest: null,
    thread: "none",
    previousMessageId: null,
    cacheTtl: "1h",
    bodyDigest: null,
    mark: seen.mark,
    estimatedTokens: Math.ceil(JSON.stringify(MAIN).length / 4),
  });
});

Deno.test("peek() sees a quota probe and a title request as side requests", () => {
  const probe = look({
    model: "claude-haiku-5-5",
    max_tokens: 1,
    messages: [{ role: "user", content: "quota" }],
    metadata: MAIN.metadata,
  });
  deepStrictEqual(
    [probe.isSide, probe.isStream, probe.maxTokens, probe.sessionId],
    [true, false, 1, SESSION],
  );
  strictEqual(look({ ...MAIN, tools: [] }).isSide, true);
  strictEqual(look({ ...MAIN, tools: null }).isSide, true);
  // A conversation without tools that grew, or that is worth a cache at once.
  const chat = [
    { role: "user", content: "hi" },
    { role: "assistant", content: "hello" },
    { role: "user", content: "go on" },
  ];
  strictEqual(look({ ...MAIN, tools: [], messages: chat }).isSide, false);
  const long = [{ role: "user", content: "x".repeat(20_000) }];
  strictEqual(look({ ...MAIN, tools: [], messages: long }).isSide, false);
  strictEqual(look({ ...MAIN, tools: [{}] }).isSide, false);
});

Deno.test("peek() tells a prompt from a tool result", () => {
  const call = { role: "assistant", content: [{ type: "tool_use", id: "t" }] };
  const result = {
    role: "user",
    content: [{ type: "tool_result", tool_use_id: "t", content: "ok" }],
  };
  const prompt = { role: "user", content: "go on" };
  const system = { role: "system", content: "mid-conversation" };
  const rows: [messages: unknown, isPrompt: boolean][] = [
    [[prompt], true],
    [[prompt, call, result], false],
    [[prompt, call, result, prompt], true],
    [[prompt, call, result, system], false],
    [[prompt, system], true],
    [[prompt, call], false],
    [[{ role: "user", content: [{ type: "image" }] }], true],
    [[], false],
    [null, false],
    ["odd", false],
    [[1, null, "x"], false],
  ];
  for (const [messages, isPrompt] of rows) {
    strictEqual(
      look({ messages }).isPrompt,
      isPrompt,
      JSON.stringify(messages),
    );
  }
});

Deno.test("peek() recognises a compaction", () => {
  const history = [
    { role: "user", content: "hi" },
    { role: "assistant", content: [textBlock("hello")] },
  ];
  function asks(...content: unknown[]): boolean {
    const last = { role: "user", content };
    return look({ ...MAIN, messages: [...history, last] }).isCompaction;
  }
  ok(asks(textBlock(COMPACT)));
  ok(asks(textBlock("<system-reminder/>"), textBlock(COMPACT, "5m")));
  ok(look({ messages: [{ role: "user", content: COMPACT }] }).isCompaction);
  ok(!asks(textBlock(` ${COMPACT}`)));
  ok(!asks(textBlock("hi"), { type: "thinking", thinking: COMPACT }));
  const byAssistant = [...history, { role: "assistant", content: COMPACT }];
  ok(!look({ messages: byAssistant }).isCompaction);
  const earlier = [{ role: "user", content: COMPACT }, ...history];
  ok(!look({ messages: earlier }).isCompaction);
});

Deno.test("peek() tells by the digest that the history was compacted again", () => {
  function after(summary: string, ...rest: unknown[]): RequestPeek {
    const first = { role: "user", content: [textBlock(summary), ...rest] };
    const turns = [first, { role: "assistant", content: "ok" }];
    return look({ ...MAIN, messages: turns });
  }
  const once = after(`${SUMMARY} One.`);
  ok(once.isCompacted);
  ok(once.compactionDigest !== null);
  const later = after(`${SUMMARY} One.`, textBlock("more", "1h"));
  strictEqual(later.compactionDigest, once.compactionDigest);
  notStrictEqual(
    after(`${SUMMARY} Two.`).compactionDigest,
    once.compactionDigest,
  );

  const reminded = after("<userEmail/>", textBlock(`${SUMMARY} One.`));
  strictEqual(reminded.compactionDigest, once.compactionDigest);
  const third = after("a", textBlock("b"), textBlock(SUMMARY));
  strictEqual(third.isCompacted, false);
  strictEqual(third.compactionDigest, null);
  strictEqual(after(`x ${SUMMARY}`).isCompacted, false);
  const plain = look({ messages: [{ role: "user", content: SUMMARY }] });
  ok(plain.isCompacted);
});

Deno.test("peek() takes the session by header first, by metadata last", () => {
  function session(headers: HeaderList, user_id?: unknown): string | null {
    return look({ ...MAIN, metadata: { user_id } }, headers).sessionId;
  }
  const all: HeaderList = [
    ["x-teamclaude-session", "d"],
    ["X-Maxpool-Session", "c"],
    ["X-TC-Session", "b"],
    ["X-Claude-Code-Session-Id", "a"],
  ];
  strictEqual(session(all), "a");
  strictEqual(session(all.slice(0, 3)), "b");
  strictEqual(session(all.slice(0, 2)), "c");
  strictEqual(session(all.slice(0, 1)), "d");
  strictEqual(session([["x-tc-session", ""]], MAIN.metadata.user_id), SESSION);
  strictEqual(session([["x-tc-session", "a\tb"]]), null);
  strictEqual(session([["x-tc-session", "x".repeat(129)]]), null);

  const legacy = `user_${"0".repeat(64)}_account_${SESSION}_session_${SESSION}`;
  strictEqual(session([], legacy), SESSION);
  for (const other of ["me", "", null, 7, {}, "user_1", '{"session_id":5}']) {
    strictEqual(session([], other), null, String(other));
  }
  strictEqual(look({ metadata: null }).sessionId, null);
  strictEqual(look({ metadata: "x" }).sessionId, null);
});

Deno.test("peek() recognises a thread", () => {
  const rows: [thread: unknown, expected: string][] = [
    [{ type: "create" }, "create"],
    [{ type: "continue", previous_message_id: "msg_FAKE" }, "continue"],
    [{ previous_message_id: "msg_FAKE" }, "continue"],
    [{ type: "else" }, "none"],
    [null, "none"],
    ["continue", "none"],
    [undefined, "none"],
  ];
  for (const [thread, expected] of rows) {
    strictEqual(look({ ...MAIN, thread }).thread, expected);
  }
});

Deno.test("peek() finds a one-hour cache wherever it is requested", () => {
  const hour = { cache_control: { type: "ephemeral", ttl: "1h" } };
  const short = { cache_control: { type: "ephemeral" } };
  const quiet = {
    messages: [{
      role: "user",
      content: [{ type: "text", text: "a", ...short }],
    }],
  };
  function ttl(part: unknown): string {
    return look({ ...quiet, ...part as Record<string, unknown> }).cacheTtl;
  }
  strictEqual(ttl({}), "5m");
  strictEqual(ttl(hour), "1h");
  strictEqual(ttl({ tools: [{ name: "a", ...hour }] }), "1h");
  strictEqual(ttl({ system: [{ type: "text", text: "a", ...hour }] }), "1h");
  strictEqual(ttl({ messages: [{ role: "user", content: [hour] }] }), "1h");
  strictEqual(ttl({ messages: [{ role: "user", ...hour }] }), "1h");
  strictEqual(ttl({ system: 'cache_control":{"ttl":"1h"}' }), "5m");
  strictEqual(ttl({ system: "cache_control", ttl: "1h" }), "5m");
  strictEqual(ttl({ cache_control: { ttl: "5m" } }), "5m");
});

Deno.test("peek() walks nested cache marks once", () => {
  const depth = 100_000;
  const text = '{"cache_control":'.repeat(depth) + "1" + "}".repeat(depth);
  strictEqual(peek([], TARGET, bytes(text)).cacheTtl, "5m");
});

Deno.test("peek() gives clients without a session a digest that stays", () => {
  const first = { role: "user", content: "Mend the tab report" };
  const marked = {
    role: "user",
    content: [textBlock("Mend the tab report", "5m")],
  };
  const answer = { role: "assistant", content: "Which?" };
  const body = { system: "You mend", tools: [{ name: "a" }], max_tokens: 5 };
  const digest = look({ ...body, messages: [first] }).bodyDigest;
  ok(/^[0-9a-f]{16}$/.test(digest ?? ""));
  const named = look({ ...body, messages: [first] }, CLIENT_MESSAGE);
  strictEqual(named.bodyDigest, null);
  const later = { ...body, messages: [marked, answer, first], stream: true };
  strictEqual(look(later).bodyDigest, digest);

  const others = [
    { ...body, messages: [{ role: "user", content: "Mend the tab reports" }] },
    { ...body, system: "You mend!", messages: [first] },
    { ...body, tools: [{ name: "b" }], messages: [first] },
    { ...body, tools: [], messages: [first] },
  ];
  const digests = others.map((other) => look(other).bodyDigest);
  strictEqual(new Set([digest, ...digests]).size, 5);
  // Of long texts the middle is not read, but the length is.
  const lengths = [50_000, 50_004].map((length) => {
    const content = "x".repeat(length);
    return look({ messages: [{ role: "user", content }] }).bodyDigest;
  });
  strictEqual(new Set(lengths).size, 2);
  strictEqual(look({ ...body, messages: [] }).bodyDigest, null);
  strictEqual(look({ ...body, messages: [answer] }).bodyDigest, null);
});

Deno.test("peek() does not count a picture by its bytes", () => {
  const source = { type: "base64", media_type: "image/png", data: "" };
  function estimate(data: string): number {
    const content = [{ type: "image", source: { ...source, data } }];
    return look({ messages: [{ role: "user", content }] }).estimatedTokens;
  }
  const empty = estimate("");
  strictEqual(estimate("A".repeat(4_000_000)) - empty, 1_600);
  strictEqual(estimate("A".repeat(400)) - empty, 100);
});

Deno.test("peek() walks only the body of messages", () => {
  const body = bytes(JSON.stringify(MAIN));
  const seen = peek(CLIENT_MESSAGE, "/api/event_logging/v2/batch", body);
  strictEqual(seen.model, null);
  strictEqual(seen.estimatedTokens, 0);
  strictEqual(seen.sessionId, SESSION);
  strictEqual(
    peek([], "/v1/messages/count_tokens", body).model,
    "claude-opus-5-5",
  );
});

Deno.test("peek() keeps what there is of an incomplete body", () => {
  const text = JSON.stringify(MAIN);
  const cut = peek([], TARGET, bytes(text.slice(0, text.indexOf('"tools"'))));
  strictEqual(cut.model, "claude-opus-5-5");
  strictEqual(cut.isPrompt, true);
  strictEqual(cut.hasTools, false);
});

Deno.test("peek() takes the last of a repeated key, as JSON.parse does", () => {
  const seen = peek(
    [],
    TARGET,
    bytes(
      '{"model":"a","messages":[{"role":"user","content":"x"}],"stream":true,"model":"b","messages":[],"stream":false}',
    ),
  );
  deepStrictEqual(
    [seen.model, seen.isPrompt, seen.isStream],
    ["b", false, false],
  );
});

// The same facts from a parsed tree, the slow and obvious way.

type Tree = Readonly<Record<string, unknown>>;

function tree(value: unknown): Tree | null {
  const isTree = typeof value === "object" && value !== null &&
    !Array.isArray(value);
  return isTree ? value as Tree : null;
}

function list(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function text(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

function texts(content: unknown): string[] {
  if (typeof content === "string") return [content];
  return list(content).map(tree)
    .filter((block) => block?.["type"] === "text")
    .flatMap((block) => text(block?.["text"]) ?? []);
}

function asksForHour(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(asksForHour);
  const object = tree(value);
  if (object === null) return false;
  return Object.entries(object).some(([key, inner]) =>
    key === "cache_control" && tree(inner)?.["ttl"] === "1h" ||
    asksForHour(inner)
  );
}

function parsedFacts(json: string): Partial<RequestPeek> {
  const body = tree(JSON.parse(json)) ?? {};
  const turns = list(body["messages"]).map(tree).filter((t) => t !== null);
  const first = turns.find((turn) => turn["role"] === "user");
  const last = turns.findLast((turn) => turn["role"] !== "system");
  const isUsers = last?.["role"] === "user";
  const blocks = list(last?.["content"]).map(tree);
  const tools = list(body["tools"]);
  const advisor = tools.map(tree).find((tool) =>
    text(tool?.["type"])?.startsWith("advisor_") &&
    text(tool?.["model"]) !== null
  );
  const thread = tree(body["thread"]);
  const maxTokens = body["max_tokens"];
  return {
    model: text(body["model"]),
    advisorModel: text(advisor?.["model"]),
    isStream: body["stream"] === true,
    maxTokens: Number.isSafeInteger(maxTokens) && Number(maxTokens) >= 0
      ? Number(maxTokens)
      : null,
    terms: {
      ...PLAIN_TERMS,
      isFast: body["speed"] === "fast",
      isUs: body["inference_geo"] === "us",
    },
    hasTools: tools.length > 0,
    isSide: tools.length === 0 &&
      turns.filter((turn) => turn["role"] !== "system").length <= 1 &&
      JSON.stringify(body).length < 16_000,
    isPrompt: isUsers &&
      !blocks.some((block) => block?.["type"] === "tool_result"),
    isCompaction: isUsers &&
      texts(last?.["content"]).some((t) => t.startsWith(COMPACT.slice(0, 56))),
    isCompacted: texts(first?.["content"]).slice(0, 2)
      .some((t) => t.startsWith(SUMMARY.slice(0, 60))),
    thread: thread?.["type"] === "create"
      ? "create"
      : thread?.["type"] === "continue" ||
          Object.hasOwn(thread ?? {}, "previous_message_id")
      ? "continue"
      : "none",
    cacheTtl: asksForHour(body) ? "1h" : "5m",
  };
}

const words = fc.oneof(
  fc.string({ unit: "binary", maxLength: 100 }),
  fc.constantFrom(SUMMARY, COMPACT, '\\"', "\\", "\ud800", "cache_control"),
);
const odd = fc.jsonValue({ maxDepth: 3, stringUnit: "binary" });
const cacheControl = fc.record(
  { type: fc.constant("ephemeral"), ttl: fc.constantFrom("1h", "5m", 1) },
  { requiredKeys: [] },
);
const block = fc.record({
  type: fc.constantFrom("text", "tool_result", "tool_use", "thinking", 5),
  text: fc.oneof(words, odd),
  input: odd,
  cache_control: fc.oneof(cacheControl, odd),
}, { requiredKeys: [] });
const content = fc.oneof(
  words,
  fc.array(fc.oneof({ weight: 5, arbitrary: block }, odd), { maxLength: 4 }),
  odd,
);
const turn = fc.record({
  role: fc.constantFrom("user", "assistant", "system", "odd", 7),
  content,
}, { requiredKeys: [] });
const tool = fc.record({
  name: words,
  type: fc.constantFrom("advisor_20260301", "custom", "advisor_", 1),
  model: fc.oneof(words, odd),
  input_schema: odd,
  cache_control: cacheControl,
}, { requiredKeys: [] });
const requestBody = fc.record({
  model: fc.oneof(words, odd),
  stream: fc.oneof(fc.boolean(), odd),
  max_tokens: fc.oneof(fc.nat(), fc.double(), odd),
  system: content,
  tools: fc.oneof(
    fc.array(fc.oneof({ weight: 5, arbitrary: tool }, odd), { maxLength: 3 }),
    odd,
  ),
  messages: fc.oneof(
    {
      weight: 6,
      arbitrary: fc.array(
        fc.oneof({ weight: 8, arbitrary: turn }, odd),
        { maxLength: 5 },
      ),
    },
    odd,
  ),
  thread: fc.oneof(
    fc.record({ type: fc.constantFrom("create", "continue", "x") }),
    fc.record({ previous_message_id: odd }),
    odd,
  ),
  metadata: odd,
  thinking: odd,
}, { requiredKeys: [] });
const requestJson = fc.tuple(
  fc.oneof({ weight: 9, arbitrary: requestBody }, odd),
  fc.constantFrom<string | number>(0, 1, "\t", "\r\n"),
).map(([body, space]) => JSON.stringify(body, null, space));

Deno.test("peek() finds the facts that JSON.parse finds", () => {
  fc.assert(
    fc.property(requestJson, (json) => {
      const body = bytes(json);
      const before = body.slice();
      const seen: Partial<RequestPeek> = peek([], TARGET, body);
      deepStrictEqual(body, before);
      const facts = parsedFacts(json);
      const same = Object.fromEntries(
        Object.entries(seen).filter(([key]) => key in facts),
      );
      deepStrictEqual(same, facts);
    }),
    { numRuns: trials(2_000, 50_000) },
  );
});

Deno.test("peek() never throws, whatever the bytes", () => {
  const broken = fc.tuple(
    requestJson,
    fc.nat(),
    fc.uint8Array({ maxLength: 4 }),
  )
    .map(([json, at, noise]) => {
      const body = bytes(json);
      const cut = at % (body.length + 1);
      return new Uint8Array([
        ...body.subarray(0, cut),
        ...noise,
        ...body.subarray(cut + noise.length),
      ]);
    });
  const structural = fc.array(
    fc.constantFrom(
      '{"',
      '"messages":',
      "[",
      "]",
      "}",
      '"tools":[{"',
      ":",
      ",",
    ),
    { maxLength: 30 },
  ).map((parts) => bytes(parts.join("")));
  const body = fc.oneof(fc.uint8Array({ maxLength: 300 }), broken, structural);
  fc.assert(
    fc.property(body, (body) => {
      const seen = peek([], TARGET, body);
      ok(seen.estimatedTokens >= 0);
      ok(!seen.isSide || !seen.hasTools);
    }),
    { numRuns: trials(2_000, 50_000) },
  );
});

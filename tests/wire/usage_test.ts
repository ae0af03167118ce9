import { PLAIN_TERMS } from "../../src/core/pricing.ts";
import { deepStrictEqual, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import { type MeterReading, UsageMeter } from "../../src/wire/answer/usage.ts";
import { trials } from "../fixtures/trials.ts";

const STREAM = "text/event-stream; charset=utf-8";

function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function read(contentType: string | null, ...chunks: string[]): MeterReading {
  const meter = new UsageMeter(contentType);
  for (const chunk of chunks) meter.push(bytes(chunk));
  return meter.finish();
}

function event(type: string, rest: Readonly<Record<string, unknown>>): string {
  return `event: ${type}\ndata: ${JSON.stringify({ type, ...rest })}\n\n`;
}

function start(id: string, usage: unknown): string {
  const message = { id, model: "claude-opus-5-5", content: [], usage };
  return event("message_start", { message });
}

function delta(output_tokens: number, stop_reason: string | null): string {
  return event("message_delta", {
    delta: { stop_reason, stop_sequence: null },
    usage: { output_tokens },
  });
}

const START = start("msg_01FAKE", {
  input_tokens: 12,
  cache_creation_input_tokens: 3_000,
  cache_read_input_tokens: 96_000,
  cache_creation: {
    ephemeral_5m_input_tokens: 1_000,
    ephemeral_1h_input_tokens: 2_000,
  },
  output_tokens: 3,
  service_tier: "standard",
});
const TEXT = event("content_block_delta", {
  index: 0,
  delta: { type: "text_delta", text: '"usage":{"output_tokens":999999}' },
});
const STOP = event("message_stop", {});

Deno.test("UsageMeter reads a stream", () => {
  deepStrictEqual(
    read(
      STREAM,
      START,
      event("ping", {}),
      TEXT,
      delta(40, null),
    ) satisfies MeterReading,
    {
      usage: {
        input: 12,
        cacheRead: 96_000,
        cacheWrite5m: 1_000,
        cacheWrite1h: 2_000,
        output: 40,
      },
      terms: PLAIN_TERMS,
      model: "claude-opus-5-5",
      stopReason: null,
      isComplete: false,
      errorType: null,
      messageId: "msg_01FAKE",
      containerId: null,
    },
  );
  const whole = read(STREAM, START, TEXT, delta(40, "end_turn"), STOP);
  strictEqual(whole.isComplete, true);
  strictEqual(whole.stopReason, "end_turn");
});

Deno.test("UsageMeter takes the highest of cumulative counts, not their sum", () => {
  const seen = read(
    STREAM,
    START,
    delta(10, null),
    delta(40, null),
    delta(25, null),
  );
  strictEqual(seen.usage?.output, 40);
  const first = start("msg_01FAKE", { output_tokens: 50 });
  strictEqual(read(STREAM, first, delta(20, null)).usage?.output, 50);
});

Deno.test("UsageMeter takes the prompt as it was stated last", () => {
  const late = event("message_delta", {
    delta: {},
    usage: {
      input_tokens: 500,
      cache_read_input_tokens: 100,
      cache_creation_input_tokens: 4_000,
      output_tokens: 1,
    },
  });
  deepStrictEqual(read(STREAM, START, late).usage, {
    input: 500,
    cacheRead: 100,
    cacheWrite5m: 2_000,
    cacheWrite1h: 2_000,
    output: 3,
  });
  // A compatible backend: all of it as input first, the split at the end.
  const whole = start("msg_01FAKE", { input_tokens: 1_000, output_tokens: 1 });
  const split = event("message_delta", {
    delta: {},
    usage: {
      input_tokens: 100,
      cache_read_input_tokens: 900,
      cache_creation_input_tokens: 0,
      output_tokens: 7,
    },
  });
  deepStrictEqual(read(STREAM, whole, split).usage, {
    input: 100,
    cacheRead: 900,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    output: 7,
  });
  // Zeros state nothing.
  const zeros = event("message_delta", {
    delta: {},
    usage: { input_tokens: 0, output_tokens: 7 },
  });
  strictEqual(read(STREAM, START, zeros).usage?.cacheRead, 96_000);
});

Deno.test("UsageMeter reads the chat form, plain and as a stream", () => {
  const usage = {
    prompt_tokens: 120,
    completion_tokens: 9,
    total_tokens: 129,
    prompt_tokens_details: { cached_tokens: 100 },
  };
  const expected = {
    input: 20,
    cacheRead: 100,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    output: 9,
  };
  const plain = read(
    "application/json",
    JSON.stringify({
      id: "chatcmpl-1",
      object: "chat.completion",
      model: "claude-opus-5-5",
      choices: [{ message: { content: "Hi" }, finish_reason: "stop" }],
      usage,
    }),
  );
  deepStrictEqual(plain.usage, expected);
  deepStrictEqual(
    [plain.model, plain.stopReason],
    ["claude-opus-5-5", "stop"],
  );
  const chunk = (parts: object) =>
    `data: ${
      JSON.stringify({
        id: "chatcmpl-1",
        object: "chat.completion.chunk",
        model: "claude-opus-5-5",
        ...parts,
      })
    }\n\n`;
  const streamed = read(
    STREAM,
    chunk({ choices: [{ delta: { content: "Hi" } }] }),
    chunk({ choices: [{ delta: {}, finish_reason: "stop" }] }),
    chunk({ choices: [], usage }),
    "data: [DONE]\n\n",
  );
  deepStrictEqual(streamed.usage, expected);
  strictEqual(streamed.stopReason, "stop");
  strictEqual(streamed.isComplete, true);
});

Deno.test("UsageMeter books cache writes without a breakdown as 5-minute ones", () => {
  const usage = { cache_creation_input_tokens: 700, cache_creation: null };
  deepStrictEqual(read(STREAM, start("m", usage)).usage, {
    input: 0,
    cacheRead: 0,
    cacheWrite5m: 700,
    cacheWrite1h: 0,
    output: 0,
  });
  const broken = {
    cache_creation: {
      ephemeral_1h_input_tokens: 9,
      ephemeral_5m_input_tokens: 1,
    },
  };
  const { cacheWrite5m, cacheWrite1h } =
    read(STREAM, start("m", broken)).usage ?? {};
  deepStrictEqual([cacheWrite5m, cacheWrite1h], [1, 9]);
});

Deno.test("UsageMeter adds up several messages in one answer", () => {
  const second = start("msg_02FAKE", { input_tokens: 5, output_tokens: 1 });
  const seen = read(
    STREAM,
    START,
    delta(40, "pause_turn"),
    STOP,
    second,
    delta(7, null),
  );
  strictEqual(seen.usage?.input, 17);
  strictEqual(seen.usage?.output, 47);
  strictEqual(seen.messageId, "msg_02FAKE");
  strictEqual(seen.isComplete, false);
  strictEqual(read(STREAM, START, START).usage?.input, 12);
});

Deno.test("UsageMeter has no usage if none was seen", () => {
  for (
    const stream of [
      "",
      "data: [DONE]\n\n",
      STOP,
      start("m", null),
      start("m", {}),
    ]
  ) {
    strictEqual(read(STREAM, stream).usage, null);
  }
  const senseless = {
    input_tokens: -1,
    output_tokens: 1.5,
    cache_creation: [],
  };
  strictEqual(read(STREAM, start("m", senseless)).usage, null);
  deepStrictEqual(read(STREAM, start("m", { output_tokens: 0 })).usage, {
    input: 0,
    cacheRead: 0,
    cacheWrite5m: 0,
    cacheWrite1h: 0,
    output: 0,
  });
});

Deno.test("UsageMeter sees an error within a stream", () => {
  const error = event("error", {
    error: { type: "overloaded_error", message: "Overloaded" },
  });
  const seen = read(STREAM, START, TEXT, error);
  strictEqual(seen.errorType, "overloaded_error");
  strictEqual(seen.isComplete, false);
  strictEqual(seen.usage?.input, 12);
});

Deno.test("UsageMeter reads a stream whose events have no names", () => {
  const nameless = [START, TEXT, delta(40, "end_turn"), STOP].join("")
    .replace(/^event: .*\n/gm, "");
  deepStrictEqual(
    read(STREAM, nameless),
    read(STREAM, START, TEXT, delta(40, "end_turn"), STOP),
  );
});

Deno.test("UsageMeter does not call a stream complete that lacks its end", () => {
  const whole = START + TEXT + delta(40, "end_turn") + STOP;
  for (let end = 0; end < whole.length; end++) {
    strictEqual(read(STREAM, whole.slice(0, end)).isComplete, false);
  }
  strictEqual(read(STREAM, whole).isComplete, true);
});

const MESSAGE = {
  id: "msg_03FAKE",
  type: "message",
  role: "assistant",
  model: "claude-sonnet-5-5",
  content: [{ type: "text", text: '{"usage":{"output_tokens":9}} \\" é' }],
  stop_reason: "max_tokens",
  stop_sequence: null,
  usage: {
    input_tokens: 4,
    cache_creation_input_tokens: 0,
    cache_read_input_tokens: 8,
    output_tokens: 1,
  },
};

Deno.test("UsageMeter reads a JSON answer", () => {
  const text = JSON.stringify(MESSAGE, null, 1);
  const expected = {
    usage: {
      input: 4,
      cacheRead: 8,
      cacheWrite5m: 0,
      cacheWrite1h: 0,
      output: 1,
    },
    terms: PLAIN_TERMS,
    model: "claude-sonnet-5-5",
    stopReason: "max_tokens",
    isComplete: true,
    errorType: null,
    messageId: "msg_03FAKE",
    containerId: null,
  };
  deepStrictEqual(read("application/json", text), expected);
  deepStrictEqual(
    read("Application/JSON; charset=utf-8", ...text),
    expected,
  );
  for (const end of [1, 20, text.length - 1]) {
    strictEqual(read("application/json", text.slice(0, end)).isComplete, false);
  }
  strictEqual(read("application/json", `${text}x`).isComplete, false);
  strictEqual(read("application/json", `${text}\n`).isComplete, true);
});

Deno.test("UsageMeter reads a JSON error and other JSON", () => {
  const error = read(
    "application/json",
    '{"type":"error","error":{"type":"rate_limit_error","message":"x"}}',
  );
  strictEqual(error.errorType, "rate_limit_error");
  strictEqual(error.usage, null);
  strictEqual(error.isComplete, true);
  const count = read("application/json", '{"input_tokens":2095}');
  strictEqual(count.usage, null);
  strictEqual(count.isComplete, true);
});

Deno.test("UsageMeter reads nothing from answers of other kinds", () => {
  const nothing = {
    usage: null,
    terms: PLAIN_TERMS,
    model: null,
    stopReason: null,
    isComplete: false,
    errorType: null,
    messageId: null,
    containerId: null,
  };
  for (const type of [null, "", "text/html", "application/octet-stream"]) {
    deepStrictEqual(read(type, JSON.stringify(MESSAGE), STOP), nothing);
  }
  deepStrictEqual(read("application/json"), nothing);
  const big = `{"usage":{"input_tokens":1},"x":"${"x".repeat(1_000_000)}"}`;
  const chunks = Array.from({ length: 9 }, () => big);
  deepStrictEqual(read("application/json", ...chunks), nothing);
});

Deno.test("UsageMeter reads the same wherever the chunks are cut", () => {
  const whole = bytes(
    START + TEXT + delta(10, null) + delta(40, "end_turn") + STOP,
  );
  const json = bytes(JSON.stringify(MESSAGE));
  function cutRead(
    type: string,
    all: Uint8Array,
    cuts: number[],
  ): MeterReading {
    const meter = new UsageMeter(type);
    let at = 0;
    for (
      const cut of [
        ...cuts.map((c) => c % all.length).sort((a, b) => a - b),
        all.length,
      ]
    ) {
      const chunk = all.slice(at, cut);
      meter.push(chunk);
      chunk.fill(0);
      at = cut;
    }
    return meter.finish();
  }
  const wholeStream = cutRead(STREAM, whole, []);
  const wholeJson = cutRead("application/json", json, []);
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 20 }), (cuts) => {
      deepStrictEqual(cutRead(STREAM, whole, cuts), wholeStream);
      deepStrictEqual(cutRead("application/json", json, cuts), wholeJson);
    }),
    { numRuns: trials(1_000, 20_000) },
  );
});

Deno.test("UsageMeter never throws, whatever the bytes", () => {
  const events = fc.array(
    fc.tuple(
      fc.constantFrom("message_start", "message_delta", "error", "message"),
      fc.oneof(
        fc.jsonValue(),
        fc.record({
          type: fc.constantFrom("message_start", "message_delta", "error"),
          message: fc.jsonValue(),
          usage: fc.jsonValue(),
          delta: fc.jsonValue(),
          error: fc.jsonValue(),
        }),
      ),
    ),
    { maxLength: 5 },
  ).map((all) =>
    bytes(
      all.map(([n, d]) => `event: ${n}\ndata: ${JSON.stringify(d)}\n\n`).join(
        "",
      ),
    )
  );
  const json = fc.jsonValue().map((value) => bytes(JSON.stringify(value)));
  const body = fc.oneof(fc.uint8Array({ maxLength: 200 }), events, json);
  fc.assert(
    fc.property(
      body,
      fc.constantFrom(STREAM, "application/json"),
      (body, type) => {
        const meter = new UsageMeter(type);
        meter.push(body);
        const { usage } = meter.finish();
        for (const count of Object.values(usage ?? {})) {
          strictEqual(Number.isSafeInteger(count) && count >= 0, true);
        }
      },
    ),
    { numRuns: trials(2_000, 50_000) },
  );
});

Deno.test("UsageMeter reads what changes the price: fast mode, batch, place and searches", () => {
  const usage = {
    input_tokens: 5,
    output_tokens: 1,
    service_tier: "batch",
    inference_geo: "us",
    server_tool_use: { web_search_requests: 2, web_fetch_requests: 7 },
  };
  const body = JSON.stringify({ ...MESSAGE, usage });
  deepStrictEqual(read("application/json", body).terms, {
    isFast: false,
    isBatch: true,
    isUs: true,
    webSearches: 2,
  });
  const begin = event("message_start", {
    type: "message_start",
    message: { id: "msg_1", usage: { input_tokens: 5, speed: "fast" } },
  });
  const searched = (count: number) =>
    event("message_delta", {
      type: "message_delta",
      delta: {},
      usage: {
        output_tokens: 3,
        server_tool_use: { web_search_requests: count },
      },
    });
  deepStrictEqual(read(STREAM, begin, searched(1), searched(3)).terms, {
    isFast: true,
    isBatch: false,
    isUs: false,
    webSearches: 3,
  });
});

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import fc from "fast-check";
import {
  apiError,
  type ApiErrorAnswer,
  type ApiErrorType,
  readApiError,
  sseComment,
  sseError,
  sseErrorBody,
  ssePing,
  threadNotFound,
  threadUnsupported,
} from "../../src/wire/answer/api_error.ts";
import { SseScanner } from "../../src/wire/answer/sse.ts";

const TYPES: readonly ApiErrorType[] = [
  "invalid_request_error",
  "authentication_error",
  "billing_error",
  "permission_error",
  "not_found_error",
  "request_too_large",
  "rate_limit_error",
  "timeout_error",
  "api_error",
  "overloaded_error",
];

function header(answer: ApiErrorAnswer, name: string): string | null {
  return answer.headers.find(([n]) => n === name)?.[1] ?? null;
}

function text(bytes: Uint8Array): string {
  return new TextDecoder().decode(bytes);
}

Deno.test("apiError() has the API's shape", () => {
  const answer = apiError({
    status: 429,
    type: "rate_limit_error",
    message: "All 2 accounts are closed",
    retryAfterSec: 12.2,
    requestId: "req_tc_1",
  });
  strictEqual(answer.status, 429);
  deepStrictEqual(answer.headers, [
    ["content-type", "application/json"],
    ["retry-after", "13"],
    ["request-id", "req_tc_1"],
  ]);
  deepStrictEqual(JSON.parse(text(answer.body)), {
    type: "error",
    error: { type: "rate_limit_error", message: "All 2 accounts are closed" },
    request_id: "req_tc_1",
  });
});

Deno.test("apiError() never sends a wait that ends the client's turn", () => {
  const waits: [seconds: number, header: string][] = [
    [-5, "1"],
    [0, "1"],
    [0.2, "1"],
    [1, "1"],
    [54.1, "55"],
    [55, "55"],
    [56, "55"],
    [604_800, "55"],
    [Infinity, "55"],
    [NaN, "55"],
  ];
  for (const [retryAfterSec, expected] of waits) {
    const answer = apiError({
      status: 503,
      type: "api_error",
      message: "x",
      retryAfterSec,
    });
    strictEqual(header(answer, "retry-after"), expected);
  }
  const none = apiError({
    status: 502,
    type: "api_error",
    message: "x",
    retryAfterSec: null,
  });
  deepStrictEqual(none.headers, [["content-type", "application/json"]]);
});

Deno.test("apiError() never sends limits, whatever it is given", () => {
  const options = fc.record({
    status: fc.integer({ min: 400, max: 599 }),
    type: fc.constantFrom(...TYPES),
    message: fc.string({ unit: "binary" }),
    retryAfterSec: fc.option(fc.double()),
  });
  fc.assert(fc.property(options, (options) => {
    const answer = apiError(options);
    for (const [name] of answer.headers) {
      ok(!name.startsWith("anthropic-ratelimit-"));
    }
    const read = readApiError(answer.body);
    strictEqual(read.type, options.type);
    ok(!/[\p{Cc}]/u.test(read.message ?? ""));
  }));
});

Deno.test("apiError() tells the client not to retry what a retry cannot help", () => {
  function shouldRetry(status: number): string | null {
    const type = "api_error";
    return header(
      apiError({ status, type, message: "x", retryAfterSec: null }),
      "x-should-retry",
    );
  }
  for (const status of [401, 403, 404, 413]) {
    strictEqual(shouldRetry(status), "false");
  }
  for (const status of [400, 408, 429, 500, 502, 503, 529]) {
    strictEqual(shouldRetry(status), null);
  }
});

Deno.test("threadUnsupported() is the refusal that makes the client send all", () => {
  const answer = threadUnsupported("req_tc_2");
  strictEqual(answer.status, 400);
  strictEqual(header(answer, "request-id"), "req_tc_2");
  const { type, error } = JSON.parse(text(answer.body));
  strictEqual(type, "error");
  strictEqual(error.type, "invalid_request_error");
  deepStrictEqual(error.details, { error_code: "thread_unsupported_request" });
  deepStrictEqual(threadUnsupported().headers, [
    ["content-type", "application/json"],
  ]);
});

Deno.test("threadNotFound() is the refusal that makes the official SDKs send all", () => {
  const answer = threadNotFound("req_tc_3");
  strictEqual(answer.status, 404);
  strictEqual(header(answer, "request-id"), "req_tc_3");
  const { error } = JSON.parse(text(answer.body));
  strictEqual(error.type, "not_found_error");
  deepStrictEqual(error.details, { error_code: "thread_not_found" });
});

Deno.test("sseError(), ssePing() and sseComment() are events as the API sends them", () => {
  const message = "line one\nline two";
  const stream = text(ssePing()) + text(sseComment()) +
    text(sseError({ type: "overloaded_error", message }));
  const events = new SseScanner().push(new TextEncoder().encode(stream))
    .map(({ event, data }) => [event, JSON.parse(text(data))]);
  deepStrictEqual(events, [
    ["ping", { type: "ping" }],
    ["error", {
      type: "error",
      error: { type: "overloaded_error", message: "line one line two" },
    }],
  ]);
  strictEqual(text(sseComment()), ": waiting\n\n");
});

Deno.test("sseErrorBody() passes an envelope on in one event, however it is laid out", () => {
  const envelope = { type: "error", error: { type: "x", message: "a b" } };
  const pretty = new TextEncoder().encode(JSON.stringify(envelope, null, 2));
  const events = new SseScanner().push(sseErrorBody(pretty));
  deepStrictEqual(
    events.map(({ event, data }) => [event, JSON.parse(text(data))]),
    [["error", envelope]],
  );
});

/** A request of Claude Code and its answer, as the measurements in memory use them. */

import { Buffer } from "node:buffer";
import type { HeaderList } from "../../src/ports.ts";
import { conversationBody } from "./conversation.ts";

/** The body of the answer. */
export const ANSWER = Buffer.from(JSON.stringify({
  id: "msg_01XFDUDYJgAACzvnptvVoYEL",
  type: "message",
  role: "assistant",
  model: "claude-opus-5-5",
  content: [{ type: "text", text: "word ".repeat(60) }],
  stop_reason: "end_turn",
  usage: {
    input_tokens: 25,
    cache_read_input_tokens: 30_000,
    output_tokens: 80,
  },
}));

function inHours(hours: number): string {
  return `${Math.floor(Date.now() / 1_000) + hours * 3_600}`;
}

/** The lines of the answer. */
export const ANSWER_LINES: HeaderList = [
  ["date", "Sat, 21 Nov 2026 10:00:00 GMT"],
  ["cache-control", "no-cache"],
  ["anthropic-organization-id", "5e6f7a8b-1111-2222-3333-444455556666"],
  ["request-id", "req_011CVabcdefghijklmnopqrs"],
  ["anthropic-ratelimit-unified-status", "allowed"],
  ["anthropic-ratelimit-unified-representative-claim", "five_hour"],
  ["anthropic-ratelimit-unified-5h-status", "allowed"],
  ["anthropic-ratelimit-unified-5h-utilization", "0.1"],
  ["anthropic-ratelimit-unified-5h-reset", inHours(3)],
  ["anthropic-ratelimit-unified-7d-status", "allowed"],
  ["anthropic-ratelimit-unified-7d-utilization", "0.2"],
  ["anthropic-ratelimit-unified-7d-reset", inHours(90)],
  ["strict-transport-security", "max-age=31536000"],
  ["server", "cloudflare"],
  ["content-type", "application/json"],
  ["content-length", `${ANSWER.length}`],
];

/** Returns a body of about so many bytes; a long one is a real conversation. */
export function bodyOf(bytes: number): Uint8Array {
  if (bytes > 10_000) return Buffer.from(conversationBody(bytes));
  const text = "some words of a prompt ".repeat(bytes / 20);
  const body = {
    model: "claude-opus-5-5",
    max_tokens: 1_000,
    stream: false,
    tools: [{ name: "Bash", input_schema: { type: "object" } }],
    messages: [{ role: "user", content: text.slice(0, bytes) }],
  };
  return Buffer.from(JSON.stringify(body));
}

/** Returns the lines of a request of one session, with a body of `bytes` bytes. */
export function headersOf(session: number, bytes: number): HeaderList {
  return [
    ["host", "127.0.0.1"],
    ["accept", "application/json"],
    ["content-type", "application/json"],
    ["user-agent", "tc-bench"],
    ["anthropic-version", "2023-06-01"],
    [
      "anthropic-beta",
      "claude-code-20250219,interleaved-thinking-2025-05-14",
    ],
    ["x-app", "cli"],
    ["x-stainless-lang", "js"],
    ["x-stainless-retry-count", "0"],
    ["x-stainless-timeout", "600"],
    ["accept-encoding", "gzip, deflate, br, zstd"],
    [
      "x-claude-code-session-id",
      `50aead76-f351-4346-b9ca-${`${session}`.padStart(12, "0")}`,
    ],
    ["content-length", `${bytes}`],
  ];
}

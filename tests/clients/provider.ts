/** What the provider answers to clients: the same to the same request. */

import type { OriginAnswer, OriginRequest } from "../fixtures/origin_answer.ts";
import type { OriginRule } from "../fixtures/scripted_origin.ts";
import { replyIdOf, ThreadBook } from "./thread_book.ts";

const JSON_TYPE = ["content-type", "application/json"] as const;

function json(body: unknown, status = 200): OriginAnswer {
  return {
    status,
    headers: [JSON_TYPE, ["request-id", "req_011Fake"]],
    body: JSON.stringify(body),
  };
}

function failure(status: number, type: string): OriginAnswer {
  return json({ type: "error", error: { type, message: `a ${type}` } }, status);
}

function message(
  content: readonly unknown[],
  stop: string,
  id: string,
): object {
  return {
    id,
    type: "message",
    role: "assistant",
    model: "claude-opus-5-5",
    content,
    stop_reason: stop,
    stop_sequence: null,
    usage: { input_tokens: 20, output_tokens: 5 },
  };
}

function events(text: string, id: string): OriginAnswer {
  const list: readonly (readonly [string, object])[] = [
    ["message_start", {
      message: { ...message([], "end_turn", id), stop_reason: null },
    }],
    ["content_block_start", {
      index: 0,
      content_block: { type: "text", text: "" },
    }],
    ["ping", {}],
    ["content_block_delta", {
      index: 0,
      delta: { type: "text_delta", text },
    }],
    ["content_block_stop", { index: 0 }],
    ["message_delta", {
      delta: { stop_reason: "end_turn", stop_sequence: null },
      usage: { output_tokens: 5 },
    }],
    ["message_stop", {}],
  ];
  return {
    headers: [["content-type", "text/event-stream; charset=utf-8"]],
    framing: "chunked",
    body: list.map(([name, data]) =>
      `event: ${name}\ndata: ${JSON.stringify({ type: name, ...data })}\n\n`
    ).join(""),
  };
}

function messages(
  request: OriginRequest,
  body: Record<string, unknown>,
  threads: ThreadBook,
): OriginAnswer {
  const model = String(body["model"]);
  const fault = /^claude-fails-(\d+)$/.exec(model)?.[1];
  if (fault === "400") return failure(400, "invalid_request_error");
  if (fault === "404") return failure(404, "not_found_error");
  if (fault === "413") return failure(413, "request_too_large");
  if (fault === "500") return failure(500, "api_error");
  const id = replyIdOf(request);
  const tools = threads.turn(request, body);
  if (tools === null) {
    return json({
      type: "error",
      error: {
        type: "not_found_error",
        message: "No usable Thread state was found",
        details: { error_code: "thread_not_found" },
      },
    }, 404);
  }
  const turns = Array.isArray(body["messages"]) ? body["messages"] : [];
  const last = JSON.stringify(turns.at(-1) ?? "");
  const wantsTool = tools.length > 0 && !last.includes("tool_result");
  if (body["stream"] === true) return events("streamed words", id);
  return json(
    wantsTool
      ? message(
        [{
          type: "tool_use",
          id: "toolu_011Fake",
          name: "add",
          input: { a: 2, b: 3 },
        }],
        "tool_use",
        id,
      )
      : message([{ type: "text", text: "plain words" }], "end_turn", id),
  );
}

const BATCH = {
  id: "msgbatch_011Fake0",
  type: "message_batch",
  processing_status: "ended",
  request_counts: {
    processing: 0,
    succeeded: 1,
    errored: 0,
    canceled: 0,
    expired: 0,
  },
  created_at: "2026-11-29T00:00:00Z",
  expires_at: "2026-11-30T00:00:00Z",
  results_url: null,
};

const FILE = {
  id: "file_011Fake00",
  type: "file",
  filename: "a.txt",
  mime_type: "text/plain",
  size_bytes: 5,
  created_at: "2026-11-29T00:00:00Z",
};

const MODELS = {
  data: [{
    type: "model",
    id: "claude-opus-5-5",
    display_name: "Opus",
    created_at: "2026-01-01T00:00:00Z",
  }],
  has_more: false,
  first_id: "claude-opus-5-5",
  last_id: "claude-opus-5-5",
};

function chat(body: Record<string, unknown>): OriginAnswer {
  const base = {
    id: "chatcmpl-1",
    created: 1,
    model: "claude-opus-5-5",
  };
  if (body["stream"] !== true) {
    return json({
      ...base,
      object: "chat.completion",
      choices: [{
        index: 0,
        message: { role: "assistant", content: "chat words" },
        finish_reason: "stop",
      }],
      usage: { prompt_tokens: 20, completion_tokens: 5, total_tokens: 25 },
    });
  }
  const chunk = (parts: object) =>
    `data: ${
      JSON.stringify({ ...base, object: "chat.completion.chunk", ...parts })
    }\n\n`;
  return {
    headers: [["content-type", "text/event-stream"]],
    framing: "chunked",
    body: chunk({
      choices: [{ index: 0, delta: { role: "assistant", content: "chat " } }],
    }) + chunk({
      choices: [{
        index: 0,
        delta: { content: "words" },
        finish_reason: "stop",
      }],
    }) + "data: [DONE]\n\n",
  };
}

/** Returns a provider without threads; it answers any request of a client. */
export function scriptedProvider(): OriginRule {
  const threads = new ThreadBook();
  return (request) => answerOf(request, threads);
}

function answerOf(request: OriginRequest, threads: ThreadBook): OriginAnswer {
  const path = request.target.split("?")[0] ?? "";
  const text = new TextDecoder().decode(request.body);
  const body = (): Record<string, unknown> => JSON.parse(text || "{}");
  const key = `${request.method} ${path}`;
  if (key === "POST /v1/messages") {
    return messages(request, body(), threads);
  }
  if (key === "POST /v1/messages/count_tokens") {
    return json({ input_tokens: 20 });
  }
  if (key === "POST /v1/messages/batches") return json(BATCH);
  if (path.startsWith("/v1/messages/batches/")) {
    return path.endsWith("/results")
      ? {
        headers: [["content-type", "application/x-jsonl"]],
        body: '{"custom_id":"one","result":{"type":"canceled"}}\n',
      }
      : json(BATCH);
  }
  if (key === "POST /v1/files") return json(FILE);
  if (key.startsWith("DELETE /v1/files/")) {
    return json({ id: FILE.id, type: "file_deleted" });
  }
  if (path.startsWith("/v1/files/")) return json(FILE);
  if (key === "GET /v1/models") return json(MODELS);
  if (path.startsWith("/v1/models/")) return json(MODELS.data[0]);
  if (key === "POST /v1/chat/completions") return chat(body());
  return failure(404, "not_found_error");
}

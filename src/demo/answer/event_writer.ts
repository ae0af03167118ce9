/**
 * Writes the events of a Messages stream, with the names and order of the real
 * API.
 *
 * @module
 */

import type { TokenUsage } from "../../core/usage.ts";
import {
  type Answer,
  type AnswerBlock,
  outputTokens,
  signatureOf,
} from "./answer.ts";
import type { JsonObject } from "../json.ts";

/** One server-sent event. */
export interface MessageEventOut {
  readonly kind: "event";
  readonly name: string;
  readonly data: JsonObject;
  /** Output tokens generated when the event is sent. */
  readonly output: number;
  /** The usage that the event states, or null. */
  readonly states: TokenUsage | null;
}

export type StreamError =
  | "overloaded_error"
  | "rate_limit_error"
  | "api_error";

/** Tokens in one delta, as the real API groups them. */
export const TOKENS_PER_DELTA = 4;

const ERROR_MESSAGES: Readonly<Record<StreamError, string>> = {
  overloaded_error: "Overloaded",
  rate_limit_error:
    "This request would exceed your account's rate limit. Please try again later.",
  api_error: "Internal server error",
};

/** Returns the text of an event. */
export function eventText(name: string, data: JsonObject): string {
  return `event: ${name}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Returns `usage` in the API's own format. */
export function usageJson(usage: TokenUsage): JsonObject {
  return {
    input_tokens: usage.input,
    cache_creation_input_tokens: usage.cacheWrite5m + usage.cacheWrite1h,
    cache_read_input_tokens: usage.cacheRead,
    cache_creation: {
      ephemeral_5m_input_tokens: usage.cacheWrite5m,
      ephemeral_1h_input_tokens: usage.cacheWrite1h,
    },
    output_tokens: usage.output,
    service_tier: "standard",
  };
}

/** Writes events in order and counts their output tokens. */
export class EventWriter {
  readonly #answer: Answer;
  /** The prompt's part of the usage. */
  readonly #usage: TokenUsage;
  readonly #outputMax: number;
  #index = -1;
  #taken = 0;
  #output = 0;
  #open: AnswerBlock | null = null;
  isDeltaSent = false;

  constructor(answer: Answer, usage: TokenUsage) {
    this.#answer = answer;
    this.#usage = usage;
    this.#outputMax = outputTokens(answer);
  }

  get blocks(): readonly AnswerBlock[] {
    return this.#answer.blocks;
  }

  get isBlockOpen(): boolean {
    return this.#open !== null;
  }

  /** Returns the answer's next block, or its last one again at the end. */
  nextBlock(): AnswerBlock {
    const { blocks } = this.#answer;
    return blocks[this.#taken++] ?? blocks.at(-1) ?? { kind: "text", text: "" };
  }

  start(): MessageEventOut {
    const answer = this.#answer;
    // The real API also starts with a small number instead of the true count.
    this.#output = 1;
    const states = this.#usageNow();
    return this.#event("message_start", {
      message: {
        id: answer.id,
        type: "message",
        role: "assistant",
        model: answer.model,
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: usageJson(states),
      },
    }, states);
  }

  ping(): MessageEventOut {
    return this.#event("ping", {});
  }

  openBlock(block: AnswerBlock): MessageEventOut {
    this.#open = block;
    this.#index += 1;
    return this.#event("content_block_start", {
      index: this.#index,
      content_block: emptyBlock(block),
    });
  }

  *deltas(pieces: readonly string[]): Generator<MessageEventOut> {
    for (let at = 0; at < pieces.length; at += TOKENS_PER_DELTA) {
      const group = pieces.slice(at, at + TOKENS_PER_DELTA);
      this.#output = Math.min(this.#output + group.length, this.#outputMax);
      yield this.#event("content_block_delta", {
        index: this.#index,
        delta: deltaJson(this.#open, group.join("")),
      });
    }
  }

  signature(text: string): MessageEventOut {
    return this.#event("content_block_delta", {
      index: this.#index,
      delta: { type: "signature_delta", signature: signatureOf(text) },
    });
  }

  closeBlock(): MessageEventOut {
    this.#open = null;
    return this.#event("content_block_stop", { index: this.#index });
  }

  delta(): MessageEventOut {
    this.isDeltaSent = true;
    this.#output = this.#outputMax;
    const states = this.#usageNow();
    const { service_tier: _tier, ...usage } = usageJson(states);
    return this.#event("message_delta", {
      delta: { stop_reason: this.#answer.stopReason, stop_sequence: null },
      usage,
    }, states);
  }

  stop(): MessageEventOut {
    return this.#event("message_stop", {});
  }

  error(type: StreamError): MessageEventOut {
    return this.#event("error", {
      error: { type, message: ERROR_MESSAGES[type] },
    });
  }

  #usageNow(): TokenUsage {
    return { ...this.#usage, output: this.#output };
  }

  #event(
    name: string,
    data: JsonObject,
    states: TokenUsage | null = null,
  ): MessageEventOut {
    return {
      kind: "event",
      name,
      data: { type: name, ...data },
      output: this.#output,
      states,
    };
  }
}

function emptyBlock(block: AnswerBlock): JsonObject {
  switch (block.kind) {
    case "thinking":
      return { type: "thinking", thinking: "", signature: "" };
    case "text":
      return { type: "text", text: "" };
    case "tool_use":
      return { type: "tool_use", id: block.id, name: block.name, input: {} };
  }
}

function deltaJson(block: AnswerBlock | null, text: string): JsonObject {
  switch (block?.kind) {
    case "thinking":
      return { type: "thinking_delta", thinking: text };
    case "tool_use":
      return { type: "input_json_delta", partial_json: text };
    default:
      return { type: "text_delta", text };
  }
}

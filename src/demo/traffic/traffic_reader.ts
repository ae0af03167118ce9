/**
 * Puts a streamed message together from its events, as a client does.
 *
 * @module
 */

import { NO_USAGE, type TokenUsage } from "../../core/usage.ts";
import { type JsonObject, objectOf, parseJson, textOf } from "../json.ts";

export type StreamEnding = "complete" | "broken" | "error_event";

export class StreamReader {
  readonly #onText: (text: string) => void;
  readonly #blocks: { readonly start: JsonObject; text: string }[] = [];
  #rest = "";
  #usage = NO_USAGE;
  #events = 0;
  #ending: StreamEnding = "broken";

  /** `onText` is told of each piece of text as it arrives. */
  constructor(onText: (text: string) => void) {
    this.#onText = onText;
  }

  /** Events read so far. */
  get events(): number {
    return this.#events;
  }

  /** How it ended, if nothing more comes. */
  get ending(): StreamEnding {
    return this.#ending;
  }

  /** As far as the answer has told it. */
  get usage(): TokenUsage {
    return this.#usage;
  }

  /** What has come that is no whole event: the body of a refusal. */
  get rest(): string {
    return this.#rest;
  }

  content(): readonly JsonObject[] {
    return this.#blocks.map(({ start, text }) =>
      start["type"] === "tool_use"
        ? { ...start, input: objectOf(parseJson(text)) ?? {} }
        : { ...start, text }
    );
  }

  push(text: string): void {
    const parts = (this.#rest + text).split("\n\n");
    this.#rest = parts.pop() ?? "";
    for (const part of parts) this.#event(part);
  }

  #event(text: string): void {
    const line = text.split("\n").find((each) => each.startsWith("data:"));
    const data = objectOf(parseJson(line?.slice("data:".length) ?? ""));
    if (data === null) return;
    this.#events += 1;
    switch (data["type"]) {
      case "message_start":
        this.#usage = usageOf(objectOf(data["message"])?.["usage"]);
        return;
      case "content_block_start": {
        const start = objectOf(data["content_block"]) ?? {};
        this.#blocks.push({ start, text: "" });
        return;
      }
      case "content_block_delta":
        return this.#delta(objectOf(data["delta"]) ?? {});
      case "message_delta":
        return this.#count(objectOf(data["usage"])?.["output_tokens"]);
      case "message_stop":
        this.#ending = "complete";
        return;
      case "error":
        this.#ending = "error_event";
    }
  }

  #delta(delta: JsonObject): void {
    const text = textOf(delta["text"]);
    if (text !== null) this.#onText(text);
    const block = this.#blocks.at(-1);
    if (block === undefined) return;
    block.text += text ?? textOf(delta["partial_json"]) ?? "";
  }

  /** The counts are cumulative: the largest is the sum. */
  #count(output: unknown): void {
    const most = Math.max(this.#usage.output, numberOf(output));
    this.#usage = { ...this.#usage, output: most };
  }
}

/** `usage` of a message as token counts. */
export function usageOf(value: unknown): TokenUsage {
  const usage = objectOf(value) ?? {};
  const created = objectOf(usage["cache_creation"]) ?? {};
  return {
    input: numberOf(usage["input_tokens"]),
    cacheRead: numberOf(usage["cache_read_input_tokens"]),
    cacheWrite5m: numberOf(created["ephemeral_5m_input_tokens"]),
    cacheWrite1h: numberOf(created["ephemeral_1h_input_tokens"]),
    output: numberOf(usage["output_tokens"]),
  };
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

/**
 * The HTTP side of simulated sessions. It uses `node:http`, because `fetch`
 * would send a loopback address through the machine's proxy settings.
 *
 * @module
 */

import { Agent, type IncomingMessage, request as open } from "node:http";
import { NO_USAGE, type TokenUsage } from "../../core/usage.ts";
import type { HeaderList } from "../../ports.ts";
import { type JsonObject, objectOf, parseJson, textOf } from "../json.ts";

/** The result of one send. */
export interface ClientAnswer {
  /** Null if there was no answer at all. */
  readonly status: number | null;
  readonly ending: "complete" | "broken" | "error_event" | "left" | "refused";
  /** Seconds of `retry-after`, or null. */
  readonly retryAfterSeconds: number | null;
  /** The `request-id` header, or null. */
  readonly requestId: string | null;
  readonly content: readonly JsonObject[];
  /** As far as the answer stated it. */
  readonly usage: TokenUsage;
  /** `error.message` of a refusal, or null. */
  readonly errorMessage: string | null;
}

interface Sending {
  readonly body: string;
  readonly headers: HeaderList;
  readonly signal: AbortSignal;
  /** Leaves after this many events of the stream; null stays to the end. */
  readonly leaveAfter: number | null;
  /** Called with each piece of text as it arrives. */
  readonly onText?: (text: string) => void;
}

export class TrafficClient implements Disposable {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true });

  /** `baseUrl` may have a path, such as one with a key. */
  constructor(baseUrl: string) {
    this.#url = `${baseUrl.replace(/\/$/, "")}/v1/messages?beta=true`;
  }

  /** Sends once and reads to the end. A failure is a result too. */
  async send(sending: Sending): Promise<ClientAnswer> {
    const reader = new StreamReader(sending.onText ?? (() => {}));
    let response: IncomingMessage;
    try {
      response = await this.#open(sending);
    } catch {
      // Refused, reset or given up: all the same to a client that counts
      // answers.
      return answerOf(null, "broken", reader);
    }
    const ending = await read(response, reader, sending.leaveAfter);
    return answerOf(response, ending, reader);
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }

  #open(sending: Sending): Promise<IncomingMessage> {
    const { promise, resolve, reject } = Promise.withResolvers<
      IncomingMessage
    >();
    const bytes = new TextEncoder().encode(sending.body);
    const outgoing = open(this.#url, {
      method: "POST",
      agent: this.#agent,
      signal: sending.signal,
      headers: Object.fromEntries([
        ...sending.headers,
        ["content-length", String(bytes.length)],
      ]),
    }, resolve);
    outgoing.on("error", reject);
    outgoing.end(bytes);
    return promise;
  }
}

async function read(
  response: IncomingMessage,
  reader: StreamReader,
  leaveAfter: number | null,
): Promise<ClientAnswer["ending"]> {
  const decoder = new TextDecoder();
  try {
    for await (const chunk of response) {
      reader.push(decoder.decode(chunk, { stream: true }));
      if (leaveAfter !== null && reader.events >= leaveAfter) {
        response.destroy();
        return "left";
      }
    }
  } catch {
    // The transfer broke: what was read so far is all there is.
    return "broken";
  }
  return response.statusCode === 200 ? reader.ending : "refused";
}

function answerOf(
  response: IncomingMessage | null,
  ending: ClientAnswer["ending"],
  reader: StreamReader,
): ClientAnswer {
  const headers = response?.headers ?? {};
  const retryAfter = Number(headers["retry-after"] ?? NaN);
  const error = objectOf(objectOf(parseJson(reader.rest))?.["error"]);
  return {
    status: response?.statusCode ?? null,
    ending,
    retryAfterSeconds: Number.isFinite(retryAfter) ? retryAfter : null,
    requestId: textOf(headers["request-id"]),
    content: reader.content(),
    usage: reader.usage,
    errorMessage: textOf(error?.["message"]),
  };
}

type StreamEnding = "complete" | "broken" | "error_event";

class StreamReader {
  readonly #onText: (text: string) => void;
  readonly #blocks: { readonly start: JsonObject; text: string }[] = [];
  #rest = "";
  #usage = NO_USAGE;
  #events = 0;
  #ending: StreamEnding = "broken";

  /** `onText` is called with each piece of text as it arrives. */
  constructor(onText: (text: string) => void) {
    this.#onText = onText;
  }

  /** Events read so far. */
  get events(): number {
    return this.#events;
  }

  /** How the stream ended, if nothing more comes. */
  get ending(): StreamEnding {
    return this.#ending;
  }

  /** As far as the answer stated it. */
  get usage(): TokenUsage {
    return this.#usage;
  }

  /** Bytes that form no whole event: the body of a refusal. */
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

  /** The counts are cumulative, so the largest is the total. */
  #count(output: unknown): void {
    const most = Math.max(this.#usage.output, numberOf(output));
    this.#usage = { ...this.#usage, output: most };
  }
}

/** Returns the `usage` of a message as token counts. */
function usageOf(value: unknown): TokenUsage {
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

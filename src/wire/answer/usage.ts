/**
 * Wire room: what an answer says of its cost and of its end, read from a copy
 * of its bytes while they pass.
 *
 * @module
 */

import type { TokenUsage } from "../../core/usage.ts";
import { GrowingBytes } from "../request/growing_bytes.ts";
import {
  BROKEN,
  isKey,
  SHORT_TEXT_BYTES_MAX,
  shortTextAt,
  skipSpace,
  startsWithAt,
  valueEnd,
  walkObject,
} from "../request/json_scan.ts";
import {
  asList,
  asObject,
  asText,
  type JsonObject,
  parseJson,
} from "../request/json_value.ts";
import { type SseEvent, SseScanner } from "./sse.ts";
import { UsageSum } from "./usage_sum.ts";

/** What was read of one answer, whole or not. */
export interface MeterReading {
  /** Null where no `usage` was seen. */
  readonly usage: TokenUsage | null;
  readonly model: string | null;
  readonly stopReason: string | null;
  /**
   * Whether the message's own end was seen: `message_stop` of a stream, the
   * last brace of a JSON body. False for answers of other kinds.
   */
  readonly isComplete: boolean;
  /** `error.type` of an error body or an `error` event within the stream. */
  readonly errorType: string | null;
  /** `msg_…` */
  readonly messageId: string | null;
  /** `container_…`, where code was executed in one. */
  readonly containerId: string | null;
}

/** Events that cost or end something. `message` is an event without a name. */
const WANTED_EVENTS = [
  "message_start",
  "message_delta",
  "message_stop",
  "error",
  "message",
];

/** A longer JSON answer is passed on unread: 64,000 tokens fit many times. */
const JSON_BYTES_MAX = 8 * 1024 * 1024;

/** Up to here parsing all of it is faster than finding the small parts. */
const PARSED_BYTES_MAX = 64 * 1024;

/** Reads bytes without content coding; memory is bounded. */
export class UsageMeter {
  readonly #reader: AnswerReader;

  /** `contentType` is the header of the answer; null if it had none. */
  constructor(contentType: string | null) {
    this.#reader = readerFor(contentType);
  }

  /** Takes the next bytes. They are not kept nor changed. */
  push(chunk: Uint8Array): void {
    this.#reader.push(chunk);
  }

  /** What was read so far; meant for the end, harmless before. */
  finish(): MeterReading {
    return this.#reader.finish();
  }
}

interface AnswerReader {
  push(chunk: Uint8Array): void;
  finish(): MeterReading;
}

function readerFor(contentType: string | null): AnswerReader {
  const type = contentType?.split(";")[0]?.trim().toLowerCase() ?? "";
  if (type === "text/event-stream") return new StreamReader();
  const isJson = type === "application/json" || type.endsWith("+json");
  return isJson ? new JsonReader() : new NoReader();
}

class NoReader implements AnswerReader {
  push(): void {}

  finish(): MeterReading {
    return NOTHING_READ;
  }
}

const NOTHING_READ: MeterReading = {
  usage: null,
  model: null,
  stopReason: null,
  isComplete: false,
  errorType: null,
  messageId: null,
  containerId: null,
};

class StreamReader implements AnswerReader {
  readonly #scanner = new SseScanner({ wanted: WANTED_EVENTS });
  readonly #sum = new UsageSum();
  #reading = NOTHING_READ;

  push(chunk: Uint8Array): void {
    for (const event of this.#scanner.push(chunk)) this.#take(event);
  }

  finish(): MeterReading {
    return { ...this.#reading, usage: this.#sum.total() };
  }

  #take({ data }: SseEvent): void {
    // Backends that name no event send their many deltas through here.
    if (startsWithAt(data, 0, '{"type":"content_block')) return;
    const event = asObject(parseJson(data));
    if (event?.["object"] === "chat.completion.chunk") return this.#chat(event);
    switch (event?.["type"]) {
      case "message_start":
        return this.#start(asObject(event["message"]));
      case "message_delta":
        return this.#delta(event);
      case "message_stop":
        return this.#note({ isComplete: true });
      case "error":
        return this.#note({
          errorType: asText(asObject(event["error"])?.["type"]),
        });
    }
  }

  #start(message: JsonObject | null): void {
    const messageId = asText(message?.["id"]);
    this.#sum.begin(messageId);
    this.#sum.take(asObject(message?.["usage"]));
    // A second message after the first's end must come to its own end.
    const model = asText(message?.["model"]);
    this.#note({ messageId, model, isComplete: false });
    this.#container(message?.["container"]);
  }

  #container(value: unknown): void {
    const containerId = shortText(asObject(value)?.["id"]);
    if (containerId !== null) this.#note({ containerId });
  }

  /** A chunk of `/v1/chat/completions`: the last one may carry the usage. */
  #chat(chunk: JsonObject): void {
    const messageId = shortText(chunk["id"]);
    this.#sum.begin(messageId);
    this.#sum.take(asObject(chunk["usage"]));
    const choice = asObject(asList(chunk["choices"])[0]);
    const stopReason = shortText(choice?.["finish_reason"]);
    const model = shortText(chunk["model"]);
    this.#note({
      messageId,
      ...model === null ? {} : { model },
      ...stopReason === null ? {} : { stopReason, isComplete: true },
    });
  }

  #delta(event: JsonObject): void {
    this.#sum.take(asObject(event["usage"]));
    const delta = asObject(event["delta"]);
    this.#container(delta?.["container"]);
    const stopReason = asText(delta?.["stop_reason"]);
    if (stopReason !== null) this.#note({ stopReason });
  }

  #note(part: Partial<MeterReading>): void {
    this.#reading = { ...this.#reading, ...part };
  }
}

class JsonReader implements AnswerReader {
  readonly #body = new GrowingBytes();
  #isTooLong = false;

  push(chunk: Uint8Array): void {
    if (this.#isTooLong) return;
    this.#isTooLong = this.#body.length + chunk.length > JSON_BYTES_MAX;
    if (this.#isTooLong) this.#body.take();
    else this.#body.append(chunk, 0, chunk.length);
  }

  finish(): MeterReading {
    return this.#isTooLong ? NOTHING_READ : readJsonAnswer(this.#body.view());
  }
}

function readJsonAnswer(bytes: Uint8Array): MeterReading {
  const message = bytes.length <= PARSED_BYTES_MAX
    ? asObject(parseJson(bytes))
    : null;
  // What is no whole object may still show some of its parts.
  return message === null ? foundIn(bytes) : partsOf(message);
}

function partsOf(message: JsonObject): MeterReading {
  const sum = new UsageSum();
  sum.take(asObject(message["usage"]));
  return {
    usage: sum.total(),
    model: shortText(message["model"]),
    stopReason: shortText(message["stop_reason"]) ??
      shortText(asObject(asList(message["choices"])[0])?.["finish_reason"]),
    isComplete: true,
    errorType: asText(asObject(message["error"])?.["type"]),
    messageId: shortText(message["id"]),
    containerId: shortText(asObject(message["container"])?.["id"]),
  };
}

function shortText(value: unknown): string | null {
  const text = asText(value);
  return text !== null && text.length <= SHORT_TEXT_BYTES_MAX ? text : null;
}

/** Finds the small parts of a message without decoding its content. */
function foundIn(bytes: Uint8Array): MeterReading {
  const keys = ["id", "model", "stop_reason", "usage", "error", "container"];
  const at = new Map<string, number>();
  const end = walkObject(bytes, skipSpace(bytes, 0), (start, stop, valueAt) => {
    const key = keys.find((name) => isKey(bytes, [start, stop], name));
    if (key !== undefined) at.set(key, valueAt);
    return valueEnd(bytes, valueAt);
  });
  function of(key: string): number {
    return at.get(key) ?? BROKEN;
  }
  const sum = new UsageSum();
  sum.take(objectAt(bytes, of("usage")));
  return {
    usage: sum.total(),
    model: shortTextAt(bytes, of("model")),
    stopReason: shortTextAt(bytes, of("stop_reason")),
    isComplete: end !== BROKEN && skipSpace(bytes, end) === bytes.length,
    errorType: asText(objectAt(bytes, of("error"))?.["type"]),
    messageId: shortTextAt(bytes, of("id")),
    containerId: asText(objectAt(bytes, of("container"))?.["id"]),
  };
}

function objectAt(bytes: Uint8Array, at: number): JsonObject | null {
  const end = at === BROKEN ? BROKEN : valueEnd(bytes, at);
  if (end === BROKEN) return null;
  return asObject(parseJson(bytes.subarray(at, end)));
}

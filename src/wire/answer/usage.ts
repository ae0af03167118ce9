/**
 * What an answer says about its cost and its end, read from a copy of its bytes
 * as they pass.
 *
 * @module
 */

import { PLAIN_TERMS, type PriceTerms } from "../../core/pricing.ts";
import { NO_USAGE, type TokenUsage } from "../../core/usage.ts";
import { GrowingBytes, type SseEvent, SseScanner } from "./sse.ts";
import { BROKEN } from "../request/byte_walk.ts";
import { JsonSource } from "../request/json_source.ts";
import {
  asList,
  asObject,
  asText,
  isKey,
  type JsonObject,
  parseJson,
  SHORT_TEXT_BYTES_MAX,
  shortTextAt,
  skipSpace,
  startsWithAt,
  valueEnd,
  walkObject,
} from "../request/json.ts";

/** What was read from one answer, complete or not. */
export interface MeterReading {
  /** Null if no `usage` was seen. */
  readonly usage: TokenUsage | null;
  /** What changes its price: fast mode, web searches and the like. */
  readonly terms: PriceTerms;
  readonly model: string | null;
  readonly stopReason: string | null;
  /**
   * Whether the end of the message was seen: `message_stop` of a stream, or the
   * last brace of a JSON body. False for answers of other kinds.
   */
  readonly isComplete: boolean;
  /** `error.type` of an error body, or of an `error` event within the stream. */
  readonly errorType: string | null;
  /** `msg_…` */
  readonly messageId: string | null;
  /** `container_…`, if code was executed in one. */
  readonly containerId: string | null;
}

/** Events with costs or an end. `message` is an event without a name. */
const WANTED_EVENTS = [
  "message_start",
  "message_delta",
  "message_stop",
  "error",
  "message",
];

/** A longer JSON answer is not metered; 64,000 tokens fit many times. */
const JSON_BYTES_MAX = 8 * 1024 * 1024;

/** Up to this size parsing all of it is faster than finding the small parts. */
const PARSED_BYTES_MAX = 64 * 1024;

/** Reads an answer without content coding, in bounded memory. */
export class UsageMeter {
  readonly #reader: AnswerReader;

  /** `contentType` is the header of the answer; null if it had none. */
  constructor(contentType: string | null) {
    this.#reader = readerFor(contentType);
  }

  /** Reads the next bytes; neither keeps nor changes them. */
  push(chunk: Uint8Array): void {
    this.#reader.push(chunk);
  }

  /** Returns what was read so far; harmless before the end. */
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
  terms: PLAIN_TERMS,
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
    const { terms } = this.#sum;
    return { ...this.#reading, usage: this.#sum.total(), terms };
  }

  #take({ data }: SseEvent): void {
    // The many deltas of backends that do not name their events.
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
    // A second message after the first must reach its own end.
    const model = asText(message?.["model"]);
    this.#note({ messageId, model, isComplete: false });
    this.#container(message?.["container"]);
  }

  #container(value: unknown): void {
    const containerId = shortText(asObject(value)?.["id"]);
    if (containerId !== null) this.#note({ containerId });
  }

  /** Reads a chunk of `/v1/chat/completions`; the last may have the usage. */
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
  // An incomplete object may still show some of its parts.
  return message === null ? foundIn(bytes) : partsOf(message);
}

function partsOf(message: JsonObject): MeterReading {
  const sum = new UsageSum();
  sum.take(asObject(message["usage"]));
  return {
    usage: sum.total(),
    terms: sum.terms,
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

/** Reads the small parts of a message without decoding its content. */
function foundIn(bytes: Uint8Array): MeterReading {
  const keys = ["id", "model", "stop_reason", "usage", "error", "container"];
  const at = new Map<string, number>();
  const source = new JsonSource(bytes);
  const from = skipSpace(bytes, 0);
  const end = walkObject(source, from, (start, stop, valueAt) => {
    const key = keys.find((name) => isKey(source, [start, stop], name));
    if (key !== undefined) at.set(key, valueAt);
    return valueEnd(source, valueAt);
  });
  function of(key: string): number {
    return at.get(key) ?? BROKEN;
  }
  const sum = new UsageSum();
  sum.take(objectAt(source, of("usage")));
  return {
    usage: sum.total(),
    terms: sum.terms,
    model: shortTextAt(source, of("model")),
    stopReason: shortTextAt(source, of("stop_reason")),
    isComplete: end !== BROKEN && skipSpace(bytes, end) === bytes.length,
    errorType: asText(objectAt(source, of("error"))?.["type"]),
    messageId: shortTextAt(source, of("id")),
    containerId: asText(objectAt(source, of("container"))?.["id"]),
  };
}

function objectAt(source: JsonSource, at: number): JsonObject | null {
  const end = at === BROKEN ? BROKEN : valueEnd(source, at);
  if (end === BROKEN) return null;
  return asObject(parseJson(source.bytes.subarray(at, end)));
}

/** The counts in one `usage` object; null if not stated. */
type Statement = { readonly [Key in keyof Counts]: number | null };

/** The counts of one message as last stated; each statement is cumulative. */
interface Counts {
  readonly input: number;
  readonly cacheRead: number;
  /** All writes; the next two are a breakdown that may be missing. */
  readonly cacheWrite: number;
  readonly cacheWrite5m: number;
  readonly cacheWrite1h: number;
  readonly output: number;
}

const NO_COUNTS: Counts = {
  input: 0,
  cacheRead: 0,
  cacheWrite: 0,
  cacheWrite5m: 0,
  cacheWrite1h: 0,
  output: 0,
};

/**
 * Adds up the messages of an answer. Within one message the last statement about
 * the prompt and the highest count of output hold, never a sum of statements.
 */
class UsageSum {
  #done: TokenUsage | null = null;
  #current: Counts | null = null;
  #id: string | null = null;
  #searchesDone = 0;
  #terms = PLAIN_TERMS;

  /** What changes the price, as last stated; searches are added up. */
  get terms(): PriceTerms {
    const { webSearches } = this.#terms;
    return { ...this.#terms, webSearches: this.#searchesDone + webSearches };
  }

  /** Notes that the statements that follow are about the message `id`. */
  begin(id: string | null): void {
    if (id === this.#id) return;
    this.#done = this.total();
    this.#current = null;
    this.#id = id;
    this.#searchesDone += this.#terms.webSearches;
    this.#terms = { ...this.#terms, webSearches: 0 };
  }

  /** Adds one `usage` object; null or one without a count changes nothing. */
  take(usage: JsonObject | null): void {
    if (usage === null) return;
    this.#terms = termsAfter(this.#terms, usage);
    const seen = countsIn(usage);
    if (seen === null) return;
    const known = this.#current ?? NO_COUNTS;
    this.#current = {
      ...promptAfter(known, seen),
      output: Math.max(known.output, seen.output ?? 0),
    };
  }

  /** Returns the sum over all messages; null if no count was seen. */
  total(): TokenUsage | null {
    if (this.#current === null) return this.#done;
    const { input, cacheRead, cacheWrite, cacheWrite5m, cacheWrite1h, output } =
      this.#current;
    // Writes that are missing in the breakdown went to the 5-minute cache.
    const unspecified = Math.max(0, cacheWrite - cacheWrite5m - cacheWrite1h);
    const done = this.#done ?? NO_USAGE;
    return {
      input: done.input + input,
      cacheRead: done.cacheRead + cacheRead,
      cacheWrite5m: done.cacheWrite5m + cacheWrite5m + unspecified,
      cacheWrite1h: done.cacheWrite1h + cacheWrite1h,
      output: done.output + output,
    };
  }
}

/**
 * Returns the prompt's counts after one more statement. Some backends state the
 * whole prompt as input first and split it later, so the last statement holds,
 * part by part. A statement of zeros only counts as none.
 */
function promptAfter(known: Counts, seen: Statement): Counts {
  const total = (seen.input ?? 0) + (seen.cacheRead ?? 0) +
    (seen.cacheWrite ?? 0) + (seen.cacheWrite5m ?? 0) +
    (seen.cacheWrite1h ?? 0);
  if (total === 0) return known;
  const cacheWrite = seen.cacheWrite ?? known.cacheWrite;
  // A later statement often omits the breakdown: then the earlier one holds.
  const hour = seen.cacheWrite1h ?? Math.min(known.cacheWrite1h, cacheWrite);
  return {
    input: seen.input ?? known.input,
    cacheRead: seen.cacheRead ?? known.cacheRead,
    cacheWrite,
    cacheWrite5m: seen.cacheWrite5m ??
      Math.min(known.cacheWrite5m, Math.max(0, cacheWrite - hour)),
    cacheWrite1h: hour,
    output: known.output,
  };
}

/** Returns the terms after one more statement; what it omits stays. */
function termsAfter(known: PriceTerms, usage: JsonObject): PriceTerms {
  const speed = asText(usage["speed"]);
  const tier = asText(usage["service_tier"]);
  const geo = asText(usage["inference_geo"]);
  const tools = asObject(usage["server_tool_use"]);
  const searches = count(tools?.["web_search_requests"]);
  if (speed === null && tier === null && geo === null && searches === null) {
    return known;
  }
  return {
    isFast: speed === null ? known.isFast : speed === "fast",
    isBatch: tier === null ? known.isBatch : tier === "batch",
    isUs: geo === null ? known.isUs : geo === "us",
    webSearches: Math.max(known.webSearches, searches ?? 0),
  };
}

function countsIn(usage: JsonObject): Statement | null {
  const breakdown = asObject(usage["cache_creation"]);
  const counts = {
    input: count(usage["input_tokens"]) ?? chatInput(usage),
    cacheRead: count(usage["cache_read_input_tokens"]) ?? chatCached(usage),
    cacheWrite: count(usage["cache_creation_input_tokens"]),
    cacheWrite5m: count(breakdown?.["ephemeral_5m_input_tokens"]),
    cacheWrite1h: count(breakdown?.["ephemeral_1h_input_tokens"]),
    output: count(usage["output_tokens"]) ??
      count(usage["completion_tokens"]),
  };
  return Object.values(counts).every((value) => value === null) ? null : counts;
}

/** Subtracts cache reads, which `prompt_tokens` of the chat form includes. */
function chatInput(usage: JsonObject): number | null {
  const prompt = count(usage["prompt_tokens"]);
  return prompt === null
    ? null
    : Math.max(0, prompt - (chatCached(usage) ?? 0));
}

function chatCached(usage: JsonObject): number | null {
  return count(asObject(usage["prompt_tokens_details"])?.["cached_tokens"]);
}

function count(value: unknown): number | null {
  const isCount = typeof value === "number" && Number.isSafeInteger(value) &&
    value >= 0;
  return isCount ? value : null;
}

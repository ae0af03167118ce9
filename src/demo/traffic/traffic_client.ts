/**
 * The HTTP side of simulated sessions. `node:http` and not `fetch`, which would
 * take a loopback address through the machine's proxy settings.
 *
 * @module
 */

import { Agent, type IncomingMessage, request as open } from "node:http";
import type { TokenUsage } from "../../core/usage.ts";
import type { HeaderList } from "../../ports.ts";
import { type JsonObject, objectOf, parseJson, textOf } from "../json.ts";
import { StreamReader } from "./traffic_reader.ts";

/** What came of one send. */
export interface ClientAnswer {
  /** Null when there was no answer at all. */
  readonly status: number | null;
  readonly ending: "complete" | "broken" | "error_event" | "left" | "refused";
  /** Seconds of `retry-after`, or null. */
  readonly retryAfterSeconds: number | null;
  /** The `request-id` header, or null. */
  readonly requestId: string | null;
  readonly content: readonly JsonObject[];
  /** As far as the answer told it. */
  readonly usage: TokenUsage;
  /** `error.message` of a refusal, or null. */
  readonly errorMessage: string | null;
}

export interface Sending {
  readonly body: string;
  readonly headers: HeaderList;
  readonly signal: AbortSignal;
  /** Leaves after so many events of the stream; null stays to the end. */
  readonly leaveAfter: number | null;
  /** Told of each piece of text as it arrives. */
  readonly onText?: (text: string) => void;
}

export class TrafficClient implements Disposable {
  readonly #url: string;
  readonly #agent = new Agent({ keepAlive: true });

  /** `baseUrl` may have a path, such as one with a key. */
  constructor(baseUrl: string) {
    this.#url = `${baseUrl.replace(/\/$/, "")}/v1/messages?beta=true`;
  }

  /** Sends once and reads to the end; a failure is an answer too. */
  async send(sending: Sending): Promise<ClientAnswer> {
    const reader = new StreamReader(sending.onText ?? (() => {}));
    let response: IncomingMessage;
    try {
      response = await this.#open(sending);
    } catch {
      // Refused, reset or given up: the same to a client that counts answers.
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
    // The transfer broke: what was read until then is all there is.
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

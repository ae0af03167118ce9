/**
 * Sends one JSON question to the provider and returns what came: an answer,
 * something else, or nothing. It decides nothing and never sends twice.
 *
 * @module
 */

import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import { UpstreamError } from "../errors.ts";
import type {
  Clock,
  HeaderList,
  Secret,
  Upstream,
  UpstreamBody,
} from "../ports.ts";

const ANSWER_BYTES_MAX = 1024 * 1024;
const TIMEOUT_MS = 30_000;

export interface JsonQuestion {
  readonly url: string;
  readonly method: "GET" | "POST";
  readonly bearer: Secret | null;
  readonly headers: HeaderList;
  /** Sent as JSON; null sends no body. */
  readonly body: Readonly<Record<string, unknown>> | null;
}

export type JsonAnswer =
  | {
    readonly kind: "json";
    readonly status: number;
    readonly headers: HeaderList;
    readonly body: unknown;
  }
  /**
   * An answer that is not JSON: a moved endpoint, a captive portal, a cut-off
   * text.
   */
  | {
    readonly kind: "garbled";
    readonly status: number;
    readonly headers: HeaderList;
  }
  /**
   * No complete answer. `isSent` is false only if provably nothing was sent.
   */
  | { readonly kind: "none"; readonly isSent: boolean };

interface JsonClientPorts {
  readonly upstream: Upstream;
  readonly clock: Clock;
  /** `tc/<version>`: tc names itself. */
  readonly userAgent: string;
}

export class JsonClient {
  readonly #ports: JsonClientPorts;

  constructor(ports: JsonClientPorts) {
    this.#ports = ports;
  }

  /**
   * Asks once, for at most {@linkcode TIMEOUT_MS}. Throws only `signal`'s
   * reason.
   */
  async ask(question: JsonQuestion, signal: AbortSignal): Promise<JsonAnswer> {
    const stop = new AbortController();
    const late = this.#ports.clock.sleep(TIMEOUT_MS, stop.signal).then(() => {
      stop.abort(new Error("Too late"));
    }, () => {
    });
    try {
      return await this.#send(
        question,
        AbortSignal.any([signal, stop.signal]),
      );
    } catch (error) {
      signal.throwIfAborted();
      const isSent = error instanceof UpstreamError ? error.sent : true;
      return { kind: "none", isSent };
    } finally {
      stop.abort();
      await late;
    }
  }

  async #send(
    question: JsonQuestion,
    signal: AbortSignal,
  ): Promise<JsonAnswer> {
    const { origin, pathname, search } = new URL(question.url);
    const { body: value, bearer } = question;
    const { status, headers, body } = await this.#ports.upstream.send({
      origin,
      method: question.method,
      target: pathname + search,
      headers: [
        ["accept", "application/json"],
        ["user-agent", this.#ports.userAgent],
        ...value === null
          ? []
          : [["content-type", "application/json"] as const],
        ...bearer === null
          ? []
          : [["authorization", `Bearer ${bearer.reveal()}`] as const],
        ...question.headers,
      ],
      body: value === null
        ? null
        : new TextEncoder().encode(JSON.stringify(value)),
      signal,
    });
    const bytes = await readWhole(body);
    const json = bytes === null ? undefined : decode(bytes, headers);
    return json === undefined
      ? { kind: "garbled", status, headers }
      : { kind: "json", status, headers, body: json };
  }
}

/** Returns the first line of `headers` named `name`, or null. */
export function headerOf(headers: HeaderList, name: string): string | null {
  return headers.find(([key]) => key.toLowerCase() === name)?.[1] ?? null;
}

/** Returns the body, or null if it is larger than any expected answer. */
async function readWhole(body: UpstreamBody): Promise<Uint8Array | null> {
  if (body.complete !== null) return body.complete;
  const chunks: Uint8Array[] = [];
  let bodyBytes = 0;
  for (;;) {
    const chunk = await body.read();
    if (chunk === null) break;
    bodyBytes += chunk.length;
    if (bodyBytes > ANSWER_BYTES_MAX) {
      body.cancel();
      return null;
    }
    // The bytes may be a view of a buffer that will be reused.
    chunks.push(chunk.slice());
  }
  const whole = new Uint8Array(bodyBytes);
  let at = 0;
  for (const chunk of chunks) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

/** Returns the JSON in `bytes`, inflated first if they are compressed. */
function decode(bytes: Uint8Array, headers: HeaderList): unknown {
  const limit = { maxOutputLength: ANSWER_BYTES_MAX };
  try {
    const coding = headerOf(headers, "content-encoding")?.toLowerCase();
    const plain = coding === "gzip"
      ? gunzipSync(bytes, limit)
      : coding === "deflate"
      ? inflateSync(bytes, limit)
      : coding === "br"
      ? brotliDecompressSync(bytes, limit)
      : bytes;
    return JSON.parse(new TextDecoder().decode(plain));
  } catch {
    return undefined;
  }
}

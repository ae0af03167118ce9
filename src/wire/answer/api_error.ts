/**
 * Wire room: errors in the shape that clients of the API expect, read and
 * written. What we write never carries `anthropic-ratelimit-…` lines nor a
 * long `retry-after`: either makes Claude Code end the turn
 * (claude-code-client 0.2, 0.3).
 *
 * @module
 */

import { inert } from "../../core/plain_text.ts";
import type { HeaderList } from "../../ports.ts";
import { asObject, asText, parseJson } from "../request/json_value.ts";

export {
  type ClosedAccount,
  closedMessage,
  type ClosedMessageOptions,
  parkedMessage,
} from "./closed_message.ts";

/** The API's own words; a client maps each to its behaviour. */
export type ApiErrorType =
  | "invalid_request_error"
  | "authentication_error"
  | "billing_error"
  | "permission_error"
  | "not_found_error"
  | "request_too_large"
  | "rate_limit_error"
  | "timeout_error"
  | "api_error"
  | "overloaded_error";

export interface ApiErrorOptions {
  readonly status: number;
  readonly type: ApiErrorType;
  /** For a person: what happened, why, what to do. Shown in Claude Code. */
  readonly message: string;
  /** How long to wait; more than 55 is sent as 55. Null sends no such line. */
  readonly retryAfterSec: number | null;
  /** An id that our log knows as well. */
  readonly requestId?: string;
  /** Whether a retry cannot help although the status is one that is retried. */
  readonly isFinal?: boolean;
}

/** An answer of our own, ready to send. */
export interface ApiErrorAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly body: Uint8Array<ArrayBuffer>;
}

/** An answer to a request that is refused before it comes to an account. */
export interface Refusal extends ApiErrorAnswer {
  /** Why, for the log. */
  readonly refusal: string;
}

/** Claude Code retries up to 60 s and gives up from 61 s on (measured). */
export const RETRY_AFTER_SEC_MAX = 55;

/**
 * Statuses where a retry of the same request cannot help: a wrong local key
 * would else be tried for minutes. Every other status is left to the client's
 * own rules, and 400 too: Claude Code mends some of those and sends again.
 */
const NEVER_BETTER: ReadonlySet<number> = new Set([
  401,
  403,
  404,
  405,
  413,
  414,
  421,
  431,
]);

const JSON_TYPE = ["content-type", "application/json"] as const;

/** One of our own errors as a whole answer. */
export function apiError(options: ApiErrorOptions): ApiErrorAnswer {
  const { status, retryAfterSec, requestId } = options;
  const headers: (readonly [string, string])[] = [JSON_TYPE];
  if (retryAfterSec !== null) {
    headers.push(["retry-after", retryAfterText(retryAfterSec)]);
  }
  if (NEVER_BETTER.has(status) || options.isFinal === true) {
    headers.push(["x-should-retry", "false"]);
  }
  if (requestId !== undefined) headers.push(["request-id", requestId]);
  return { status, headers, body: bytes(JSON.stringify(envelope(options))) };
}

/** Returns the answer to a request that never comes to an account. */
export function refusal(
  options: Omit<ApiErrorOptions, "retryAfterSec"> & {
    readonly retryAfterSec?: number;
  },
): Refusal {
  const { retryAfterSec = null } = options;
  const answer = apiError({ ...options, retryAfterSec });
  return { ...answer, refusal: options.message };
}

/**
 * Returns the refusal of a thread that another account began, for Claude Code:
 * 400 `thread_unsupported_request`. Claude Code then sends the whole
 * conversation and stops threading (peers 0).
 */
export function threadUnsupported(requestId?: string): ApiErrorAnswer {
  return threadRefusal(
    400,
    "invalid_request_error",
    "thread_unsupported_request",
    requestId,
  );
}

/**
 * Returns the refusal of a thread that another account began, for every other
 * client: 404 `thread_not_found`. The official SDKs then send the whole
 * conversation as a new thread; `thread_unsupported_request` they throw at
 * their caller (clients, threads).
 */
export function threadNotFound(requestId?: string): ApiErrorAnswer {
  return threadRefusal(404, "not_found_error", "thread_not_found", requestId);
}

function threadRefusal(
  status: number,
  type: ApiErrorType,
  code: string,
  requestId: string | undefined,
): ApiErrorAnswer {
  const error = {
    type,
    message:
      "Cannot continue this thread: it was begun on another account; send the whole conversation",
    details: { error_code: code },
  };
  const text = JSON.stringify({
    type: "error",
    error,
    ...(requestId === undefined ? {} : { request_id: requestId }),
  });
  const headers: (readonly [string, string])[] = [JSON_TYPE];
  if (requestId !== undefined) headers.push(["request-id", requestId]);
  return { status, headers, body: bytes(text) };
}

/**
 * The last event of a stream that was opened and cannot be served. Claude Code
 * sends the request again, without a stream in the end.
 */
export function sseError(
  error: Pick<ApiErrorOptions, "type" | "message" | "requestId">,
): Uint8Array<ArrayBuffer> {
  return bytes(`event: error\ndata: ${JSON.stringify(envelope(error))}\n\n`);
}

/** The same event with an error envelope as the API wrote it. */
export function sseErrorBody(envelope: Uint8Array): Uint8Array<ArrayBuffer> {
  const line = new TextDecoder().decode(envelope).replace(/[\r\n]+/g, " ");
  return bytes(`event: error\ndata: ${line}\n\n`);
}

/** Keeps a waiting client patient; 600 s of these were fine (measured). */
export function ssePing(): Uint8Array<ArrayBuffer> {
  return bytes('event: ping\ndata: {"type": "ping"}\n\n');
}

/** A line that no client looks at: the chat form knows no pings. */
export function sseComment(): Uint8Array<ArrayBuffer> {
  return bytes(": waiting\n\n");
}

/** The last event of a stream in the chat form that cannot be served. */
export function chatError(
  { type, message }: Pick<ApiErrorOptions, "type" | "message">,
): Uint8Array<ArrayBuffer> {
  const error = { type, message: plain(message) };
  return bytes(`data: ${JSON.stringify({ error })}\n\n`);
}

/** What an error body says; nulls where it is not the API's shape. */
export interface ReadError {
  readonly type: string | null;
  readonly message: string | null;
}

/** Longer bodies are no error of the API. */
const BODY_BYTES_MAX = 256 * 1024;
const TYPE_CHARACTERS_MAX = 100;
const MESSAGE_CHARACTERS_MAX = 2_000;
const NOT_READ: ReadError = { type: null, message: null };

/** Reads `error.type` and `error.message`; never throws. */
export function readApiError(body: Uint8Array | null): ReadError {
  if (body === null || body.length > BODY_BYTES_MAX) return NOT_READ;
  const error = asObject(asObject(parseJson(body))?.["error"]);
  const message = asText(error?.["message"]);
  return {
    type: asText(error?.["type"])?.slice(0, TYPE_CHARACTERS_MAX) ?? null,
    message: message === null
      ? null
      : plain(message).slice(0, MESSAGE_CHARACTERS_MAX),
  };
}

function envelope(
  { type, message, requestId }: Pick<
    ApiErrorOptions,
    "type" | "message" | "requestId"
  >,
): unknown {
  return {
    type: "error",
    error: { type, message: plain(message) },
    ...(requestId === undefined ? {} : { request_id: requestId }),
  };
}

function retryAfterText(seconds: number): string {
  const whole = Number.isNaN(seconds)
    ? RETRY_AFTER_SEC_MAX
    : Math.ceil(seconds);
  return String(Math.min(Math.max(whole, 1), RETRY_AFTER_SEC_MAX));
}

/** Without control characters: names and titles reach a terminal through this. */
function plain(text: string): string {
  return inert(text, " ");
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

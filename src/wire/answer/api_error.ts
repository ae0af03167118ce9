/**
 * Errors in the shape that clients of the API expect: reads them, writes tc's
 * own, and the sentence that a person sees while no account can serve. What tc
 * writes here has no `anthropic-ratelimit-…` lines and no long `retry-after`:
 * either makes Claude Code end the turn (claude-code-client 0.2, 0.3).
 *
 * @module
 */

import { inert } from "../../core/plain_text.ts";
import type { HeaderList } from "../../ports.ts";
import { asObject, asText, parseJson } from "../request/json.ts";
import { DAY_MS, type Instant } from "../../core/time.ts";

/** The API's error types; a client reacts differently to each. */
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

/** An error of tc. */
interface ApiErrorOptions {
  readonly status: number;
  readonly type: ApiErrorType;
  /** What happened, why, and what to do: Claude Code shows it. */
  readonly message: string;
  /** Seconds to wait; more than 55 is sent as 55. Null sends no such line. */
  readonly retryAfterSec: number | null;
  /** The id that the log has as well. */
  readonly requestId?: string;
  /** Whether a retry cannot help although the status is one that is retried. */
  readonly isFinal?: boolean;
}

/** A whole answer of tc. */
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
 * Statuses after which a retry of the same request cannot help: without this a
 * wrong local key would be retried for minutes. Other statuses follow the
 * client's own rules, and so does 400: Claude Code corrects some and retries.
 */
const NO_RETRY_STATUSES: ReadonlySet<number> = new Set([
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

/** Returns an error as a whole answer. */
export function apiError(options: ApiErrorOptions): ApiErrorAnswer {
  const { status, retryAfterSec, requestId } = options;
  const headers: (readonly [string, string])[] = [JSON_TYPE];
  if (retryAfterSec !== null) {
    headers.push(["retry-after", retryAfterText(retryAfterSec)]);
  }
  if (NO_RETRY_STATUSES.has(status) || options.isFinal === true) {
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
 * conversation as a new thread; they pass `thread_unsupported_request` on to
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
 * Returns the last event of an open stream that cannot be served. Claude Code
 * sends the request again, in the end without a stream.
 */
export function sseError(
  error: Pick<ApiErrorOptions, "type" | "message" | "requestId">,
): Uint8Array<ArrayBuffer> {
  return bytes(`event: error\ndata: ${JSON.stringify(envelope(error))}\n\n`);
}

/** Returns such an event with an error envelope that the API wrote. */
export function sseErrorBody(envelope: Uint8Array): Uint8Array<ArrayBuffer> {
  const line = new TextDecoder().decode(envelope).replace(/[\r\n]+/g, " ");
  return bytes(`event: error\ndata: ${line}\n\n`);
}

/** Returns a ping, which keeps a client waiting: for 600 s at least (measured). */
export function ssePing(): Uint8Array<ArrayBuffer> {
  return bytes('event: ping\ndata: {"type": "ping"}\n\n');
}

/** Returns a comment, which clients ignore: the chat form has no pings. */
export function sseComment(): Uint8Array<ArrayBuffer> {
  return bytes(": waiting\n\n");
}

/** Returns the last event of a stream in the chat form that cannot be served. */
export function chatError(
  { type, message }: Pick<ApiErrorOptions, "type" | "message">,
): Uint8Array<ArrayBuffer> {
  const error = { type, message: plain(message) };
  return bytes(`data: ${JSON.stringify({ error })}\n\n`);
}

/** An error body as read; nulls if it does not have the API's shape. */
interface ReadError {
  readonly type: string | null;
  readonly message: string | null;
}

/** The API's errors are never longer. */
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

/** Removes control characters, since the text may reach a terminal. */
function plain(text: string): string {
  return inert(text, " ");
}

function bytes(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text);
}

/** An account that cannot serve now, but could at another time. */
export interface ClosedAccount {
  readonly label: string;
  /** `5h used up`, `needs sign-in (tc login --account new)`. */
  readonly reason: string;
  /** When it can serve again; null if unknown. */
  readonly until: Instant | null;
  /** Whether it could serve but has all the requests that it takes for now. */
  readonly isBusy: boolean;
  /** Whether it was asked and failed, and may serve the next request. */
  readonly isTried?: boolean;
}

/** The time at which a message is read, and where. */
export interface ClosedMessageOptions {
  readonly now: Instant;
  /** Returns local time minus UTC at an instant; summer time may change it. */
  offsetMsAt(at: Instant): number;
  /** How long this request is still held; null if it is not held. */
  readonly holdingSec: number | null;
}

/** The most accounts that are named. */
const LABELS_MAX = 12;

const WEEKDAYS = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS = "Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec".split(" ");

/**
 * Returns `All 4 accounts are closed: work and home: 5h used up, back 13:12; …`,
 * and `None of the 2 accounts could serve this request, tried: work and home.`
 * Accounts with the same reason are named together; times are local, with the
 * weekday when not today and the date when not within the week.
 */
export function closedMessage(
  accounts: readonly ClosedAccount[],
  options: ClosedMessageOptions,
): string {
  const holding = options.holdingSec === null
    ? ""
    : ` Holding for ${Math.ceil(options.holdingSec)} s.`;
  if (accounts.length === 0) {
    return `The pool has no account: tc status says why, tc login adds one.${holding}`;
  }
  const named = accounts.slice(0, LABELS_MAX);
  if (accounts.every(({ isTried }) => isTried === true)) {
    const all = accounts.length === 1
      ? "The only account"
      : `None of the ${accounts.length} accounts`;
    const labels = listed(named.map(({ label }) => label));
    const not = accounts.length === 1 ? "not " : "";
    return `${all} could ${not}serve this request, tried: ${labels}.${holding}`;
  }
  const word = accounts.every(({ isBusy }) => isBusy) ? "busy" : "closed";
  const head = accounts.length === 1
    ? `The only account is ${word}`
    : `All ${accounts.length} accounts are ${word}`;
  const parts = [...Map.groupBy(named, groupKey).values()]
    .map((group) => groupText(group, options));
  const more = accounts.length - named.length;
  if (more > 0) parts.push(`and ${more} more`);
  return `${head}: ${parts.join("; ")}.${holding}`;
}

/** Returns the message for a conversation that waits for its turn. */
export function parkedMessage(
  turnAt: Instant | null,
  options: ClosedMessageOptions,
): string {
  const turn = turnAt === null
    ? "Its turn comes when quota is free"
    : `Its turn comes at ${timeText(turnAt, options)}`;
  return `There are more conversations than the quota feeds, so this one is parked. ${turn}.`;
}

function groupKey({ reason, until }: ClosedAccount): string {
  return `${until === null ? "open" : "ends"} ${reason}`;
}

function groupText(
  group: readonly ClosedAccount[],
  options: ClosedMessageOptions,
): string {
  const labels = listed(group.map(({ label }) => label));
  const reason = group[0]?.reason ?? "";
  const times = group.flatMap(({ until }) =>
    until === null ? [] : [timeText(until, options)]
  );
  const isOne = new Set(times).size === 1;
  const back = times.length === 0
    ? ""
    : `, back ${isOne ? times[0] : listed(times)}`;
  return `${labels}: ${reason}${back}`;
}

function listed(words: readonly string[]): string {
  if (words.length < 2) return words.join("");
  return `${words.slice(0, -1).join(", ")} and ${words.at(-1)}`;
}

function timeText(
  at: Instant,
  { now, offsetMsAt }: ClosedMessageOptions,
): string {
  const local = new Date(at + offsetMsAt(at));
  const clock = `${two(local.getUTCHours())}:${two(local.getUTCMinutes())}`;
  const today = Math.floor((now + offsetMsAt(now)) / DAY_MS);
  const days = Math.floor((at + offsetMsAt(at)) / DAY_MS) - today;
  if (days <= 0) return clock;
  if (days < 7) return `${WEEKDAYS[local.getUTCDay()]} ${clock}`;
  return `${local.getUTCDate()} ${MONTHS[local.getUTCMonth()]} ${clock}`;
}

function two(value: number): string {
  return String(value).padStart(2, "0");
}

/**
 * One try on one account: gets the credential, sends the request, reads as much
 * of the answer as judging it takes, and judges it. Nothing is sent to the
 * client from here.
 *
 * @module
 */

import { type AccountId, modelFamily } from "../core/account.ts";
import {
  type CapacityVerdict,
  classify,
  classifyLookUp,
} from "../core/quota/verdict.ts";
import type { RouteDecision } from "../core/route/route.ts";
import { reasonOf, TcError, UpstreamError } from "../errors.ts";
import { inflatedSoFar, inflatedWhole } from "../http/inflate.ts";
import type {
  Authorization,
  UpstreamBody,
  UpstreamRequest,
  UpstreamResponse,
} from "../ports.ts";
import { earlyError, openingStanding } from "../wire/answer/early_error.ts";
import { limitReadings } from "../wire/answer/limit_headers.ts";
import {
  forRequest,
  observation,
  responseFacts,
} from "../wire/answer/ratelimit.ts";
import { headerValue } from "../wire/header_list.ts";
import { requestHeaders } from "../wire/headers.ts";
import { replaceModel } from "../wire/request/request_model.ts";
import { pathKind } from "../wire/request/target.ts";
import { destinationOf, type Inbound, type Proxy } from "./proxy.ts";
import type { Choice, RequestScope } from "./request_scope.ts";

/** One try and its verdict. */
export interface Attempt {
  readonly accountId: AccountId;
  readonly verdict: CapacityVerdict;
  readonly authorization: Authorization | null;
  /** Null if no head came. */
  readonly response: UpstreamResponse | null;
  /** The error in the answer, without content coding; null if there is none. */
  readonly errorBody: Uint8Array | null;
  /** Why no answer came, in words; else null. */
  readonly failure: string | null;
}

/** What the tries of a request came to. */
export type Outcome =
  | Answered
  /** No account can serve it in time. */
  | { readonly kind: "closed"; readonly decision: RouteDecision }
  /** It was sent, or could not be, and there is no answer. */
  | {
    readonly kind: "unreachable";
    readonly sent: boolean;
    /** What failed, in words; null if unknown. */
    readonly failure: string | null;
  }
  /** No account may use what the request asks for. */
  | { readonly kind: "not_entitled"; readonly said: string | null }
  /** The account that it would move to does not know its thread. */
  | { readonly kind: "thread" };

/** An upstream's answer to pass on. */
export interface Answered {
  readonly kind: "relay";
  readonly attempt: Attempt & { readonly response: UpstreamResponse };
  readonly choice: Choice;
}

/**
 * Sends the request once on the leased account and tells the pool the verdict.
 * Throws only if the client left.
 */
export async function tryOnce(
  scope: RequestScope,
  accountId: AccountId,
): Promise<Attempt> {
  const attempt = await judgedTry(scope, accountId);
  scope.judge(attempt.verdict, attempt.response?.status ?? null);
  return attempt;
}

async function judgedTry(
  scope: RequestScope,
  accountId: AccountId,
): Promise<Attempt> {
  const { inbound, proxy } = scope;
  let authorization: Authorization | null = null;
  try {
    authorization = await proxy.credentials.authorization(
      accountId,
      inbound.signal,
    );
    const response = await proxy.upstream.send(
      requestOf(inbound, authorization, proxy),
    );
    return await judged(scope, authorization, response);
  } catch (cause) {
    inbound.signal.throwIfAborted();
    return {
      accountId,
      authorization,
      response: null,
      errorBody: null,
      verdict: verdictOf(cause, authorization),
      failure: reasonOf(cause),
    };
  }
}

/** Returns what a request comes to with this try as its last. */
export function outcomeOf(attempt: Attempt, choice: Choice): Outcome {
  const { response, verdict, failure } = attempt;
  if (response !== null) {
    return { kind: "relay", attempt: { ...attempt, response }, choice };
  }
  const sent = verdict.kind !== "unreachable" || verdict.sent;
  return { kind: "unreachable", sent, failure };
}

function requestOf(
  inbound: Inbound,
  authorization: Authorization,
  proxy: Proxy,
): UpstreamRequest {
  const { modelMap } = authorization;
  const body = inbound.body.length === 0 ? null : inbound.body;
  return {
    ...destinationOf(authorization, inbound.target, proxy),
    method: inbound.method,
    headers: requestHeaders(inbound.headers, authorization, proxy.localKey),
    body: modelMap === null || body === null
      ? body
      : replaceModel(body, modelMap),
    upload: inbound.upload,
    signal: inbound.signal,
  };
}

/** Returns the verdict on a try that failed; throws what is not about the try. */
function verdictOf(
  cause: unknown,
  authorization: Authorization | null,
): CapacityVerdict {
  if (cause instanceof UpstreamError && authorization !== null) {
    return { kind: "unreachable", sent: cause.sent };
  }
  const isUnusable = cause instanceof TcError &&
    cause.code === "bad_credential";
  if (authorization === null || isUnusable) {
    // A missing credential is the account's fault, not the request's.
    return { kind: "credential", fault: "unavailable" };
  }
  throw cause;
}

async function judged(
  scope: RequestScope,
  authorization: Authorization,
  answered: UpstreamResponse,
): Promise<Attempt> {
  const { inbound, proxy } = scope;
  const { accountId } = authorization;
  const now = proxy.clock.now();
  const limits = limitReadings(answered.headers, now);
  const seen = observation(answered.headers, accountId, now, limits);
  if (seen !== null) {
    proxy.pool.dispatch({ kind: "quota_observed", observation: seen });
  }
  const { response, errorBody, status } = await aheadOf(scope, answered);
  const facts = responseFacts(
    status,
    answered.headers,
    errorBody,
    now,
    limits,
  );
  const { model, betas, contextTokens, client, path } = inbound.facts;
  const family = modelFamily(model ?? "");
  const asked = { model, betas, contextTokens, client, path, family };
  const read = forRequest(facts, asked);
  const verdict = inbound.facts.isMetered
    ? classify(read, now)
    : classifyLookUp(read, now, {
      path: pathKind(path),
      isSearch: inbound.wanted !== null,
    });
  const failure = null;
  return { accountId, authorization, response, errorBody, verdict, failure };
}

/**
 * Reads ahead as far as the verdict needs. While the upstream only pings, the
 * client's stream is opened once the silent part of the hold is over, so that
 * the client gets some bytes; the answer may still come from another account.
 */
async function aheadOf(
  scope: RequestScope,
  response: UpstreamResponse,
): Promise<ReadAhead> {
  const opening: { cancel: (() => void) | null } = { cancel: null };
  function onPing(): void {
    opening.cancel ??= scope.hold.openLater();
  }
  try {
    return await readAhead(response, onPing);
  } catch (cause) {
    response.body.cancel();
    throw cause;
  } finally {
    opening.cancel?.();
  }
}

/** A longer error body is not read: its response is judged by the head alone. */
const ERROR_BYTES_MAX = 256 * 1024;

/** A response whose first part has been read. */
interface ReadAhead {
  readonly response: UpstreamResponse;
  /** Without content coding; null if it was not read. */
  readonly errorBody: Uint8Array | null;
  /** The effective status: a 200 may start with an error event. */
  readonly status: number;
}

/**
 * Reads as much of an answer as judging it takes: the whole body of an error,
 * and the first bytes of a stream, since a limit may come as an event in a 200.
 * Calls `onPing` if a stream has sent nothing but pings so far.
 */
async function readAhead(
  response: UpstreamResponse,
  onPing: () => void = () => {},
): Promise<ReadAhead> {
  const { status, headers } = response;
  if (status >= 400) {
    const { body, bytes } = await readUpTo(response.body, ERROR_BYTES_MAX);
    const errorBody = bytes === null ? null : inflatedWhole(
      bytes,
      headerValue(headers, "content-encoding"),
      ERROR_BYTES_MAX,
    );
    return { response: { ...response, body }, errorBody, status };
  }
  const isStream = headerValue(headers, "content-type")?.startsWith(
    "text/event-stream",
  );
  if (!isStream) return { response, errorBody: null, status };
  const encoding = headerValue(headers, "content-encoding");
  const { complete } = response.body;
  const first = complete ?? await opening(response.body, encoding, onPing);
  const text = first === null ? null : plain(first, encoding);
  const error = text === null ? null : earlyError(text);
  const body = complete === null
    ? startingWith(first, response.body)
    : response.body;
  return {
    response: { ...response, body },
    errorBody: error?.body ?? null,
    status: error?.status ?? status,
  };
}

/**
 * Returns the first bytes of a stream. Reads on while they do not decide
 * anything: pings, comments, and the beginning of what may be an error event.
 * Nothing has been generated then, so another account can still serve.
 */
async function opening(
  body: UpstreamBody,
  encoding: string | null,
  onPing: () => void,
): Promise<Uint8Array | null> {
  let first = await body.read();
  while (first !== null && first.length <= ERROR_BYTES_MAX) {
    const text = plain(first, encoding);
    if (text === null) break;
    const standing = openingStanding(text);
    if (standing === "decided") break;
    if (standing === "pinged") onPing();
    const more = await body.read();
    if (more === null) break;
    first = joined([first, more], first.length + more.length);
  }
  return first;
}

function plain(bytes: Uint8Array, encoding: string | null): Uint8Array | null {
  if (encoding === null) return bytes;
  return inflatedSoFar(bytes, encoding, ERROR_BYTES_MAX);
}

/** Returns a body to relay, and its bytes if there are at most `bytesMax`. */
async function readUpTo(
  body: UpstreamBody,
  bytesMax: number,
): Promise<{ readonly body: UpstreamBody; readonly bytes: Uint8Array | null }> {
  if (body.complete !== null) return { body, bytes: body.complete };
  const chunks: Uint8Array[] = [];
  let length = 0;
  while (length <= bytesMax) {
    const chunk = await body.read();
    if (chunk === null) {
      const bytes = joined(chunks, length);
      return { body: wholeBody(bytes), bytes };
    }
    chunks.push(chunk);
    length += chunk.length;
  }
  return { body: startingWith(joined(chunks, length), body), bytes: null };
}

function joined(chunks: readonly Uint8Array[], length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

function wholeBody(bytes: Uint8Array): UpstreamBody {
  return {
    complete: bytes,
    read: () => Promise.resolve(null),
    cancel: () => {},
  };
}

/** Returns `rest` with the bytes before it that were read already. */
function startingWith(
  first: Uint8Array | null,
  rest: UpstreamBody,
): UpstreamBody {
  let waiting = first;
  return {
    complete: null,
    read(): Promise<Uint8Array | null> {
      if (waiting === null) return rest.read();
      const chunk = waiting;
      waiting = null;
      return Promise.resolve(chunk);
    },
    cancel: () => rest.cancel(),
  };
}

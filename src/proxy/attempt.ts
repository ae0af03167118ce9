/**
 * One try on one account: credential, send, judge. Nothing goes to the client
 * from here.
 *
 * @module
 */

import { modelFamily } from "../core/account.ts";
import { type CapacityVerdict, classify } from "../core/verdict.ts";
import { TcError, UpstreamError } from "../errors.ts";
import type {
  Authorization,
  Lease,
  UpstreamBody,
  UpstreamResponse,
} from "../ports.ts";
import { headerValue } from "../wire/header_list.ts";
import { requestHeaders } from "../wire/headers.ts";
import { forRequest, observation, responseFacts } from "../wire/ratelimit.ts";
import { replaceModel } from "../wire/request_model.ts";
import { earlyError } from "../wire/early_error.ts";
import { inflatedWhole } from "./inflate.ts";
import type { Inbound, Proxy } from "./proxy.ts";

/** One try, judged. The lease is still open. */
export interface Attempt {
  readonly lease: Lease;
  readonly verdict: CapacityVerdict;
  readonly authorization: Authorization | null;
  /** Null when no head came. */
  readonly response: UpstreamResponse | null;
  /** The answer's error without content coding; null where there is none. */
  readonly errorBody: Uint8Array | null;
}

/** An error body longer than this is judged by its head alone. */
const ERROR_BYTES_MAX = 256 * 1024;

/** Sends the request once on the lease's account; throws only if the client left. */
export async function tryOnce(
  inbound: Inbound,
  lease: Lease,
  proxy: Proxy,
): Promise<Attempt> {
  let authorization: Authorization | null = null;
  try {
    authorization = await proxy.credentials.authorization(
      lease.accountId,
      inbound.signal,
    );
    const response = await proxy.upstream.send(
      request(inbound, authorization, proxy),
    );
    return await judged({ inbound, lease, authorization, response }, proxy);
  } catch (cause) {
    inbound.signal.throwIfAborted();
    const verdict = verdictOf(cause, authorization);
    return { lease, authorization, response: null, errorBody: null, verdict };
  }
}

function request(
  inbound: Inbound,
  authorization: Authorization,
  proxy: Proxy,
): Parameters<Proxy["upstream"]["send"]>[0] {
  const { modelMap } = authorization;
  const body = inbound.body.length === 0 ? null : inbound.body;
  return {
    origin: authorization.origin ?? proxy.origin,
    method: inbound.method,
    target: authorization.origin === null
      ? `${proxy.basePath}${inbound.target}`
      : inbound.target,
    headers: requestHeaders(inbound.headers, authorization, proxy.localKey),
    body: modelMap === null || body === null
      ? body
      : replaceModel(body, modelMap),
    signal: inbound.signal,
  };
}

/** A credential that could not be had is the account's fault, not the request's. */
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
    return { kind: "credential", fault: "unavailable" };
  }
  throw cause;
}

interface Answered {
  readonly inbound: Inbound;
  readonly lease: Lease;
  readonly authorization: Authorization;
  readonly response: UpstreamResponse;
}

async function judged(answered: Answered, proxy: Proxy): Promise<Attempt> {
  const { inbound, lease, authorization } = answered;
  const now = proxy.clock.now();
  const seen = observation(answered.response.headers, lease.accountId, now);
  if (seen !== null) {
    proxy.pool.dispatch({ kind: "quota_observed", observation: seen });
  }

  const { response, errorBody, status } = await readAhead(answered.response)
    .catch((cause) => {
      answered.response.body.cancel();
      throw cause;
    });
  const facts = responseFacts(status, response.headers, errorBody, now);
  const family = modelFamily(inbound.peek.model ?? "");
  const verdict = classify(forRequest(facts, family), now);
  return { lease, authorization, response, errorBody, verdict };
}

interface ReadAhead {
  readonly response: UpstreamResponse;
  /** Without content coding; null where it was not read. */
  readonly errorBody: Uint8Array | null;
  /** What the answer amounts to: a 200 may open with an error event. */
  readonly status: number;
}

/**
 * Reads as much of an answer as judging it takes: an error's whole body, and
 * of a stream its first bytes, since a limit may come as an event in a 200.
 */
async function readAhead(response: UpstreamResponse): Promise<ReadAhead> {
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
  const isPlain = headerValue(headers, "content-encoding") === null;
  if (!isStream || !isPlain) return { response, errorBody: null, status };
  const first = response.body.complete ?? await opening(response.body);
  const error = first === null ? null : earlyError(first);
  const body = response.body.complete === null
    ? startingWith(first, response.body)
    : response.body;
  return {
    response: { ...response, body },
    errorBody: error?.body ?? null,
    status: error?.status ?? status,
  };
}

const ERROR_OPENING = new TextEncoder().encode("event: error");
const LINE_END = 0x0a;

/**
 * The first bytes of a stream. Only while they look like the beginning of an
 * error event are they held back until it is whole.
 */
async function opening(body: UpstreamBody): Promise<Uint8Array | null> {
  let first = await body.read();
  while (first !== null && isErrorBegun(first)) {
    const more = await body.read();
    if (more === null) break;
    first = joined([first, more], first.length + more.length);
  }
  return first;
}

function isErrorBegun(bytes: Uint8Array): boolean {
  if (bytes.length > ERROR_BYTES_MAX) return false;
  const length = Math.min(bytes.length, ERROR_OPENING.length);
  for (let at = 0; at < length; at++) {
    if (bytes[at] !== ERROR_OPENING[at]) return false;
  }
  const isWhole = bytes.at(-1) === LINE_END && bytes.at(-2) === LINE_END;
  return !isWhole;
}

/** The whole body if it is no longer than `bytesMax`, and a body to relay. */
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

/** `rest` with bytes before it that were read already. */
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

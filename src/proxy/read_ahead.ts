/**
 * As much of an answer as judging it takes, before a byte of it goes on: limits
 * and overload may come as the first event of a 200.
 *
 * @module
 */

import type { UpstreamBody, UpstreamResponse } from "../ports.ts";
import { earlyError, openingStanding } from "../wire/answer/early_error.ts";
import { headerValue } from "../wire/header_list.ts";
import { inflatedSoFar, inflatedWhole } from "../http/inflate.ts";

/** An error body longer than this is judged by its head alone. */
const ERROR_BYTES_MAX = 256 * 1024;

export interface ReadAhead {
  readonly response: UpstreamResponse;
  /** Without content coding; null where it was not read. */
  readonly errorBody: Uint8Array | null;
  /** What the answer amounts to: a 200 may open with an error event. */
  readonly status: number;
}

/**
 * Reads as much of an answer as judging it takes: an error's whole body, and
 * of a stream its first bytes, since a limit may come as an event in a 200.
 * Calls `onPing` when a stream has sent nothing but pings so far.
 */
export async function readAhead(
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
 * The first bytes of a stream, read on while they say nothing of the answer:
 * pings, comments, and what may become an error event. Nothing was generated
 * so far, so another account may still serve the request.
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
  return inflatedSoFar(bytes, encoding, ERROR_BYTES_MAX);
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

/**
 * Wire room: an error that comes as the first event of a 200. The provider
 * reports limits and overload that way too, and then nothing was served.
 *
 * @module
 */

import { readApiError } from "./api_error.ts";
import { SseScanner } from "./sse.ts";

/** What a stream that opened with an error amounts to. */
export interface EarlyError {
  /** The status that the same error has as a plain answer. */
  readonly status: number;
  /** The error as the API's envelope. */
  readonly body: Uint8Array;
}

const STATUS_OF: ReadonlyMap<string | null, number> = new Map([
  ["rate_limit_error", 429],
  ["overloaded_error", 529],
  ["authentication_error", 401],
  ["permission_error", 403],
]);

/** The error that the stream's first bytes report, or null when they do not. */
export function earlyError(first: Uint8Array): EarlyError | null {
  const event = new SseScanner().push(first)[0];
  if (event === undefined || event.event !== "error") return null;
  const { type } = readApiError(event.data);
  return { status: STATUS_OF.get(type) ?? 500, body: event.data };
}

/**
 * Errors that come as the first event of a 200. The provider reports limits and
 * overload that way too, and then nothing was served.
 *
 * @module
 */

import { readApiError } from "./api_error.ts";
import { SseScanner } from "./sse.ts";

/** The error that a stream starts with. */
interface EarlyError {
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

/** Returns the error that the stream starts with, pings apart, or null. */
export function earlyError(first: Uint8Array): EarlyError | null {
  const event = new SseScanner().push(first)
    .find(({ event }) => event !== "ping");
  if (event === undefined || event.event !== "error") return null;
  const { type } = readApiError(event.data);
  return { status: STATUS_OF.get(type) ?? 500, body: event.data };
}

/** What the first bytes of a stream show. */
type OpeningStanding =
  /** Only pings and comments. */
  | "pinged"
  /** Nothing, or an incomplete event that may be an error. */
  | "undecided"
  /** An event other than a ping has at least begun. */
  | "decided";

const LF = 0x0a;
const CR = 0x0d;
const TEXT = new TextDecoder();
/** Long enough to recognise the event's name in its first line. */
const NAME_BYTES = 16;

/** Returns what the first bytes of a stream show. */
export function openingStanding(text: Uint8Array): OpeningStanding {
  let at = 0;
  while (at < text.length) {
    const end = blockEnd(text, at);
    const name = TEXT.decode(text.subarray(at, at + NAME_BYTES));
    const isWhole = end <= text.length;
    if (name.startsWith("event: error") && !isWhole) return "undecided";
    const isSilent = name.startsWith("event: ping") || name.startsWith(":") ||
      name.startsWith("\n") || name.startsWith("\r");
    if (!isSilent) {
      return isWhole || !mayBecome(name) ? "decided" : "undecided";
    }
    at = end;
  }
  return text.length === 0 ? "undecided" : "pinged";
}

/** Whether an unfinished first line may still name a ping or an error. */
function mayBecome(name: string): boolean {
  return "event: ping".startsWith(name) || "event: error".startsWith(name);
}

/** Returns the index after the blank line that ends the event at `at`. */
function blockEnd(text: Uint8Array, at: number): number {
  for (let end = at; end < text.length; end++) {
    if (text[end] !== LF) continue;
    if (text[end + 1] === LF) return end + 2;
    if (text[end + 1] === CR && text[end + 2] === LF) return end + 3;
  }
  return text.length + 1;
}

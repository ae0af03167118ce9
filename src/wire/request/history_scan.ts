/**
 * Wire room: marks along the history of a conversation, to recognise one that
 * goes on, or a copy of one under another id.
 *
 * A mark digests the first turn of the user and the last few turns up to one of
 * the user's. Conversations that begin alike differ in their marks as soon as an
 * answer or a prompt differs. A tail digests an answer and the turn of the user
 * after it alone: it stays where a client writes the beginning anew.
 *
 * @module
 */

import {
  BROKEN,
  isArrayAt,
  isObjectAt,
  memberAt,
  skipSpace,
  type StringWatch,
} from "./json_scan.ts";
import {
  RECENT_TURNS,
  scanContent,
  scanTurns,
  type Turn,
} from "./message_scan.ts";
import { TextDigest } from "./text_digest.ts";

/** Enough of a tool's result to tell it by its id. */
const RESULT_BYTES = 160;

/** A longer history is recognised by its last turns. */
const MARKS_MAX = 64;

/** Shorter texts ("Done.", "go on") are alike in conversations of their own. */
const TAIL_BYTES_MIN = 64;

const NO_WATCH: StringWatch = { string: () => {} };

/** Returns the mark of a history that ends with the turns `recent`. */
export function markOf(
  bytes: Uint8Array,
  first: Turn,
  recent: readonly Turn[],
): string {
  const digest = new TextDigest();
  addTurn(digest, bytes, first);
  for (const turn of recent) addTurn(digest, bytes, turn);
  return digest.hex();
}

function addTurn(digest: TextDigest, bytes: Uint8Array, turn: Turn): void {
  const { texts, hasToolResult } = scanContent(bytes, turn.contentAt);
  for (const [start, end] of texts) digest.add(bytes, start, end);
  if (!hasToolResult) return;
  const start = turn.contentAt;
  digest.add(bytes, start, Math.min(bytes.length, start + RESULT_BYTES));
}

/**
 * The history in a request's body. Making one walks the whole body: make it of
 * unknown conversations alone.
 */
export class History {
  readonly #body: Uint8Array;
  readonly #turns: readonly Turn[];

  constructor(body: Uint8Array) {
    const turns: Turn[] = [];
    const messagesAt = isObjectAt(body, skipSpace(body, 0))
      ? memberAt(body, skipSpace(body, 0), "messages")
      : BROKEN;
    if (messagesAt !== BROKEN && isArrayAt(body, messagesAt)) {
      scanTurns(body, messagesAt, NO_WATCH, (turn) => turns.push(turn));
    }
    this.#body = body;
    this.#turns = turns;
  }

  /** Yields the marks of the history and of its beginnings, the longest first. */
  *marks(): Iterable<string> {
    const first = this.#turns.find(({ role }) => role === "user");
    if (first === undefined) return;
    for (const at of this.#endsOfUser()) {
      const recent = this.#turns.slice(
        Math.max(0, at + 1 - RECENT_TURNS),
        at + 1,
      );
      yield markOf(this.#body, first, recent);
    }
  }

  /** Yields the tails of the history that tell it from others, newest first. */
  *tails(): Iterable<string> {
    for (const at of this.#endsOfUser()) {
      const pair = this.#turns.slice(Math.max(0, at - 1), at + 1);
      if (pair[0]?.role !== "assistant") continue;
      if (isTelling(this.#body, pair)) yield tailOf(this.#body, pair);
    }
  }

  /** Yields where the turns of the user are, the last ones first. */
  *#endsOfUser(): Iterable<number> {
    let left = MARKS_MAX;
    for (let at = this.#turns.length - 1; at >= 0 && left > 0; at--) {
      if (this.#turns[at]?.role !== "user") continue;
      left--;
      yield at;
    }
  }
}

function tailOf(bytes: Uint8Array, pair: readonly Turn[]): string {
  const digest = new TextDigest();
  for (const turn of pair) addTurn(digest, bytes, turn);
  return digest.hex();
}

/** A tool's result has an id of its own; else the words must be many. */
function isTelling(bytes: Uint8Array, pair: readonly Turn[]): boolean {
  let length = 0;
  for (const { contentAt } of pair) {
    const { texts, hasToolResult } = scanContent(bytes, contentAt);
    if (hasToolResult) return true;
    for (const [start, end] of texts) length += end - start;
  }
  return length >= TAIL_BYTES_MIN;
}

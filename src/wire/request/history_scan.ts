/**
 * Marks along the history of a conversation, to recognise a conversation that
 * continues, or a copy of one under another id.
 *
 * A mark is a digest of the first turn of the user and the last few turns up to
 * one of the user's. Conversations that begin alike get different marks as soon
 * as an answer or a prompt differs. A tail is a digest of only an answer and the
 * turn of the user after it: it stays the same if a client rewrites the beginning.
 *
 * @module
 */

import { BROKEN } from "./byte_walk.ts";
import { JsonSource, type StringWatch } from "./json_source.ts";
import { isArrayAt, isObjectAt, memberAt, skipSpace } from "./json.ts";
import { RECENT_TURNS, scanTurns, type Turn } from "./message_scan.ts";

/** Of a longer span only both ends and the length count. */
const SPAN_BYTES_MAX = 4 * 1024;

/**
 * A cheap 64-bit digest of the spans that are added, in their order. It is no
 * protection: two equal digests are easy to make on purpose.
 */
export class TextDigest {
  #low = 0x811c9dc5;
  #high = 0x9747b28c;

  /** Adds the bytes from `start` to before `end`, and their number. */
  add(bytes: Uint8Array, start: number, end: number): void {
    const length = end - start;
    if (length <= SPAN_BYTES_MAX) {
      this.#mixSpan(bytes, start, end);
    } else {
      const half = SPAN_BYTES_MAX / 2;
      this.#mixSpan(bytes, start, start + half);
      this.#mixSpan(bytes, end - half, end);
    }
    this.#mix(length);
  }

  /** Returns sixteen hexadecimal digits. */
  hex(): string {
    return hex32(finish(this.#high)) + hex32(finish(this.#low));
  }

  /** Takes eight bytes at a time, four for each half of the digest. */
  #mixSpan(bytes: Uint8Array, start: number, end: number): void {
    const words = new DataView(
      bytes.buffer,
      bytes.byteOffset + start,
      end - start,
    );
    const wholeEnd = (end - start) & ~7;
    let low = this.#low;
    let high = this.#high;
    for (let at = 0; at < wholeEnd; at += 8) {
      low = Math.imul(low ^ words.getInt32(at, true), 0x01000193);
      low ^= low >>> 15;
      high = Math.imul(high ^ words.getInt32(at + 4, true), 0x5bd1e995);
      high ^= high >>> 13;
    }
    this.#low = low;
    this.#high = high;
    for (let at = start + wholeEnd; at < end; at++) this.#mix(bytes[at] ?? 0);
  }

  #mix(word: number): void {
    const low = Math.imul(this.#low ^ word, 0x01000193);
    this.#low = low ^ (low >>> 15);
    const high = Math.imul(this.#high ^ word, 0x5bd1e995);
    this.#high = high ^ (high >>> 13);
  }
}

function finish(word: number): number {
  const once = Math.imul(word ^ (word >>> 16), 0x85ebca6b);
  const twice = Math.imul(once ^ (once >>> 13), 0xc2b2ae35);
  return (twice ^ (twice >>> 16)) >>> 0;
}

function hex32(word: number): string {
  return word.toString(16).padStart(8, "0");
}

/** Enough of a tool's result to include its id. */
const RESULT_BYTES = 160;

/** The most marks of one history: a longer one is recognised by its last turns. */
const MARKS_MAX = 64;

/** Shorter texts ("Done.", "go on") occur in unrelated conversations. */
const TAIL_BYTES_MIN = 64;

const NO_WATCH: StringWatch = { string: () => {} };

/** Returns the mark of a history that ends with the turns `recent`. */
export function markOf(
  source: JsonSource,
  first: Turn,
  recent: readonly Turn[],
): string {
  const digest = new TextDigest();
  addTurn(digest, source, first);
  for (const turn of recent) {
    if (turn !== first) addTurn(digest, source, turn);
  }
  return digest.hex();
}

function addTurn(digest: TextDigest, source: JsonSource, turn: Turn): void {
  const { texts, hasToolResult } = turn.content;
  for (const [start, end] of texts) digest.add(source.bytes, start, end);
  if (!hasToolResult) return;
  const start = turn.contentAt;
  digest.add(
    source.bytes,
    start,
    Math.min(source.bytes.length, start + RESULT_BYTES),
  );
}

/**
 * The history in a request's body. Building one walks the whole body, so build
 * it only for unknown conversations.
 */
export class History {
  readonly #source: JsonSource;
  readonly #turns: readonly Turn[];

  constructor(body: Uint8Array) {
    const turns: Turn[] = [];
    const source = new JsonSource(body);
    const at = skipSpace(source.bytes, 0);
    const messagesAt = isObjectAt(source, at)
      ? memberAt(source, at, "messages")
      : BROKEN;
    if (messagesAt !== BROKEN && isArrayAt(source, messagesAt)) {
      scanTurns(source, messagesAt, NO_WATCH, (turn) => turns.push(turn));
    }
    this.#source = source;
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
      yield markOf(this.#source, first, recent);
    }
  }

  /** Yields the tails that distinguish the history from others, newest first. */
  *tails(): Iterable<string> {
    for (const at of this.#endsOfUser()) {
      const pair = this.#turns.slice(Math.max(0, at - 1), at + 1);
      if (pair[0]?.role !== "assistant") continue;
      if (isDistinctive(pair)) yield tailOf(this.#source, pair);
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

function tailOf(source: JsonSource, pair: readonly Turn[]): string {
  const digest = new TextDigest();
  for (const turn of pair) addTurn(digest, source, turn);
  return digest.hex();
}

/** Whether a pair is distinctive: a tool's result has an id, else it must be long. */
function isDistinctive(pair: readonly Turn[]): boolean {
  let length = 0;
  for (const { content: { texts, hasToolResult } } of pair) {
    if (hasToolResult) return true;
    for (const [start, end] of texts) length += end - start;
  }
  return length >= TAIL_BYTES_MIN;
}

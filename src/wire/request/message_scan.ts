/**
 * Finds the turns of a conversation in the bytes of its request.
 *
 * @module
 */

import {
  BROKEN,
  isKey,
  isObjectAt,
  isStringAt,
  shortTextAt,
  startsWithAt,
  stringEnd,
  type StringWatch,
  valueEnd,
  walkArray,
  walkObject,
} from "./json.ts";

/** One entry of `messages`; `contentAt` is where its content begins, or BROKEN. */
export interface Turn {
  readonly role: string | null;
  readonly contentAt: number;
}

/** The text between two quotes, as written in the JSON. */
export type TextSpan = readonly [start: number, end: number];

/**
 * What routing needs to know about `messages`. `system` entries may be anywhere
 * in them; they are not turns and are skipped.
 */
export interface Turns {
  readonly firstOfUser: Turn | null;
  readonly last: Turn | null;
  /** The last few turns, oldest first. */
  readonly recent: readonly Turn[];
  /** The number of turns. */
  readonly count: number;
  readonly end: number;
}

/** This many turns distinguish a history from others that begin alike. */
export const RECENT_TURNS = 6;

/**
 * Walks the array `messages` at `at` and calls `see` with each turn. The `end`
 * of a broken array is BROKEN.
 */
export function scanTurns(
  bytes: Uint8Array,
  at: number,
  watch: StringWatch,
  see: ((turn: Turn) => void) | null = null,
): Turns {
  let firstOfUser: Turn | null = null;
  let last: Turn | null = null;
  const recent: Turn[] = [];
  let count = 0;
  const end = walkArray(bytes, at, (itemAt) => {
    if (!isObjectAt(bytes, itemAt)) return valueEnd(bytes, itemAt, watch);
    const [turn, turnEnd] = scanTurn(bytes, itemAt, watch);
    if (turn.role !== "system") {
      see?.(turn);
      recent.push(turn);
      if (recent.length > RECENT_TURNS) recent.shift();
      last = turn;
      count++;
    }
    if (turn.role === "user") firstOfUser ??= turn;
    return turnEnd;
  });
  return { firstOfUser, last, recent, count, end };
}

function scanTurn(
  bytes: Uint8Array,
  at: number,
  watch: StringWatch,
): readonly [turn: Turn, end: number] {
  let roleAt = BROKEN;
  let contentAt = BROKEN;
  const end = walkObject(bytes, at, (keyStart, keyEnd, valueAt) => {
    watch.string(bytes, keyStart - 1, keyEnd + 1);
    if (isKey(bytes, [keyStart, keyEnd], "role")) roleAt = valueAt;
    if (isKey(bytes, [keyStart, keyEnd], "content")) contentAt = valueAt;
    return valueEnd(bytes, valueAt, watch);
  });
  const role = roleOf(bytes, roleAt);
  return [{ role, contentAt }, end];
}

/** Returns the role; avoids decoding, since there may be thousands of turns. */
function roleOf(bytes: Uint8Array, at: number): string | null {
  for (const role of ["user", "assistant"]) {
    if (startsWithAt(bytes, at, `"${role}"`)) return role;
  }
  return shortTextAt(bytes, at);
}

/** The content of a turn, or of `system`, which has the same form. */
interface Content {
  /**
   * The string itself, or the `text` of its text blocks. A string and a text
   * block with the same words are equal, since clients replace one by the other
   * when they set a cache mark.
   */
  readonly texts: readonly TextSpan[];
  readonly hasToolResult: boolean;
}

/** Reads the content at `contentAt`; BROKEN means that there is none. */
export function scanContent(bytes: Uint8Array, contentAt: number): Content {
  const texts: TextSpan[] = [];
  let hasToolResult = false;
  if (contentAt === BROKEN) return { texts, hasToolResult };
  if (isStringAt(bytes, contentAt)) {
    return { texts: textSpans(bytes, contentAt), hasToolResult };
  }
  walkArray(bytes, contentAt, (itemAt) => {
    if (!isObjectAt(bytes, itemAt)) return valueEnd(bytes, itemAt);
    let typeAt = BROKEN;
    let textAt = BROKEN;
    const end = walkObject(bytes, itemAt, (keyStart, keyEnd, valueAt) => {
      if (isKey(bytes, [keyStart, keyEnd], "type")) typeAt = valueAt;
      if (isKey(bytes, [keyStart, keyEnd], "text")) textAt = valueAt;
      return valueEnd(bytes, valueAt);
    });
    const type = shortTextAt(bytes, typeAt);
    if (type === "text") texts.push(...textSpans(bytes, textAt));
    if (type === "tool_result") hasToolResult = true;
    return end;
  });
  return { texts, hasToolResult };
}

/** Returns the first of `texts` that begins with the ASCII `mark`, or null. */
export function beginningWith(
  bytes: Uint8Array,
  texts: readonly TextSpan[],
  mark: string,
): TextSpan | null {
  return texts.find(([start, end]) =>
    end - start >= mark.length && startsWithAt(bytes, start, mark)
  ) ?? null;
}

function textSpans(bytes: Uint8Array, at: number): readonly TextSpan[] {
  if (at === BROKEN || !isStringAt(bytes, at)) return [];
  const end = stringEnd(bytes, at);
  return end === BROKEN ? [] : [[at + 1, end - 1]];
}

/**
 * Wire room: the turns of a conversation, found in the bytes of its request.
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
} from "./json_scan.ts";

/** One entry of `messages`; `contentAt` is where its content begins, or BROKEN. */
export interface Turn {
  readonly role: string | null;
  readonly contentAt: number;
}

/** The text between two quotes, as written in the JSON. */
export type TextSpan = readonly [start: number, end: number];

/**
 * What routing needs of `messages`. `system` entries may stand anywhere in
 * them; they are nobody's turn and are passed over.
 */
export interface Turns {
  readonly firstOfUser: Turn | null;
  readonly last: Turn | null;
  /** The last few, oldest first. */
  readonly recent: readonly Turn[];
  /** How many there are. */
  readonly count: number;
  readonly end: number;
}

/** So many turns tell a history from others that begin alike. */
export const RECENT_TURNS = 6;

/**
 * Walks the array `messages` at `at` and shows each turn to `see`. A broken one
 * ends in `end` BROKEN.
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

/** Decoding is dear where a conversation has thousands of turns. */
function roleOf(bytes: Uint8Array, at: number): string | null {
  for (const role of ["user", "assistant"]) {
    if (startsWithAt(bytes, at, `"${role}"`)) return role;
  }
  return shortTextAt(bytes, at);
}

/** What is in the content of a turn, or in `system`, which has the same form. */
export interface Content {
  /**
   * The string itself, or the `text` of its text blocks. A string and one text
   * block with the same words give the same, since clients change from one to
   * the other when they set a cache mark.
   */
  readonly texts: readonly TextSpan[];
  readonly hasToolResult: boolean;
}

/** Walks the content at `contentAt`, where BROKEN stands for none. */
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

/** The first of `texts` that begins with the ASCII `mark`, or null. */
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

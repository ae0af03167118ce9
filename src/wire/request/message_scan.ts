/**
 * Finds the turns of a conversation in the bytes of its request.
 *
 * @module
 */

import { BROKEN } from "./byte_walk.ts";
import type { JsonSource, StringWatch } from "./json_source.ts";
import {
  isKey,
  isObjectAt,
  isStringAt,
  shortTextAt,
  startsWithAt,
  stringEnd,
  valueEnd,
  walkArray,
  walkObject,
} from "./json.ts";

/** One entry of `messages`. */
export class Turn {
  readonly role: string | null;
  /** Where its content begins, or BROKEN. */
  readonly contentAt: number;
  readonly #source: JsonSource;
  #content: Content | null = null;

  constructor(
    source: JsonSource,
    { role, contentAt }: Pick<Turn, "role" | "contentAt">,
  ) {
    this.#source = source;
    this.role = role;
    this.contentAt = contentAt;
  }

  /** Its content, which is looked through once, when somebody asks for it. */
  get content(): Content {
    return this.#content ??= scanContent(this.#source, this.contentAt);
  }
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
  source: JsonSource,
  at: number,
  watch: StringWatch,
  see: ((turn: Turn) => void) | null = null,
): Turns {
  let firstOfUser: Turn | null = null;
  let last: Turn | null = null;
  const recent: Turn[] = [];
  let count = 0;
  const end = walkArray(source, at, (itemAt) => {
    if (!isObjectAt(source, itemAt)) return valueEnd(source, itemAt, watch);
    const [turn, turnEnd] = scanTurn(source, itemAt, watch);
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
  source: JsonSource,
  at: number,
  watch: StringWatch,
): readonly [turn: Turn, end: number] {
  let roleAt = BROKEN;
  let contentAt = BROKEN;
  const end = walkObject(source, at, (keyStart, keyEnd, valueAt) => {
    watch.string(source, keyStart - 1, keyEnd + 1);
    if (isKey(source, [keyStart, keyEnd], "role")) roleAt = valueAt;
    if (isKey(source, [keyStart, keyEnd], "content")) contentAt = valueAt;
    return valueEnd(source, valueAt, watch);
  });
  const role = roleOf(source, roleAt);
  return [new Turn(source, { role, contentAt }), end];
}

/** Returns the role; avoids decoding, since there may be thousands of turns. */
function roleOf(source: JsonSource, at: number): string | null {
  for (const role of ["user", "assistant"]) {
    if (startsWithAt(source.bytes, at, `"${role}"`)) return role;
  }
  return shortTextAt(source, at);
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

export const NO_CONTENT: Content = { texts: [], hasToolResult: false };

/** Reads the content at `contentAt`; BROKEN means that there is none. */
export function scanContent(source: JsonSource, contentAt: number): Content {
  const texts: TextSpan[] = [];
  let hasToolResult = false;
  if (contentAt === BROKEN) return { texts, hasToolResult };
  if (isStringAt(source, contentAt)) {
    return { texts: textSpans(source, contentAt), hasToolResult };
  }
  walkArray(source, contentAt, (itemAt) => {
    if (!isObjectAt(source, itemAt)) return valueEnd(source, itemAt);
    let typeAt = BROKEN;
    let textAt = BROKEN;
    const end = walkObject(source, itemAt, (keyStart, keyEnd, valueAt) => {
      if (isKey(source, [keyStart, keyEnd], "type")) typeAt = valueAt;
      if (isKey(source, [keyStart, keyEnd], "text")) textAt = valueAt;
      return valueEnd(source, valueAt);
    });
    const type = shortTextAt(source, typeAt);
    if (type === "text") texts.push(...textSpans(source, textAt));
    if (type === "tool_result") hasToolResult = true;
    return end;
  });
  return { texts, hasToolResult };
}

/** Returns the first of `texts` that begins with the ASCII `mark`, or null. */
export function beginningWith(
  source: JsonSource,
  texts: readonly TextSpan[],
  mark: string,
): TextSpan | null {
  return texts.find(([start, end]) =>
    end - start >= mark.length && startsWithAt(source.bytes, start, mark)
  ) ?? null;
}

function textSpans(source: JsonSource, at: number): readonly TextSpan[] {
  if (at === BROKEN || !isStringAt(source, at)) return [];
  const end = stringEnd(source, at);
  return end === BROKEN ? [] : [[at + 1, end - 1]];
}

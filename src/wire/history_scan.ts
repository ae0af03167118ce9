/**
 * Wire room: marks along the history of a conversation, to recognise one that
 * goes on, or a copy of one under another id.
 *
 * A mark digests the first turn of the user and the last few turns up to one of
 * the user's. Conversations that begin alike differ in their marks as soon as an
 * answer or a prompt differs.
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
 * Returns the marks of the history in a request's body, the longest history
 * first. It walks the whole body: ask it of unknown conversations alone.
 */
export function historyMarks(body: Uint8Array): readonly string[] {
  const messagesAt = memberAt(body, skipSpace(body, 0), "messages");
  if (messagesAt === BROKEN || !isArrayAt(body, messagesAt)) return [];
  const turns: Turn[] = [];
  scanTurns(body, messagesAt, NO_WATCH, (turn) => turns.push(turn));
  const first = turns.find(({ role }) => role === "user");
  if (first === undefined || !isObjectAt(body, skipSpace(body, 0))) return [];
  const marks: string[] = [];
  for (let at = turns.length - 1; at >= 0; at--) {
    const last = turns[at];
    if (last === undefined || last.role !== "user") continue;
    const recent = turns.slice(Math.max(0, at + 1 - RECENT_TURNS), at + 1);
    marks.push(markOf(body, first, recent));
    if (marks.length === MARKS_MAX) break;
  }
  return marks;
}

/**
 * Tokens of a whole session: its transcript and those of its sub-agents, read
 * on from where the last look ended. A look takes a bounded time.
 *
 * @module
 */

import { dirname, join } from "node:path";
import {
  add,
  type FileTally,
  NO_TALLY,
  NO_TOKENS,
  type TokenCount,
  TranscriptTally,
} from "./transcript_tokens.ts";

/** Counted so far, by the path of each file. Plain JSON. */
export type SessionTally = Readonly<Record<string, FileTally>>;

export interface SessionTokens {
  readonly total: TokenCount;
  readonly turn: TokenCount;
  /** False while there is more to read than one look had time for. */
  readonly isWhole: boolean;
  readonly tally: SessionTally;
}

export interface LookOptions {
  readonly transcript: string;
  readonly session: string;
  readonly before: SessionTally;
  /** Whether to go on reading. */
  readonly mayGoOn: () => boolean;
}

const CHUNK_BYTES = 256 * 1024;
/** A longer line is skipped: no answer's usage is in it. */
const LINE_BYTES_MAX = 32 * 1024 * 1024;
const AGENTS_MAX = 200;
const LINE_END = 10;

/** Never throws: a file that cannot be read counts nothing. */
export function sessionTokens(options: LookOptions): SessionTokens {
  const { transcript, before } = options;
  const main = readOn(transcript, before[transcript] ?? NO_TALLY, {
    mayGoOn: options.mayGoOn,
    hasPrompts: true,
    turnAt: null,
  });
  const tally: Record<string, FileTally> = {
    ...before,
    [transcript]: main.tally,
  };
  let { total, turn } = main.tally;
  let isWhole = main.isWhole;
  // Which turn it is must be known before.
  for (const path of isWhole ? agentFiles(options) : []) {
    const agent = readOn(path, before[path] ?? NO_TALLY, {
      mayGoOn: options.mayGoOn,
      hasPrompts: false,
      turnAt: main.tally.turnAt,
    });
    tally[path] = agent.tally;
    total = add(total, agent.tally.total);
    turn = add(turn, agent.tally.turn);
    isWhole &&= agent.isWhole;
  }
  return { total, turn: isWhole ? turn : NO_TOKENS, isWhole, tally };
}

function agentFiles({ transcript, session }: LookOptions): readonly string[] {
  const folder = join(dirname(transcript), session, "subagents");
  try {
    return [...Deno.readDirSync(folder)]
      .filter(({ name, isFile }) => isFile && name.endsWith(".jsonl"))
      .map(({ name }) => join(folder, name)).sort().slice(0, AGENTS_MAX);
  } catch {
    // Most sessions have none.
    return [];
  }
}

interface ReadOptions {
  readonly mayGoOn: () => boolean;
  readonly hasPrompts: boolean;
  readonly turnAt: number | null;
}

function readOn(
  path: string,
  before: FileTally,
  options: ReadOptions,
): { readonly tally: FileTally; readonly isWhole: boolean } {
  try {
    // Opening a pipe would wait for who writes into it.
    const { size, isFile } = Deno.statSync(path);
    if (!isFile) return { tally: before, isWhole: true };
    using file = Deno.openSync(path);
    // A shorter file is another one.
    const from = size < before.offset ? NO_TALLY : before;
    file.seekSync(from.offset, Deno.SeekMode.Start);
    return readLines(file, from, options);
  } catch {
    return { tally: before, isWhole: true };
  }
}

/**
 * Reads whole lines. A line that was begun is read to its end, however long the
 * look has taken: else a line that takes longer than one look, such as a prompt
 * with a picture, would stop the count for ever.
 */
function readLines(
  file: Deno.FsFile,
  from: FileTally,
  options: ReadOptions,
): { readonly tally: FileTally; readonly isWhole: boolean } {
  const tally = new TranscriptTally(from, options);
  const decoder = new TextDecoder();
  let parts: Uint8Array[] = [];
  let begunBytes = 0;
  let offset = from.offset;
  while (options.mayGoOn() || begunBytes > 0) {
    const chunk = new Uint8Array(CHUNK_BYTES);
    const read = file.readSync(chunk) ?? 0;
    if (read === 0) return { tally: tally.tally(offset), isWhole: true };
    const bytes = chunk.subarray(0, read);
    const end = bytes.lastIndexOf(LINE_END) + 1;
    if (end > 0) {
      const lines = joined([...parts, bytes.subarray(0, end)]);
      for (const line of decoder.decode(lines).split("\n")) tally.line(line);
      offset += lines.length;
      parts = [];
      begunBytes = 0;
    }
    if (end < read) parts.push(bytes.subarray(end));
    begunBytes += read - end;
    if (begunBytes > LINE_BYTES_MAX) {
      offset += begunBytes;
      parts = [];
      begunBytes = 0;
    }
  }
  return { tally: tally.tally(offset), isWhole: false };
}

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

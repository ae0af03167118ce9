/**
 * Counts the tokens of a whole session from its transcript and those of its
 * sub-agents. Each look continues where the last one ended and takes a bounded
 * time.
 *
 * @module
 */

import { dirname, join } from "node:path";

/** The counts so far, by the path of each file, as plain JSON. */
export type SessionTally = Readonly<Record<string, FileTally>>;

export interface SessionTokens {
  readonly total: TokenCount;
  readonly turn: TokenCount;
  /** False while there is more to read than one look had time for. */
  readonly isWhole: boolean;
  readonly tally: SessionTally;
}

interface LookOptions {
  readonly transcript: string;
  readonly session: string;
  readonly before: SessionTally;
  /** Returns whether to go on reading. */
  readonly mayGoOn: () => boolean;
}

const CHUNK_BYTES = 256 * 1024;
/** A longer line is skipped: it holds no answer's usage. */
const LINE_BYTES_MAX = 32 * 1024 * 1024;
const AGENTS_MAX = 200;
const LINE_END = 10;

/**
 * Returns the counts. Never throws: a file that cannot be read counts as empty.
 */
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
  // The turn must be known first.
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
    // Most sessions have no sub-agents.
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
    // Opening a pipe would wait for its writer.
    const { size, isFile } = Deno.statSync(path);
    if (!isFile) return { tally: before, isWhole: true };
    using file = Deno.openSync(path);
    // A shorter file is a new file.
    const from = size < before.offset ? NO_TALLY : before;
    file.seekSync(from.offset, Deno.SeekMode.Start);
    return readLines(file, from, options);
  } catch {
    return { tally: before, isWhole: true };
  }
}

/**
 * Reads whole lines. A line that was begun is read to its end, however long the
 * look has taken; otherwise a line that takes longer than one look, such as a
 * prompt with a picture, would stop the count for ever.
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

// One message is on several lines with the same usage, and the early lines
// state less output. Each message therefore counts once, with the largest
// figures stated.

interface TokenCount {
  /** Prompt tokens that the cache did not hold. */
  readonly fresh: number;
  readonly output: number;
}

const NO_TOKENS: TokenCount = { fresh: 0, output: 0 };

/** What was counted of one file, as plain JSON to continue from. */
interface FileTally {
  /** Bytes of whole lines that were counted. */
  readonly offset: number;
  readonly total: TokenCount;
  /** Tokens since the last prompt of a person. */
  readonly turn: TokenCount;
  /** When that prompt was sent; null before the first. */
  readonly turnAt: number | null;
  /** The last messages, because later lines may state more of them. */
  readonly recent: readonly (readonly [key: string, TokenCount])[];
}

const NO_TALLY: FileTally = {
  offset: 0,
  total: NO_TOKENS,
  turn: NO_TOKENS,
  turnAt: null,
  recent: [],
};

const RECENT_MAX = 64;

type Fields = Readonly<Record<string, unknown>>;

/** Continues the count of whole lines; the caller keeps `offset`. */
class TranscriptTally {
  #total: TokenCount;
  #turn: TokenCount;
  #turnAt: number | null;
  readonly #recent: Map<string, TokenCount>;
  /** Whether it holds a person's prompts; a sub-agent's transcript does not. */
  readonly #hasPrompts: boolean;

  constructor(
    tally: FileTally,
    options: { readonly hasPrompts: boolean; readonly turnAt: number | null },
  ) {
    this.#total = tally.total;
    this.#hasPrompts = options.hasPrompts;
    this.#turnAt = options.hasPrompts ? tally.turnAt : options.turnAt;
    this.#turn = this.#turnAt === tally.turnAt ? tally.turn : NO_TOKENS;
    this.#recent = new Map(tally.recent);
  }

  line(text: string): void {
    const isUsage = text.includes('"usage"');
    const isUser = this.#hasPrompts && text.includes('"user"');
    if (!isUsage && !isUser) return;
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      return;
    }
    const entry = fields(value);
    if (entry["type"] === "assistant") this.#answer(entry);
    else if (isUser && isPrompt(entry)) {
      this.#turnAt = timeOf(entry) ?? this.#turnAt;
      this.#turn = NO_TOKENS;
    }
  }

  tally(offset: number): FileTally {
    return {
      offset,
      total: this.#total,
      turn: this.#turn,
      turnAt: this.#turnAt,
      recent: [...this.#recent].slice(-RECENT_MAX),
    };
  }

  #answer(entry: Fields): void {
    const message = fields(entry["message"]);
    const usage = fields(message["usage"]);
    const key = `${text(message["id"])}/${text(entry["requestId"])}`;
    const known = this.#recent.get(key) ?? NO_TOKENS;
    const seen = {
      fresh: Math.max(
        known.fresh,
        count(usage["input_tokens"]) +
          count(usage["cache_creation_input_tokens"]),
      ),
      output: Math.max(known.output, count(usage["output_tokens"])),
    };
    const more = {
      fresh: seen.fresh - known.fresh,
      output: seen.output - known.output,
    };
    this.#recent.delete(key);
    this.#recent.set(key, seen);
    if (this.#recent.size > 2 * RECENT_MAX) this.#forget();
    this.#total = add(this.#total, more);
    const isInTurn = this.#hasPrompts ||
      this.#turnAt !== null && (timeOf(entry) ?? 0) >= this.#turnAt;
    if (isInTurn) this.#turn = add(this.#turn, more);
  }

  #forget(): void {
    for (const key of this.#recent.keys()) {
      if (this.#recent.size <= RECENT_MAX) return;
      this.#recent.delete(key);
    }
  }
}

function add(a: TokenCount, b: TokenCount): TokenCount {
  return { fresh: a.fresh + b.fresh, output: a.output + b.output };
}

/**
 * Returns whether a person typed it; tool results, summaries and sub-agents'
 * tasks do not count.
 */
function isPrompt(entry: Fields): boolean {
  if (entry["type"] !== "user" || entry["isSidechain"] === true) return false;
  if (entry["isMeta"] === true || entry["isCompactSummary"] === true) {
    return false;
  }
  const { content } = fields(entry["message"]);
  if (typeof content === "string") return true;
  return Array.isArray(content) &&
    !content.some((block) => fields(block)["type"] === "tool_result");
}

function fields(value: unknown): Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Fields
    : {};
}

function text(value: unknown): string {
  return typeof value === "string" ? value : "";
}

function count(value: unknown): number {
  return typeof value === "number" && Number.isFinite(value) && value > 0
    ? value
    : 0;
}

function timeOf(entry: Fields): number | null {
  const at = Date.parse(text(entry["timestamp"]));
  return Number.isFinite(at) ? at : null;
}

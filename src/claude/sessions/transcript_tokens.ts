/**
 * Tokens of a session, counted from its transcript line by line. One message
 * stands on several lines with the same usage, the early ones with less output,
 * so each message counts once, with the most that was said of it.
 *
 * @module
 */

export interface TokenCount {
  /** Prompt tokens that the cache did not hold. */
  readonly fresh: number;
  readonly output: number;
}

export const NO_TOKENS: TokenCount = { fresh: 0, output: 0 };

/** What has been counted of one file; plain JSON, to go on from later. */
export interface FileTally {
  /** Bytes of whole lines counted. */
  readonly offset: number;
  readonly total: TokenCount;
  /** Since the last prompt of a person. */
  readonly turn: TokenCount;
  /** When that prompt was; null before the first. */
  readonly turnAt: number | null;
  /** The last messages: later lines may say more of them. */
  readonly recent: readonly (readonly [key: string, TokenCount])[];
}

export const NO_TALLY: FileTally = {
  offset: 0,
  total: NO_TOKENS,
  turn: NO_TOKENS,
  turnAt: null,
  recent: [],
};

const RECENT_MAX = 64;

type Fields = Readonly<Record<string, unknown>>;

/** Counts whole lines on; `offset` is the caller's. */
export class TranscriptTally {
  #total: TokenCount;
  #turn: TokenCount;
  #turnAt: number | null;
  readonly #recent: Map<string, TokenCount>;
  /** Where prompts stand: a sub-agent's transcript has none of a person. */
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

export function add(a: TokenCount, b: TokenCount): TokenCount {
  return { fresh: a.fresh + b.fresh, output: a.output + b.output };
}

/** What a person typed; not a tool's result, a summary or a sub-agent's task. */
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

/**
 * Answers as Claude Code's transcripts state them. One answer stands on several
 * lines, in forks, in resumed sessions and in replays, and counts once.
 *
 * @module
 */

import type { PriceTerms } from "./pricing.ts";
import { contextTokens, type TokenUsage } from "./usage.ts";

/** One answer of the provider, without a word of what was said. */
export interface TranscriptAnswer {
  /** `msg_…`; a line without one is known by its own id. */
  readonly messageId: string;
  /** The answer's `request-id`; empty if the line has none. */
  readonly requestId: string;
  /** When the line was written, in epoch milliseconds. */
  readonly at: number;
  /** When the request was sent, as far as the lines before it tell. */
  readonly startedAt: number;
  readonly session: string;
  /** The sub-agent, or null. */
  readonly agent: string | null;
  /** The repository, or folder, in which the client worked, or null. */
  readonly project: string | null;
  /** Null if no model answered. */
  readonly model: string | null;
  readonly usage: TokenUsage;
  readonly terms: PriceTerms;
  readonly isSidechain: boolean;
  /** Whether the line states a speed: the last line of an answer does. */
  readonly hasSpeed: boolean;
  /** Whether a person's words were sent, and not a tool's result. */
  readonly isPrompt: boolean;
  readonly isCompacted: boolean;
  /** The transcript; of two equal lines that of the first path counts. */
  readonly path: string;
}

/**
 * Returns whether two lines state one answer. They do if message and request are
 * the same, or if a side conversation repeats the message under its own request.
 */
function isSameAnswer(a: TranscriptAnswer, b: TranscriptAnswer): boolean {
  return a.messageId === b.messageId &&
    (a.requestId === b.requestId || a.isSidechain || b.isSidechain);
}

/**
 * Returns whether `one` says more about an answer than `other`: the conversation
 * before its repetition, then the most tokens, because early lines state less.
 */
function saysMore(one: TranscriptAnswer, other: TranscriptAnswer): boolean {
  if (one.isSidechain !== other.isSidechain) return other.isSidechain;
  const more = tokensOf(one) - tokensOf(other);
  if (more !== 0) return more > 0;
  if (one.hasSpeed !== other.hasSpeed) return one.hasSpeed;
  return one.path < other.path;
}

function tokensOf({ usage }: TranscriptAnswer): number {
  return contextTokens(usage) + usage.output;
}

/** Answers by their message, each once. */
export class TranscriptAnswers {
  readonly #byMessage = new Map<string, TranscriptAnswer[]>();
  #count = 0;

  get count(): number {
    return this.#count;
  }

  add(answer: TranscriptAnswer): void {
    const known = this.#byMessage.get(answer.messageId);
    if (known === undefined) {
      this.#byMessage.set(answer.messageId, [answer]);
      this.#count += 1;
      return;
    }
    const exact = known.findIndex((one) => one.requestId === answer.requestId);
    const at = exact >= 0
      ? exact
      : known.findIndex((one) => isSameAnswer(one, answer));
    const before = known[at];
    if (before === undefined) {
      known.push(answer);
      this.#count += 1;
    } else if (saysMore(answer, before)) known[at] = answer;
  }

  /** Returns the messages that have answers. */
  messages(): readonly string[] {
    return [...this.#byMessage.keys()];
  }

  of(messageId: string): readonly TranscriptAnswer[] {
    return this.#byMessage.get(messageId) ?? [];
  }

  *[Symbol.iterator](): Generator<TranscriptAnswer> {
    for (const answers of this.#byMessage.values()) yield* answers;
  }
}

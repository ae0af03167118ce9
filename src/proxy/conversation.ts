/**
 * Which conversation a request belongs to, and whether its history was just
 * compacted. Whatever has a prompt cache of its own is a conversation of its own.
 *
 * @module
 */

import {
  type ConversationId,
  type ModelFamily,
  modelFamily,
} from "../core/account.ts";
import type { RouteFacts } from "../core/pool/pool.ts";
import { MINUTE_MS } from "../core/time.ts";
import { History } from "../wire/request/history_scan.ts";
import type { RequestPeek } from "../wire/request/request_peek.ts";

const CACHE_MS = { "5m": 5 * MINUTE_MS, "1h": 60 * MINUTE_MS } as const;

/** The most conversations whose last summary is remembered. */
const SUMMARIES_MAX = 5_000;

/**
 * Remembers the summary that each conversation began with, to notice a new one.
 * A conversation that was never seen does not count as compacted, whatever it
 * begins with: after a restart of tc its cache may still be warm.
 */
export class SummaryMemory {
  /** In the order of use; null for a conversation that began without a summary. */
  readonly #digests = new Map<ConversationId, string | null>();

  /** Whether this request is the first after a compaction of its history. */
  isNew(
    conversation: ConversationId | null,
    { compactionDigest, isSide }: Pick<
      RequestPeek,
      "compactionDigest" | "isSide"
    >,
  ): boolean {
    // Side requests do not carry the history.
    if (conversation === null || isSide) return false;
    const known = this.#digests.get(conversation);
    this.#digests.delete(conversation);
    this.#digests.set(conversation, compactionDigest ?? known ?? null);
    const oldest = this.#digests.keys().next().value;
    if (this.#digests.size > SUMMARIES_MAX && oldest !== undefined) {
      this.#digests.delete(oldest);
    }
    return compactionDigest !== null && known !== undefined &&
      known !== compactionDigest;
  }

  /** Whether `conversation` is remembered. */
  knows(conversation: ConversationId): boolean {
    return this.#digests.has(conversation);
  }
}

/**
 * Returns the conversation by session and sub-agent, and without tools by its
 * system texts as well. For a client that names no session, a digest of tools,
 * system and first words; null if even that is missing.
 */
function conversationOf(peek: RequestPeek): ConversationId | null {
  const { systemDigest, bodyDigest } = peek;
  const main = mainConversationOf(peek);
  if (main === null) {
    return bodyDigest === null ? null : `~${bodyDigest}` as ConversationId;
  }
  return systemDigest === null
    ? main
    : `${main}~${systemDigest}` as ConversationId;
}

/** Returns the conversation with tools of the request's session and agent. */
function mainConversationOf(
  { sessionId, agentId }: RequestPeek,
): ConversationId | null {
  if (sessionId === null) return null;
  return (agentId === null
    ? sessionId
    : `${sessionId}/${agentId}`) as ConversationId;
}

/**
 * Returns the conversation that started a sub-agent, or beside which one
 * without tools runs; null if there is none.
 */
function parentOf(
  peek: RequestPeek,
  summaries: SummaryMemory,
): ConversationId | null {
  const { sessionId, agentId, parentAgentId, systemDigest } = peek;
  const main = mainConversationOf(peek);
  if (systemDigest !== null && main !== null) {
    return summaries.knows(main) ? main : null;
  }
  if (sessionId === null || agentId === null) return null;
  return (parentAgentId === null
    ? sessionId
    : `${sessionId}/${parentAgentId}`) as ConversationId;
}

function familiesOf(
  { model, advisorModel }: RequestPeek,
): readonly ModelFamily[] {
  const models = [model, advisorModel].filter((name) => name !== null);
  return [...new Set(models.map(modelFamily))];
}

/** Returns what routing needs to know about the request. */
export function routeFacts(
  peek: RequestPeek,
  body: Uint8Array,
  { summaries, histories, policy, isMetered }:
    & Pick<RouteFacts, "policy" | "isMetered">
    & {
      readonly summaries: SummaryMemory;
      readonly histories: HistoryMemory;
    },
): RouteFacts {
  const { conversation, kin } = histories.resolve(peek, body);
  return {
    conversation,
    kin,
    parent: parentOf(peek, summaries),
    families: familiesOf(peek),
    model: peek.model,
    betas: peek.betas,
    client: peek.client,
    path: peek.path,
    contextTokens: peek.estimatedTokens,
    cacheTtlMs: CACHE_MS[peek.cacheTtl],
    isCompacted: summaries.isNew(conversation, peek),
    isSide: peek.isSide || !isMetered,
    isMetered,
    isPrompt: peek.isPrompt,
    policy,
  };
}

/** The most histories that are recognised; the oldest are forgotten first. */
const HISTORIES_MAX = 20_000;

/** The conversation that a request continues, and the one it is a copy of. */
interface Resolved {
  readonly conversation: ConversationId | null;
  readonly kin: RouteFacts["kin"];
}

/** A history that a conversation had. */
interface Known {
  readonly conversation: ConversationId;
  /** Its estimated tokens. */
  readonly tokens: number;
}

/**
 * Remembers the mark of each history. A conversation under a new id whose
 * history is known is a copy, which can use the cache of the original. Without
 * any id only the history shows which conversation goes on: by its last turns
 * if the client has summarised the first ones.
 */
export class HistoryMemory {
  readonly #byMark = new Map<string, Known>();
  /** For conversations without an id: the one in which each tail was seen. */
  readonly #byTail = new Map<string, ConversationId>();
  /** The last mark of each conversation. */
  readonly #latest = new Map<ConversationId, string>();
  #copies = 0;

  /** Returns which conversation the request continues, and remembers it. */
  resolve(peek: RequestPeek, body: Uint8Array): Resolved {
    const conversation = conversationOf(peek);
    const { mark } = peek;
    if (conversation === null || mark === null || peek.isSide) {
      return { conversation, kin: null };
    }
    const resolved = peek.sessionId === null
      ? this.#unnamed(conversation, body)
      : this.#named(conversation, body);
    this.#note(resolved.conversation, mark, peek.estimatedTokens);
    return resolved;
  }

  #named(conversation: ConversationId, body: Uint8Array): Resolved {
    if (this.#latest.has(conversation)) return { conversation, kin: null };
    const found = this.#longest(new History(body))?.known ?? null;
    const isOwn = found?.conversation === conversation;
    return { conversation, kin: isOwn ? null : found };
  }

  #unnamed(digest: ConversationId, body: Uint8Array): Resolved {
    const history = new History(body);
    const resolved = this.#byHistory(digest, history);
    const [tail] = history.tails();
    if (tail !== undefined && resolved.conversation !== null) {
      this.#byTail.set(tail, resolved.conversation);
      forgetOldest(this.#byTail, HISTORIES_MAX);
    }
    return resolved;
  }

  /** Returns the one that it continues, branches off from, or begins. */
  #byHistory(digest: ConversationId, history: History): Resolved {
    const found = this.#longest(history);
    if (found === null) {
      // A client that summarises its past keeps the last turns unchanged.
      for (const tail of history.tails()) {
        const shortened = this.#byTail.get(tail);
        if (shortened !== undefined) {
          return { conversation: shortened, kin: null };
        }
      }
      const isTaken = this.#latest.has(digest);
      return {
        conversation: isTaken ? this.#copyOf(digest) : digest,
        kin: null,
      };
    }
    // A request without a session id does not continue one that has an id.
    const { mark, known } = found;
    const isNext = known.conversation.startsWith("~") &&
      this.#latest.get(known.conversation) === mark;
    return isNext
      ? { conversation: known.conversation, kin: null }
      : { conversation: this.#copyOf(digest), kin: known };
  }

  #copyOf(digest: ConversationId): ConversationId {
    return `${digest}.${++this.#copies}` as ConversationId;
  }

  #longest(
    history: History,
  ): { readonly mark: string; readonly known: Known } | null {
    for (const mark of history.marks()) {
      const known = this.#byMark.get(mark);
      if (known !== undefined) return { mark, known };
    }
    return null;
  }

  #note(
    conversation: ConversationId | null,
    mark: string,
    tokens: number,
  ): void {
    if (conversation === null) return;
    // Conversations that begin alike share first marks: the first one keeps them.
    if (!this.#byMark.has(mark)) {
      this.#byMark.set(mark, { conversation, tokens });
    }
    this.#latest.delete(conversation);
    this.#latest.set(conversation, mark);
    forgetOldest(this.#byMark, HISTORIES_MAX);
    forgetOldest(this.#latest, SUMMARIES_MAX);
  }
}

function forgetOldest<K>(map: Map<K, unknown>, most: number): void {
  const oldest = map.keys().next();
  if (map.size > most && oldest.done !== true) map.delete(oldest.value);
}

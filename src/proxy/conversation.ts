/**
 * Which conversation a request belongs to, and whether it was just compacted:
 * what has a prompt cache of its own has a binding of its own.
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

/** Conversations whose last summary is remembered. */
const SUMMARIES_MAX = 5_000;

/**
 * Remembers the summary that each conversation began with, to see a new one. A
 * conversation that was never seen is no compacted one, whatever it begins
 * with: after a restart its cache may be as warm as before.
 */
export class SummaryMemory {
  /** In the order of use; null where a conversation began without one. */
  readonly #digests = new Map<ConversationId, string | null>();

  /** Whether this request is the first after a compaction of its history. */
  isNew(
    conversation: ConversationId | null,
    { compactionDigest, isSide }: Pick<
      RequestPeek,
      "compactionDigest" | "isSide"
    >,
  ): boolean {
    // Side requests carry nothing of the history.
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

  /** Whether a request of `conversation` has been seen, as far as is remembered. */
  knows(conversation: ConversationId): boolean {
    return this.#digests.has(conversation);
  }
}

/**
 * By session and sub-agent, and for a conversation without tools by its system
 * texts as well; by a digest of tools, system and first words for clients that
 * name no session; null where even that is missing.
 */
export function conversationOf(peek: RequestPeek): ConversationId | null {
  const { systemDigest, bodyDigest } = peek;
  const main = mainConversationOf(peek);
  if (main === null) {
    return bodyDigest === null ? null : `~${bodyDigest}` as ConversationId;
  }
  return systemDigest === null
    ? main
    : `${main}~${systemDigest}` as ConversationId;
}

/** The conversation with tools of the request's session and agent. */
function mainConversationOf(
  { sessionId, agentId }: RequestPeek,
): ConversationId | null {
  if (sessionId === null) return null;
  return (agentId === null
    ? sessionId
    : `${sessionId}/${agentId}`) as ConversationId;
}

/**
 * The conversation that a sub-agent was started by, or that one without tools
 * runs beside; null where there is none.
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

/** What routing needs to know of the request. */
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

/** Histories that are recognised; the oldest are forgotten first. */
const HISTORIES_MAX = 20_000;

/** Which conversation a request continues, and which one it is a copy of. */
interface Resolved {
  readonly conversation: ConversationId | null;
  readonly kin: RouteFacts["kin"];
}

/** A history that a conversation had. */
interface Known {
  readonly conversation: ConversationId;
  /** Estimated tokens of it. */
  readonly tokens: number;
}

/**
 * Remembers the mark of each history. A conversation under a new id whose
 * history is known is a copy: it finds the cache of the first. Without any id,
 * the history alone tells which conversation goes on, by its last turns where
 * the client has summed up the first ones.
 */
export class HistoryMemory {
  readonly #byMark = new Map<string, Known>();
  /** Of conversations without an id: which one each tail was seen in. */
  readonly #byTail = new Map<string, ConversationId>();
  /** The mark that each conversation ended with last. */
  readonly #latest = new Map<ConversationId, string>();
  #copies = 0;

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

  /** By the history: it goes on, leaves another one at some turn, or is new. */
  #byHistory(digest: ConversationId, history: History): Resolved {
    const found = this.#longest(history);
    if (found === null) {
      // A client that sums up its past keeps the last turns as they were.
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
    // A session that names itself is not continued by who names none.
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
    // Two that begin alike share their first marks: the first one keeps them.
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

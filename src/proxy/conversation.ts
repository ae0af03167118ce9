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
import type { RouteFacts } from "../core/pool.ts";
import { MINUTE_MS } from "../core/time.ts";
import type { RequestPeek } from "../wire/request_peek.ts";

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
  summaries: SummaryMemory,
  { policy, isMetered }: Pick<RouteFacts, "policy" | "isMetered">,
): RouteFacts {
  const conversation = conversationOf(peek);
  return {
    conversation,
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

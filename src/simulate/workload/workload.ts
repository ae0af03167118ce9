/**
 * Work to be done and the accounts to do it with, as data: drawn from a seed,
 * or taken from recorded history.
 *
 * @module
 */

import type { AccountKind, ModelFamily, Tier } from "../../core/account.ts";
import type { Instant } from "../../core/time.ts";

/** One planned request, whichever account serves it. */
export interface PlannedRequest {
  /**
   * Pause after the previous answer of its conversation, or after the start.
   */
  readonly gapMs: number;
  /** Prompt tokens in all. */
  readonly contextTokens: number;
  readonly outputTokens: number;
  /** Time from the start to the last byte, once it is served. */
  readonly durationMs: number;
  readonly family: ModelFamily;
  /** Whether a person asked; otherwise it carries a tool's result. */
  readonly isPrompt: boolean;
  /** Whether the history was summarised before it. */
  readonly isCompacted: boolean;
  /**
   * Whether it runs beside the conversation, such as a title request for which
   * nobody waits.
   */
  readonly isSide: boolean;
  /** Sub-agents that work after the answer; the next request waits for them. */
  readonly agents: readonly PlannedConversation[];
}

export interface PlannedConversation {
  readonly id: string;
  readonly requests: readonly PlannedRequest[];
}

export interface PlannedSession extends PlannedConversation {
  readonly startsAt: Instant;
  /** Work that has not started by then is lost; null means never. */
  readonly deadline: Instant | null;
}

/** The true size of an account; the core knows only its kind and tier. */
export interface PlannedAccount {
  readonly name: string;
  readonly kind: AccountKind;
  readonly tier: Tier;
  /** Quota tokens of a five-hour window and of a week. */
  readonly fiveHourTokens: number;
  readonly weekTokens: number;
  readonly concurrency: number;
  readonly perMinute: number;
  /** Utilization at the start, 0 to 1. */
  readonly fiveHourUsed: number;
  readonly fiveHourResetsAt: Instant | null;
  readonly weekUsed: number;
  readonly weekResetsAt: Instant;
  /** Share of the week that a family with its own limit may use. */
  readonly familyShare: Readonly<Record<ModelFamily, number>>;
  /** The week restarts then, although its reset was announced for later. */
  readonly earlyResetAt: Instant | null;
  /** How the headers differ from the truth. */
  readonly headers: "true" | "absent" | "half" | "stuck_full";
}

/** A time in which the provider answers every request with 529. */
interface Storm {
  readonly from: Instant;
  readonly to: Instant;
}

export interface Workload {
  readonly name: string;
  readonly startsAt: Instant;
  readonly endsAt: Instant;
  readonly accounts: readonly PlannedAccount[];
  readonly sessions: readonly PlannedSession[];
  readonly cacheTtlMs: number;
  readonly cacheReadWeight: number;
  /**
   * How many requests of the conversation ago an account's cache entry may lie;
   * null means any number. The provider looks back twenty blocks.
   */
  readonly cacheTurnsBack: number | null;
  /** Time until an answer begins. From then on its cache can be read. */
  readonly headMs: number;
  /** Tokens of tools and system prompt that all conversations share. */
  readonly sharedTokens: number;
  readonly storms: readonly Storm[];
  /** Whether the figures of all accounts are known at the start. */
  readonly isKnown: boolean;
  /**
   * How often the free usage endpoint is asked per account; null means never.
   */
  readonly pollMs: number | null;
  /**
   * Whether the clients come back by themselves at the time that a limit answer
   * names, as Claude Code does in login mode.
   */
  readonly speaksLimits: boolean;
}

/** Time until an answer of a large model begins, where it was not recorded. */
export const HEAD_MS = 2_000;

/** Size of Claude Code's tools and system prompt, in tokens. */
export const SHARED_TOKENS = 20_000;

const WRITE_SHORT = 1.25;
const WRITE_LONG = 2;
const SHORT_TTL_MS = 600_000;
const OUTPUT = 5;

/**
 * Returns the quota tokens of a request of which `cached` tokens are cached.
 */
export function costOf(
  request: PlannedRequest,
  cached: number,
  workload: Pick<Workload, "cacheTtlMs" | "cacheReadWeight">,
): number {
  const read = Math.min(cached, request.contextTokens);
  const write = workload.cacheTtlMs > SHORT_TTL_MS ? WRITE_LONG : WRITE_SHORT;
  return workload.cacheReadWeight * read +
    write * (request.contextTokens - read) + OUTPUT * request.outputTokens;
}

/** One request with its worth, and when it could be made without any stall. */
export interface Worth {
  readonly tokens: number;
  readonly releasedAt: number;
  readonly deadline: number;
}

/**
 * Returns the useful work of each request: its least cost on any account, with
 * a warm cache unless its own pause outlasts the cache.
 */
export function worths(workload: Workload): ReadonlyMap<PlannedRequest, Worth> {
  const found = new Map<PlannedRequest, Worth>();
  for (const session of workload.sessions) {
    const deadline = session.deadline ?? workload.endsAt;
    unfold(session, session.startsAt, { deadline, workload, found });
  }
  return found;
}

/** Walks a conversation from `at` on without stalls, and returns its end. */
function unfold(
  conversation: PlannedConversation,
  at: number,
  sink: {
    readonly deadline: number;
    readonly workload: Workload;
    readonly found: Map<PlannedRequest, Worth>;
  },
): number {
  let now = at;
  let cached = 0;
  let cachedAt = -Infinity;
  for (const request of conversation.requests) {
    now += request.gapMs;
    const isWarm = !request.isCompacted && !request.isSide &&
      now - cachedAt < sink.workload.cacheTtlMs;
    const read = Math.max(isWarm ? cached : 0, sink.workload.sharedTokens);
    sink.found.set(request, {
      tokens: costOf(request, read, sink.workload),
      releasedAt: now,
      deadline: sink.deadline,
    });
    if (request.isSide) continue;
    cached = request.contextTokens;
    cachedAt = now;
    now += request.durationMs;
    let joined = now;
    for (const agent of request.agents) {
      joined = Math.max(joined, unfold(agent, now, sink));
    }
    now = joined;
  }
  return now;
}

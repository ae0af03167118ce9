/**
 * Session bindings: a conversation keeps its account for the sake of its prompt
 * cache.
 *
 * @module
 */

import type { AccountId, ConversationId, ModelFamily } from "../account.ts";
import type { RouteFacts } from "../facts.ts";
import type { PolicyName } from "../settings.ts";
import { after, type Instant, MINUTE_MS } from "../time.ts";
import { contextTokens, type TokenUsage } from "../usage.ts";

/** The cached prompt of a conversation on one account. */
interface Prefix {
  readonly accountId: AccountId;
  /** Tokens that a request there would read from the cache. */
  readonly tokens: number;
  readonly warmUntil: Instant;
}

export interface Binding {
  readonly conversation: ConversationId;
  readonly accountId: AccountId;
  readonly parent: ConversationId | null;
  readonly boundAt: Instant;
  readonly firstSeenAt: Instant;
  readonly lastUsedAt: Instant;
  /** Prompt tokens of the last answer; 0 while unknown. */
  readonly contextTokens: number;
  /** Estimated prompt tokens of the last request. */
  readonly estimatedTokens: number;
  /** Until when the cache is warm, as far as we know. */
  readonly warmUntil: Instant;
  /** Caches belong to a model; another family starts cold. */
  readonly family: ModelFamily | null;
  readonly requests: number;
  /**
   * The most that its last request may have cost, in nanodollars. It is null if
   * the model has no known price, and absent after a restart.
   */
  readonly costNanoMax?: number | null;
  /** The policy that routed its last request, if it was not the pool's own. */
  readonly policy: PolicyName | null;
  /** Caches left behind on other accounts, newest first. */
  readonly elsewhere: readonly Prefix[];
  /** Accounts it left because they were spent, oldest first. */
  readonly burned: readonly AccountId[];
}

/** A conversation counts as warm for this long after its request was sent. */
const PENDING_MS = MINUTE_MS;
const ELSEWHERE_MAX = 3;
const BURNED_MAX = 16;

/** Safety margin: caches expire by the provider's clock, not by ours. */
const TTL_MARGIN_MS = 1_000;

/**
 * Below this size a drop says nothing: an image may be gone, a tool result cut.
 */
const COMPACTED_FROM_TOKENS = 12_000;
const COMPACTED_SHARE = 0.5;

/** Returns the binding of a new conversation on its first account. */
export function bind(
  facts: RouteFacts & { readonly conversation: ConversationId },
  accountId: AccountId,
  at: Instant,
): Binding {
  return {
    conversation: facts.conversation,
    accountId,
    parent: facts.parent,
    boundAt: at,
    firstSeenAt: at,
    lastUsedAt: at,
    contextTokens: facts.contextTokens,
    estimatedTokens: facts.contextTokens,
    warmUntil: after(at, Math.min(PENDING_MS, facts.cacheTtlMs)),
    family: facts.families[0] ?? null,
    requests: 1,
    policy: facts.policy,
    ...mostOf(facts),
    elsewhere: [],
    burned: [],
  };
}

/** Returns what the request may cost at most; nothing for one without a price. */
function mostOf(
  { costNanoMax, isMetered }: RouteFacts,
): Pick<Binding, "costNanoMax"> {
  return isMetered && costNanoMax !== undefined ? { costNanoMax } : {};
}

/**
 * Returns the binding after another request of the conversation went to
 * `accountId`.
 */
export function touch(
  binding: Binding,
  facts: RouteFacts,
  { accountId, at, isBurned }: {
    readonly accountId: AccountId;
    readonly at: Instant;
    /** Whether the account that the conversation leaves is spent. */
    readonly isBurned: boolean;
  },
): Binding {
  const isCut = isCompacted(binding, facts) || isOtherFamily(binding, facts);
  const used: Binding = {
    ...binding,
    lastUsedAt: at,
    estimatedTokens: facts.contextTokens > 0
      ? facts.contextTokens
      : binding.estimatedTokens,
    requests: binding.requests + 1,
    policy: facts.policy,
    ...mostOf(facts),
    ...(isCut
      ? {
        contextTokens: facts.contextTokens,
        elsewhere: [],
        family: facts.families[0] ?? binding.family,
      }
      : {}),
  };
  return accountId === binding.accountId
    ? used
    : moved(used, { accountId, at, isBurned, ttlMs: facts.cacheTtlMs });
}

function moved(
  binding: Binding,
  { accountId, at, isBurned, ttlMs }: {
    readonly accountId: AccountId;
    readonly at: Instant;
    readonly isBurned: boolean;
    readonly ttlMs: number;
  },
): Binding {
  const left: Prefix = {
    accountId: binding.accountId,
    tokens: binding.contextTokens,
    warmUntil: binding.warmUntil,
  };
  const elsewhere = [left, ...binding.elsewhere]
    .filter((prefix) => prefix.accountId !== accountId && prefix.warmUntil > at)
    .slice(0, ELSEWHERE_MAX);
  const burned = isBurned && !binding.burned.includes(binding.accountId)
    ? [...binding.burned, binding.accountId].slice(-BURNED_MAX)
    : binding.burned;
  return {
    ...binding,
    accountId,
    boundAt: at,
    warmUntil: after(at, Math.min(PENDING_MS, ttlMs)),
    elsewhere,
    // A conversation returns to a burned account only if it found no other: the
    // account no longer counts as burned.
    burned: burned.includes(accountId) ? [] : burned,
  };
}

/** Returns the binding after its account began to answer at `at`. */
export function warmed(
  binding: Binding,
  facts: RouteFacts,
  at: Instant,
): Binding {
  return { ...binding, warmUntil: after(at, facts.cacheTtlMs) };
}

/** Returns the binding after an answer ended with `usage`. */
export function measured(binding: Binding, usage: TokenUsage): Binding {
  const tokens = contextTokens(usage);
  return tokens === 0 ? binding : { ...binding, contextTokens: tokens };
}

/**
 * Returns whether the history was just summarised, judged by its mark or its
 * size.
 */
export function isCompacted(binding: Binding, facts: RouteFacts): boolean {
  if (facts.isCompacted) return true;
  const { contextTokens: now } = facts;
  return now > 0 && binding.estimatedTokens >= COMPACTED_FROM_TOKENS &&
    now < COMPACTED_SHARE * binding.estimatedTokens;
}

function isOtherFamily(binding: Binding, facts: RouteFacts): boolean {
  const family = facts.families[0];
  return family !== undefined && binding.family !== null &&
    family !== binding.family;
}

/**
 * Returns the tokens of this request that `accountId` has in its cache for the
 * conversation; 0 when it is cold there.
 */
export function cachedTokens(
  binding: Binding,
  facts: RouteFacts,
  { accountId, at }: { readonly accountId: AccountId; readonly at: Instant },
): number {
  if (isCompacted(binding, facts) || isOtherFamily(binding, facts)) return 0;
  const isWarmAt = (until: Instant) => until - TTL_MARGIN_MS > at;
  if (binding.accountId === accountId) {
    return isWarmAt(binding.warmUntil) ? binding.contextTokens : 0;
  }
  const prefix = binding.elsewhere.find((p) => p.accountId === accountId);
  return prefix !== undefined && isWarmAt(prefix.warmUntil) ? prefix.tokens : 0;
}

/** Returns whether the conversation's own account still holds its cache. */
export function isWarm(
  binding: Binding,
  facts: RouteFacts,
  at: Instant,
): boolean {
  return !isCompacted(binding, facts) && !isOtherFamily(binding, facts) &&
    binding.warmUntil - TTL_MARGIN_MS > at;
}

/** Returns the name of the prefix that requests of one model and kind share. */
export function sharedKey(
  facts: Pick<RouteFacts, "families" | "parent">,
): string {
  const kind = facts.parent === null ? "main" : "agent";
  return `${facts.families[0] ?? ""}/${kind}`;
}

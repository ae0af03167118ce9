/**
 * What is known of a request before it is routed.
 *
 * @module
 */

import type {
  AccountId,
  ConversationId,
  ModelFamily,
  TicketId,
} from "./account.ts";
import type { PolicyName } from "./settings.ts";

/**
 * What routing and learning need to know of a request. No prompt text.
 * Everything but `families` may be unknown: other clients send little.
 */
export interface RouteFacts {
  readonly conversation: ConversationId | null;
  /** The conversation that started this one; null where it is no sub-agent's. */
  readonly parent: ConversationId | null;
  /** The conversation whose history this one shares as a copy, or null. */
  readonly kin: {
    readonly conversation: ConversationId;
    /** Estimated tokens of the shared history. */
    readonly tokens: number;
  } | null;
  /** Families whose limits the request counts against: its model's, its advisor's. */
  readonly families: readonly ModelFamily[];
  /** The model by its id, as the request wrote it; null when unknown. */
  readonly model: string | null;
  /** The values of `anthropic-beta`, comma-separated; empty without any. */
  readonly betas: string;
  /** The client's product, `claude-cli`; empty if it names none. */
  readonly client: string;
  /** The path without its query. */
  readonly path: string;
  /** Estimated prompt tokens; 0 when unknown. */
  readonly contextTokens: number;
  /** How long the cache that it asks for lives. */
  readonly cacheTtlMs: number;
  /** The history was just summarised: its old prefix is worth nothing now. */
  readonly isCompacted: boolean;
  /** A single short turn without tools: too small for a prompt cache. */
  readonly isSide: boolean;
  /** It spends quota: inference and batches of it. Look-ups and counts do not. */
  readonly isMetered: boolean;
  /** A person's prompt, not a tool result coming back. */
  readonly isPrompt: boolean;
  /** How its account is chosen, where it is not by the pool's setting. */
  readonly policy: PolicyName | null;
}

/** A request that looks for an account. */
export interface RouteQuery extends RouteFacts {
  /** Accounts that this request must not try again. */
  readonly excluded: ReadonlySet<AccountId>;
  /** The only account allowed (`tc run --account`, `tc api --account`), or null. */
  readonly only: AccountId | null;
  /** How long the request has waited already. */
  readonly waitedMs: number;
  /** Its place in the queue once it waits; null before. */
  readonly ticket: TicketId | null;
}

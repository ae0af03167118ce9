/**
 * What is known about a request before it is routed.
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
 * What routing and learning need to know about a request. It holds no prompt
 * text. Everything except `families` may be unknown, because other clients send
 * little.
 */
export interface RouteFacts {
  readonly conversation: ConversationId | null;
  /**
   * The conversation that started this one; null unless this is a sub-agent.
   */
  readonly parent: ConversationId | null;
  /** The conversation whose history this one copied, or null. */
  readonly kin: {
    readonly conversation: ConversationId;
    /** Estimated tokens of the shared history. */
    readonly tokens: number;
  } | null;
  /**
   * Families whose limits the request counts against: of its model and of its
   * advisor.
   */
  readonly families: readonly ModelFamily[];
  /** The model id as the request wrote it; null when unknown. */
  readonly model: string | null;
  /**
   * The values of `anthropic-beta`, comma-separated; empty if there are none.
   */
  readonly betas: string;
  /** The client's product, `claude-cli`; empty if it names none. */
  readonly client: string;
  /** The path without its query. */
  readonly path: string;
  /** Estimated prompt tokens; 0 when unknown. */
  readonly contextTokens: number;
  /** How long the cache that the request asks for lives. */
  readonly cacheTtlMs: number;
  /**
   * Whether the history was just summarised, which makes its old prefix
   * worthless.
   */
  readonly isCompacted: boolean;
  /**
   * Whether it is a single short turn without tools, too small for a prompt
   * cache.
   */
  readonly isSide: boolean;
  /**
   * Whether it spends quota. Inference and batches do; look-ups and counts do
   * not.
   */
  readonly isMetered: boolean;
  /**
   * The most that it may cost, in nanodollars: null if that is unknown; absent
   * counts as nothing.
   */
  readonly costNanoMax?: number | null;
  /** Whether it carries a person's prompt, and not a tool result. */
  readonly isPrompt: boolean;
  /** The policy that its launch asked for; null means the pool's own. */
  readonly policy: PolicyName | null;
  /**
   * The path or name of the repository in which its session works; null or
   * absent where that is not known.
   */
  readonly project?: string | null;
}

/** A request that looks for an account. */
export interface RouteQuery extends RouteFacts {
  /** Accounts that this request must not try again. */
  readonly excluded: ReadonlySet<AccountId>;
  /** The only account allowed (`tc run --account`, `tc api --account`), or null. */
  readonly only: AccountId | null;
  /** How long the request has waited already. */
  readonly waitedMs: number;
  /** Its place in the queue once it waits; null before that. */
  readonly ticket: TicketId | null;
}

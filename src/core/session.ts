/**
 * Session bindings: the conversation's account, kept for its prompt cache.
 *
 * @module
 */

import type { AccountId, ConversationId } from "./account.ts";
import type { Instant } from "./time.ts";

export interface Binding {
  readonly conversation: ConversationId;
  readonly accountId: AccountId;
  readonly boundAt: Instant;
  readonly lastUsedAt: Instant;
  /** Prompt tokens of its last answer; 0 while unknown. */
  readonly contextTokens: number;
  /** The cache is warm until then, as far as we know. */
  readonly warmUntil: Instant;
  readonly requests: number;
}

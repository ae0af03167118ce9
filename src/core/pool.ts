/**
 * The pool as the fold of its events: `reduce(state, event)`. Everything that
 * routing, `tc status` and the Deck know comes from here, and the whole can be
 * driven from outside with any clock: no function here reads one.
 *
 * @module
 */

import type {
  Account,
  AccountId,
  ConversationId,
  LeaseId,
  ModelFamily,
} from "./account.ts";
import type { Bench } from "./bench.ts";
import type { LearnedCapacity } from "./capacity.ts";
import type { ConcurrencyGate } from "./lease.ts";
import type { RouteSettings } from "./policy/policy.ts";
import type { QuotaObservation, QuotaWindows } from "./quota.ts";
import type { Binding } from "./session.ts";
import type { Instant } from "./time.ts";
import type { TokenUsage } from "./usage.ts";
import type { CapacityVerdict, CredentialFault } from "./verdict.ts";

/** Whether an account's credential serves; set by the auth room, not by guesses. */
export type CredentialState =
  | { readonly kind: "ready" }
  /** The refresh token is dead: only a person can mend it. */
  | {
    readonly kind: "needs_login";
    readonly since: Instant;
    readonly reason: string;
  }
  /** Refused for a reason that may pass; tried again after `until`. */
  | {
    readonly kind: "quarantined";
    readonly fault: CredentialFault;
    readonly until: Instant;
  };

export interface AccountState {
  readonly account: Account;
  readonly credential: CredentialState;
  readonly windows: QuotaWindows;
  /** Account-wide bench. */
  readonly bench: Bench;
  /** Benches of single model families: a spent Opus week bars Opus alone. */
  readonly familyBenches: ReadonlyMap<ModelFamily, Bench>;
  /** Requests in flight. */
  readonly leases: number;
  /** Learned limits on concurrency and starts per minute. */
  readonly gate: ConcurrencyGate;
  readonly learned: LearnedCapacity;
  readonly lastUsedAt: Instant | null;
}

export interface OpenLease {
  readonly id: LeaseId;
  readonly accountId: AccountId;
  readonly conversation: ConversationId | null;
  readonly openedAt: Instant;
}

export interface PoolState {
  readonly settings: RouteSettings;
  readonly accounts: ReadonlyMap<AccountId, AccountState>;
  readonly bindings: ReadonlyMap<ConversationId, Binding>;
  readonly leases: ReadonlyMap<LeaseId, OpenLease>;
  /** Manual primary: new and returning work goes there while it can serve. */
  readonly pin: AccountId | null;
}

/** The whole pool at one instant. Routing reads this and nothing else. */
export interface PoolSnapshot extends PoolState {
  readonly at: Instant;
}

export type PoolEvent =
  /** Adds the account, or replaces its description and keeps what is known of it. */
  | {
    readonly kind: "account_put";
    readonly account: Account;
    readonly at: Instant;
  }
  | { readonly kind: "account_removed"; readonly accountId: AccountId }
  | {
    readonly kind: "credential_changed";
    readonly accountId: AccountId;
    readonly credential: CredentialState;
  }
  | { readonly kind: "quota_observed"; readonly observation: QuotaObservation }
  | {
    readonly kind: "lease_opened";
    readonly leaseId: LeaseId;
    readonly accountId: AccountId;
    readonly query: RouteFacts;
    readonly at: Instant;
  }
  /** One answer judged; the lease stays open until its body has ended. */
  | {
    readonly kind: "verdict_given";
    readonly leaseId: LeaseId;
    readonly verdict: CapacityVerdict;
    readonly at: Instant;
  }
  | {
    readonly kind: "lease_closed";
    readonly leaseId: LeaseId;
    /** Null when nothing was read, as after a reroute. */
    readonly usage: TokenUsage | null;
    readonly at: Instant;
  }
  | { readonly kind: "pinned"; readonly accountId: AccountId | null }
  | { readonly kind: "settings_changed"; readonly settings: RouteSettings };

/**
 * What routing and learning need to know of a request. No prompt text.
 * Everything but `families` may be unknown: other clients send little.
 */
export interface RouteFacts {
  readonly conversation: ConversationId | null;
  /** Where a sub-agent's conversation starts: at its parent's account. */
  readonly parent: ConversationId | null;
  /** Families whose limits the request counts against: its model's, its advisor's. */
  readonly families: readonly ModelFamily[];
  /** Estimated prompt tokens; 0 when unknown. */
  readonly contextTokens: number;
  /** How long the cache that it asks for lives. */
  readonly cacheTtlMs: number;
  /** The history was just summarised: its old prefix is worth nothing now. */
  readonly isCompacted: boolean;
  /** Title, quota or other side request without tools: small. */
  readonly isSide: boolean;
  /** A person's prompt, not a tool result coming back. */
  readonly isPrompt: boolean;
}

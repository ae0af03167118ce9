/**
 * The pool as data: what is known of accounts, conversations and requests.
 *
 * @module
 */

import type {
  Account,
  AccountId,
  ConversationId,
  LeaseId,
  ModelFamily,
  TicketId,
} from "../account.ts";
import type { Bench } from "../quota/bench.ts";
import type { Refusals } from "../quota/entitlement.ts";
import type { LearnedCapacity } from "../quota/learn.ts";
import type { RouteFacts } from "../facts.ts";
import type { ConcurrencyGate } from "./lease.ts";
import type { OwnedIds } from "./owned_ids.ts";
import type { Overage, QuotaWindows } from "../quota/quota.ts";
import type { Binding } from "./session.ts";
import type { RouteSettings } from "../settings.ts";
import type { Table } from "./table.ts";
import type { Instant } from "../time.ts";
import type { CredentialFault } from "../quota/verdict.ts";

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
    /** Why, as a clause; null where the provider refused it. */
    readonly reason: string | null;
    readonly until: Instant;
  };

/** Quota tokens booked in the five minutes from `at` on. */
export interface BurnBucket {
  readonly at: Instant;
  readonly tokens: number;
}

export interface AccountState {
  readonly account: Account;
  readonly credential: CredentialState;
  readonly windows: QuotaWindows;
  /** What was last said of paid extra usage; null while nothing was. */
  readonly overage: Overage | null;
  /** Account-wide bench. */
  readonly bench: Bench;
  /** Benches of single model families: a spent Opus week bars Opus alone. */
  readonly familyBenches: ReadonlyMap<ModelFamily, Bench>;
  /** What it was refused although its login works and its quota is there. */
  readonly refusals: Refusals;
  /** Requests in flight. */
  readonly leases: number;
  /** The request that tries whether a throttle is over; null while none does. */
  readonly trial: LeaseId | null;
  /** Learned limits on concurrency and starts per minute. */
  readonly gate: ConcurrencyGate;
  readonly learned: LearnedCapacity;
  /** The last five hours, oldest first. */
  readonly burn: readonly BurnBucket[];
  /** Until when the prefix that conversations of a kind share is warm. */
  readonly sharedUntil: Readonly<Record<string, Instant>>;
  readonly lastUsedAt: Instant | null;
  /** When it was last tried although it was closed. */
  readonly lastProbedAt: Instant | null;
  /**
   * What was observed before this came from an earlier run. It ranks the
   * account and never bars it by itself.
   */
  readonly restoredAt: Instant | null;
}

export interface OpenLease {
  readonly id: LeaseId;
  readonly accountId: AccountId;
  readonly facts: RouteFacts;
  readonly openedAt: Instant;
  /** Its account was closed: it tries whether that still holds. */
  readonly isProbe: boolean;
}

/** Why nothing is used now though something may be later. */
export type WaitReason =
  /** The session's own account is back soon; moving would cost its cache. */
  | "warm_account"
  /** Every account that may serve has as many requests as it takes. */
  | "full"
  /** Every account is spent or benched. */
  | "closed"
  /** Too many conversations for the quota: this one is parked. */
  | "parked";

export interface Waiting {
  readonly ticket: TicketId;
  /** Its place: lower came first. */
  readonly order: number;
  readonly since: Instant;
  readonly facts: RouteFacts;
  readonly only: AccountId | null;
  readonly reason: WaitReason;
  /** Since when it waits for this reason. */
  readonly reasonSince: Instant;
}

/** How fast the pool is used; prices look ahead with it. */
export interface Flow {
  /** Quota tokens per hour that one active conversation uses. */
  readonly tokensPerHour: number;
  /** How long a conversation lasts. */
  readonly lifeMs: number;
  /** Quota tokens booked since `measuredAt`. */
  readonly tokensSince: number;
  readonly measuredAt: Instant | null;
}

/**
 * Repeated sends that may still be made: each is booked on both accounts, and
 * the fuller one decides.
 */
export interface RetryBudget {
  /** What time gives, up to a second's worth. */
  readonly tokens: number;
  /** What requests give: a share of each. */
  readonly shares: number;
  readonly at: Instant | null;
}

export interface PoolState {
  readonly settings: RouteSettings;
  readonly accounts: ReadonlyMap<AccountId, AccountState>;
  readonly bindings: Table<ConversationId, Binding>;
  readonly leases: Table<LeaseId, OpenLease>;
  readonly waiting: Table<TicketId, Waiting>;
  /** Since when conversations are parked that came for no request since. */
  readonly parked: Table<ConversationId, Instant>;
  /** Ids that live under one account. */
  readonly owned: OwnedIds;
  /** Next place in the queue. */
  readonly waitingOrder: number;
  /** Manual primary: new and returning work goes there while it can serve. */
  readonly pin: AccountId | null;
  /** Where the last free choice fell. */
  readonly primary: AccountId | null;
  readonly flow: Flow;
  readonly retries: RetryBudget;
  /** When a closed account was last tried, whichever it was. */
  readonly lastProbedAt: Instant | null;
  /** Such trials that were refused since the pool last served. */
  readonly probesRefused: number;
  /** Hours since the epoch in which a person prompted, ascending, two weeks. */
  readonly activeHours: readonly number[];
  readonly lastPromptAt: Instant | null;
  /** When forgotten conversations were last cleared out. */
  readonly sweptAt: Instant | null;
}

/** The whole pool at one instant. Routing reads this and nothing else. */
export interface PoolSnapshot extends PoolState {
  readonly at: Instant;
}

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
import type { ConcurrencyGate, Load } from "./lease.ts";
import type { OwnedIds } from "./owned_ids.ts";
import type { Overage, QuotaWindows } from "../quota/quota.ts";
import type { PaidBook } from "../quota/spending.ts";
import type { ProjectRoute } from "../route/project_route.ts";
import type { Binding } from "./session.ts";
import type { RouteSettings } from "../settings.ts";
import type { Table } from "./table.ts";
import type { Instant } from "../time.ts";
import type { CredentialFault } from "../quota/verdict.ts";

/**
 * Whether an account's credential works. The auth room sets it; nothing guesses
 * it.
 */
export type CredentialState =
  | { readonly kind: "ready" }
  /** The refresh token is dead: only a new sign-in helps. */
  | {
    readonly kind: "needs_login";
    readonly since: Instant;
    readonly reason: string;
  }
  /** Refused for a reason that may be temporary; tried again after `until`. */
  | {
    readonly kind: "quarantined";
    readonly fault: CredentialFault;
    /** The reason as a clause; null if the provider refused the credential. */
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
  /** The last statement about paid extra usage; null while there was none. */
  readonly overage: Overage | null;
  /** Bench of the whole account. */
  readonly bench: Bench;
  /** Benches of single model families: a spent Opus week bars Opus alone. */
  readonly familyBenches: ReadonlyMap<ModelFamily, Bench>;
  /**
   * Requests that the account may not make although its login works and it has
   * quota.
   */
  readonly refusals: Refusals;
  /** Requests in flight, sent by this server. */
  readonly leases: number;
  /** Requests in flight that other machines of the pool have sent. */
  readonly elsewhere: number;
  /** This machine's part of the free places; null where no other asks for them. */
  readonly part: Part | null;
  /**
   * The request that tries whether a throttle has ended; null while none does.
   */
  readonly trial: LeaseId | null;
  /** Learned limits on concurrency and on starts per minute. */
  readonly gate: ConcurrencyGate;
  readonly learned: LearnedCapacity;
  /** Tokens of the last five hours, oldest first. */
  readonly burn: readonly BurnBucket[];
  /** Quota tokens that this server has booked since it started. */
  readonly booked: number;
  /** Until when the prefix that conversations of one kind share is warm. */
  readonly sharedUntil: Readonly<Record<string, Instant>>;
  readonly lastUsedAt: Instant | null;
  /** When it was last tried although it was closed. */
  readonly lastProbedAt: Instant | null;
  /**
   * Observations before this instant come from an earlier run. They rank the
   * account and never bar it by themselves.
   */
  readonly restoredAt: Instant | null;
}

export interface OpenLease {
  readonly id: LeaseId;
  readonly accountId: AccountId;
  readonly facts: RouteFacts;
  readonly openedAt: Instant;
  /** What its account had to do when it started. */
  readonly load: Load;
  /**
   * Whether it is a sub-agent's first request, on an account that should have
   * cached the prompt that they share.
   */
  readonly readsShared: boolean;
  /**
   * Whether its account was closed: the request tries whether that still holds.
   */
  readonly isProbe: boolean;
  /** What it may cost at most, in nanodollars, if it is paid for; else 0. */
  readonly reservedNano: number;
}

/** Why nothing is used now although something may be used later. */
export type WaitReason =
  /**
   * The session's own account is back soon, and a move would cost its cache.
   */
  | "warm_account"
  /**
   * Another sub-agent is just writing the prompt that both share, and it can be
   * read once its answer has begun.
   */
  | "shared_prompt"
  /** Every eligible account already has as many requests as it takes. */
  | "full"
  /** Every account is spent or benched. */
  | "closed"
  /** The quota cannot feed every conversation: this one is parked. */
  | "parked";

export interface Waiting {
  readonly ticket: TicketId;
  /** Its place in the queue; lower came first. */
  readonly order: number;
  readonly since: Instant;
  readonly facts: RouteFacts;
  readonly only: AccountId | null;
  readonly reason: WaitReason;
  /** Since when it has waited for this reason. */
  readonly reasonSince: Instant;
}

/** A conversation that waits so that the others keep their caches. */
export interface Parked {
  /** Since when it has been parked, whether its client stayed or left. */
  readonly since: Instant;
  /** When its client was told to come again. */
  readonly turnAt: Instant;
}

/** How fast the pool is used. Prices look ahead with it. */
export interface Flow {
  /** Quota tokens per hour that one active conversation uses. */
  readonly tokensPerHour: number;
  /** How long a conversation lasts. */
  readonly lifeMs: number;
  /** Quota tokens booked since `measuredAt`. */
  readonly tokensSince: number;
  readonly measuredAt: Instant | null;
  /**
   * Sub-agents in a row that read nothing from a cache that should have held the
   * prompt that they share.
   */
  readonly sharedMisses: number;
}

/**
 * How many repeated sends are still allowed. Each send is booked on both
 * accounts, and the fuller account decides.
 */
export interface RetryBudget {
  /** Allowance earned by time, at most one second's worth. */
  readonly tokens: number;
  /** Allowance earned by requests: a share of each. */
  readonly shares: number;
  readonly at: Instant | null;
}

/**
 * Which of an account's free places are this machine's. The machines hear of
 * each other's requests seconds late: if each took every place that it believes
 * to be free, all of them would take the same one.
 */
export interface Part {
  /** The requests in flight of which this machine has told the others. */
  readonly told: number;
  /** Machines that have work there, this one included. */
  readonly machines: number;
  /** How many of them come before this one. */
  readonly place: number;
}

/** Conversations on one account. */
export interface Headcount {
  /** Conversations seen within the last ten minutes. */
  readonly active: number;
  /** Conversations used recently enough that their cache counts as warm. */
  readonly warm: number;
}

/** The conversations of other machines of the pool. */
interface Elsewhere {
  readonly accounts: ReadonlyMap<AccountId, Headcount>;
  /** Conversations that wait and are not active. */
  readonly stalled: number;
}

export const NOBODY_ELSEWHERE: Elsewhere = { accounts: new Map(), stalled: 0 };

export interface PoolState {
  readonly settings: RouteSettings;
  /** The user's rules by project; the first that fits decides. */
  readonly routes: readonly ProjectRoute[];
  readonly accounts: ReadonlyMap<AccountId, AccountState>;
  readonly bindings: Table<ConversationId, Binding>;
  readonly leases: Table<LeaseId, OpenLease>;
  readonly waiting: Table<TicketId, Waiting>;
  /** Conversations that were parked, until their next request is sent. */
  readonly parked: Table<ConversationId, Parked>;
  /** The money that was paid and is reserved. */
  readonly paid: PaidBook;
  /** Ids that belong to one account. */
  readonly owned: OwnedIds;
  /** Next place in the queue. */
  readonly waitingOrder: number;
  /** Manual primary: new and returning work goes there while it can serve. */
  readonly pin: AccountId | null;
  /** The account of the last free choice. */
  readonly primary: AccountId | null;
  readonly elsewhere: Elsewhere;
  readonly flow: Flow;
  readonly retries: RetryBudget;
  /** When any closed account was last tried. */
  readonly lastProbedAt: Instant | null;
  /** Such trials that were refused since the pool last served. */
  readonly probesRefused: number;
  /** Hours since the epoch in which a person prompted, ascending, two weeks. */
  readonly activeHours: readonly number[];
  readonly lastPromptAt: Instant | null;
  /** When forgotten conversations were last removed. */
  readonly sweptAt: Instant | null;
}

/** The whole pool at one instant. Routing reads this and nothing else. */
export interface PoolSnapshot extends PoolState {
  readonly at: Instant;
}

/**
 * Every event that can change the pool. The pool is the fold of these events.
 *
 * @module
 */

import type {
  Account,
  AccountId,
  ConversationId,
  LeaseId,
  SpendLimit,
  TicketId,
} from "../account.ts";
import type { RouteFacts } from "../facts.ts";
import type { RouteSettings } from "../settings.ts";
import type { QuotaObservation } from "../quota/quota.ts";
import type { PaidSums, PeriodEnds } from "../quota/spending.ts";
import type { ProjectRoute } from "../route/project_route.ts";
import type { CredentialState, Headcount, Part, WaitReason } from "./state.ts";
import type { Instant } from "../time.ts";
import type { TokenUsage } from "../usage.ts";
import type { CapacityVerdict } from "../quota/verdict.ts";

export type PoolEvent =
  /** Adds the account, or replaces its description and keeps what is known of it. */
  | {
    readonly kind: "account_put";
    readonly account: Account;
    readonly at: Instant;
  }
  | { readonly kind: "account_removed"; readonly accountId: AccountId }
  /** A person has put the accounts in another order. */
  | {
    readonly kind: "accounts_ordered";
    readonly order: readonly AccountId[];
  }
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
  /**
   * One answer was judged. The lease stays open until the body of the answer
   * ends.
   */
  | {
    readonly kind: "verdict_given";
    readonly leaseId: LeaseId;
    readonly verdict: CapacityVerdict;
    readonly at: Instant;
  }
  | {
    readonly kind: "lease_closed";
    readonly leaseId: LeaseId;
    /** Null when no usage was read, for example after the request moved on. */
    readonly usage: TokenUsage | null;
    /** What was paid for it; absent or null if it was not paid for. */
    readonly paid?: Payment | null;
    readonly at: Instant;
  }
  /** The ledger says what was paid, by this server and by others. */
  | {
    readonly kind: "paid_recalled";
    readonly sums: ReadonlyMap<AccountId, PaidSums>;
    readonly ends: PeriodEnds;
  }
  /** The user set or lifted the limit in dollars of the whole pool. */
  | { readonly kind: "paid_max_changed"; readonly max: SpendLimit | null }
  /**
   * A request waits, or now waits for another reason. It keeps the place in the
   * queue that its first such event gave it. Sent after each decision to wait.
   */
  | {
    readonly kind: "waiting_changed";
    readonly ticket: TicketId;
    readonly query: RouteFacts;
    /** The only account that the request may use, or null. */
    readonly only: AccountId | null;
    readonly reason: WaitReason;
    readonly at: Instant;
  }
  /**
   * The quota does not feed the conversation now. Its client may leave and come
   * back at its turn.
   */
  | {
    readonly kind: "parked";
    readonly conversation: ConversationId;
    readonly turnAt: Instant;
    readonly at: Instant;
  }
  /** The request no longer waits: it was sent, gave up, or its client left. */
  | {
    readonly kind: "waiting_ended";
    readonly ticket: TicketId;
    readonly at: Instant;
  }
  /**
   * The same request is sent again because the provider failed, was overloaded
   * or could not be reached. The retry budget pays for it.
   */
  | { readonly kind: "retry_sent"; readonly at: Instant }
  | { readonly kind: "pinned"; readonly accountId: AccountId | null }
  /** What other machines of the pool do, as of their last word. */
  | {
    readonly kind: "counted_elsewhere";
    readonly accounts: ReadonlyMap<AccountId, ElsewhereCount>;
    /** Conversations that wait and are not active. */
    readonly stalled: number;
    readonly at: Instant;
  }
  /** The provider refused a request of another machine of the pool. */
  | {
    readonly kind: "refused_elsewhere";
    readonly accountId: AccountId;
    readonly verdict: SharedRefusal;
    readonly at: Instant;
  }
  /** An id was seen at an account, or was looked for and found at none. */
  | {
    readonly kind: "id_seen";
    readonly id: string;
    readonly accountId: AccountId | null;
    readonly at: Instant;
  }
  | { readonly kind: "settings_changed"; readonly settings: RouteSettings }
  /** The user changed the rules by project. */
  | {
    readonly kind: "routes_changed";
    readonly routes: readonly ProjectRoute[];
  }
  /** The clock of this machine was set back by `byMs`. */
  | { readonly kind: "clock_set_back"; readonly byMs: number };

/** What other machines do with one account. */
export interface ElsewhereCount extends Headcount {
  /** Requests in flight. */
  readonly inFlight: number;
  /** Quota tokens booked since the last such event. */
  readonly tokens: number;
  /** This machine's part of the free places; null if the others ask for none. */
  readonly part: Part | null;
}

/** A refusal that bars an account for every machine. */
export type SharedRefusal = Extract<
  CapacityVerdict,
  { readonly kind: "exhausted" | "throttled" }
>;

/** Money that was paid, and when the periods that it counts in end. */
export interface Payment {
  readonly nano: number;
  readonly ends: PeriodEnds;
}

/** Returns whether waiting requests should look again after `event`. */
export function wakesWaiters(event: PoolEvent): boolean {
  switch (event.kind) {
    case "waiting_changed":
    case "parked":
    case "lease_opened":
    case "retry_sent":
    case "id_seen":
    case "paid_recalled":
    case "refused_elsewhere":
    case "accounts_ordered":
      return false;
    case "counted_elsewhere":
    case "account_put":
    case "account_removed":
    case "credential_changed":
    case "quota_observed":
    case "verdict_given":
    case "lease_closed":
    case "waiting_ended":
    case "pinned":
    case "settings_changed":
    case "routes_changed":
    case "paid_max_changed":
    case "clock_set_back":
      return true;
  }
}

/**
 * `route()`: a snapshot and a query in, a decision with its reasons out.
 *
 * @module
 */

import type { AccountId } from "./account.ts";
import type { Ineligible } from "./eligible.ts";
import type { RouteFacts } from "./pool.ts";
import type { Instant } from "./time.ts";

export interface RouteQuery extends RouteFacts {
  /** Accounts that this request must not try again. */
  readonly excluded: ReadonlySet<AccountId>;
  /** The only account allowed (`tc run --account`, `tc api --account`), or null. */
  readonly only: AccountId | null;
  /** How long the request has waited already. */
  readonly waitedMs: number;
}

/** Why this account. The words of `tc explain`, the log and the Deck. */
export type UseReason =
  | "bound"
  | "pinned"
  | "only"
  | "new"
  | "moved"
  | "opens_window"
  | "probe";

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

export type RefuseReason =
  | "no_account"
  /** None is left that could ever serve: disabled, excluded, needs login. */
  | "none_usable";

/** One account as the decision saw it; every policy and explanation shares it. */
export interface Considered {
  readonly accountId: AccountId;
  /** Null when it may serve. */
  readonly ineligible: Ineligible | null;
  /** When the reason against it ends, where it has an end. */
  readonly until: Instant | null;
  /** The policy's cost, lower is better; null where it was not scored. */
  readonly cost: number | null;
  /** The parts of the cost by name, for `tc explain`. */
  readonly terms: Readonly<Record<string, number>>;
}

export type RouteDecision =
  | {
    readonly kind: "use";
    readonly accountId: AccountId;
    readonly reason: UseReason;
    /** The account that the conversation leaves by this, or null. */
    readonly movedFrom: AccountId | null;
    readonly considered: readonly Considered[];
  }
  /** Nothing now. A null `until` means: until something changes. */
  | {
    readonly kind: "wait";
    readonly until: Instant | null;
    readonly reason: WaitReason;
    readonly considered: readonly Considered[];
  }
  | {
    readonly kind: "refuse";
    readonly reason: RefuseReason;
    readonly considered: readonly Considered[];
  };

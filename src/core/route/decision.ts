/**
 * The question that routing answers, and its answer with all its reasons.
 *
 * @module
 */

import type { AccountId } from "../account.ts";
import type { Ineligible } from "./eligible.ts";
import type { WaitReason } from "../pool/state.ts";
import type { Instant } from "../time.ts";
import type { View } from "./scene.ts";

export type { RouteQuery } from "../facts.ts";

/**
 * Why this account was chosen, in the words of `tc explain`, the log and the
 * Deck.
 */
export type UseReason =
  | "bound"
  | "pinned"
  | "only"
  | "new"
  /**
   * A sub-agent starts beside its parent. The `price` policy prices it as
   * "new".
   */
  | "parent"
  | "moved"
  | "opens_window"
  /** No subscription can serve soon, so a paid account serves. */
  | "last_resort"
  /**
   * Every account is closed: one real request tries whether that still holds.
   */
  | "probe";

type RefuseReason =
  | "no_account"
  /**
   * No account could ever serve: each is disabled, excluded, or needs a login.
   */
  | "none_usable";

/**
 * One account as the decision saw it. Every policy and explanation shares it.
 */
export interface Considered {
  readonly accountId: AccountId;
  /** Null if it may serve. */
  readonly ineligible: Ineligible | null;
  /** When the reason against it ends; null if time alone does not end it. */
  readonly until: Instant | null;
  /** The policy's cost, lower is better; null if it was not scored. */
  readonly cost: number | null;
  /** The parts of the cost by name, for `tc explain`. */
  readonly terms: Readonly<Record<string, number>>;
}

export type RouteDecision =
  | {
    readonly kind: "use";
    readonly accountId: AccountId;
    readonly reason: UseReason;
    /** The account that the conversation leaves by this decision, or null. */
    readonly movedFrom: AccountId | null;
    readonly considered: readonly Considered[];
  }
  /** No account serves now. */
  | {
    readonly kind: "wait";
    /** When to look again; null means when something changes. */
    readonly until: Instant | null;
    /**
     * When an account serves again by the provider's own figures, or when the
     * turn of a parked conversation comes; null if nobody knows. A trial may
     * find out earlier, so `until` may be before it.
     */
    readonly backAt: Instant | null;
    readonly reason: WaitReason;
    readonly considered: readonly Considered[];
  }
  | {
    readonly kind: "refuse";
    readonly reason: RefuseReason;
    readonly considered: readonly Considered[];
  };

// A decision before its reasons are worked out.

export type Outcome =
  | { readonly kind: "use"; readonly view: View; readonly reason: UseReason }
  | {
    readonly kind: "wait";
    readonly until: Instant | null;
    readonly backAt: Instant | null;
    readonly reason: WaitReason;
  }
  | { readonly kind: "refuse"; readonly reason: RefuseReason };

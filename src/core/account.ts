/**
 * What the core knows about an account. Credentials stay in the vault and never
 * enter an event, a log or an answer.
 *
 * @module
 */

import type { CalendarUnit } from "./calendar.ts";
import { DAY_MS, type Instant } from "./time.ts";

declare const idBrand: unique symbol;
type Branded<Name extends string> = string & { readonly [idBrand]: Name };

/** Stable for the life of an account; never a position in a list. */
export type AccountId = Branded<"AccountId">;

const ACCOUNT_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/**
 * Returns `text` as an account id, or null if it cannot be one. Ids name files,
 * so they are lower case, short, and free of dots and slashes.
 */
export function accountId(text: string): AccountId | null {
  return ACCOUNT_ID.test(text) ? text as AccountId : null;
}

/** One Claude Code session: the value of `x-claude-code-session-id`. */
export type SessionId = Branded<"SessionId">;

/**
 * Whatever has a prompt cache and therefore a binding of its own: a session,
 * one of its sub-agents, or a digest if the client names neither.
 */
export type ConversationId = Branded<"ConversationId">;

/** One request in progress on one account. */
export type LeaseId = Branded<"LeaseId">;

/** One client request while it waits for an account. */
export type TicketId = Branded<"TicketId">;

/** `opus`, `sonnet`, `haiku`, `fable`; else the model id as it stands. */
export type ModelFamily = string;

export type AccountKind =
  /** OAuth login with refresh token; has 5h and 7d windows. */
  | "subscription"
  /** `claude setup-token`: about a year, no refresh, no profile. */
  | "setup_token"
  /** Pays per token; has request and token windows. */
  | "api_key"
  /** Third-party Anthropic-compatible backend, opt-in, always last. */
  | "backend";

export const TIERS = ["pro", "max_5x", "max_20x", "team", "unknown"] as const;

/** Plan size as far as the profile tells; `unknown` is treated as `max_5x`. */
export type Tier = typeof TIERS[number];

/** The most to pay in each day, week or month of the calendar. */
export interface SpendLimit {
  readonly dollars: number;
  readonly per: CalendarUnit;
}

export interface Account {
  readonly id: AccountId;
  /** The name a person gave it; unique in the pool, shown everywhere. */
  readonly label: string;
  readonly kind: AccountKind;
  readonly tier: Tier;
  /** Lower goes first; compared before any policy's score. */
  readonly priority: number;
  readonly enabled: boolean;
  /** The user's limit on requests in flight; null means no limit. */
  readonly leasesMax: number | null;
  /**
   * The user's own limit on the utilization of any window, 0 to 1: beyond it
   * the account gets no new work although the provider would still serve. Null
   * means no limit.
   */
  readonly utilizationMax: number | null;
  /** The user's limit on what it may cost; absent or null means no limit. */
  readonly costMax?: SpendLimit | null;
  /**
   * When the sign-in ends, however often its token was renewed: only a person
   * can make a new one. Null if unknown, and for keys.
   */
  readonly signInEndsAt: Instant | null;
}

const TIER_WEIGHT: Readonly<Record<Tier, number>> = {
  pro: 1,
  max_5x: 5,
  max_20x: 20,
  team: 5,
  unknown: 5,
};

/**
 * Returns how large an account is compared with a Pro one, until its own
 * answers tell.
 */
export function tierWeight(tier: Tier): number {
  return TIER_WEIGHT[tier];
}

const FAMILY = /fable|mythos|opus|sonnet|haiku/;

/**
 * Returns the family whose limits a model counts against. The names come from
 * the weekly limits of the usage endpoint; `mythos` shares the bucket of
 * `fable`.
 */
export function modelFamily(model: string): ModelFamily {
  const family = FAMILY.exec(model.toLowerCase())?.[0];
  if (family === undefined) return model;
  return family === "mythos" ? "fable" : family;
}

/** How long before its end a sign-in is warned about. */
const WARN_MS = 3 * DAY_MS;
/** How long before its end `tc login --due` renews a sign-in. */
const DUE_MS = 7 * DAY_MS;

/** Whether and when the sign-in of an account ends. */
type SignIn =
  /** No end is known, or it is far off. */
  | { readonly kind: "lasts" }
  | { readonly kind: "due" | "ends_soon" | "ended"; readonly at: Instant };

/**
 * Returns the state of the sign-in of `account` at `at`. A login is renewed by
 * itself until 30 days after it was made; then only a person can make a new
 * one.
 */
export function signInOf(
  { signInEndsAt }: Pick<Account, "signInEndsAt">,
  at: Instant,
): SignIn {
  if (signInEndsAt === null) return { kind: "lasts" };
  const leftMs = signInEndsAt - at;
  if (leftMs <= 0) return { kind: "ended", at: signInEndsAt };
  if (leftMs <= WARN_MS) return { kind: "ends_soon", at: signInEndsAt };
  return leftMs <= DUE_MS
    ? { kind: "due", at: signInEndsAt }
    : { kind: "lasts" };
}

/** Returns a limit as `$20`, or `$0.10` where it has cents. */
export function dollarsText(dollars: number): string {
  return `$${Number.isInteger(dollars) ? dollars : dollars.toFixed(2)}`;
}

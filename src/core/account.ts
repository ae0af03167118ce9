/**
 * What the core knows of an account. Credentials are not here: they live in
 * the vault and never enter an event, a log or an answer.
 *
 * @module
 */

import { DAY_MS, type Instant } from "./time.ts";

declare const idBrand: unique symbol;
type Branded<Name extends string> = string & { readonly [idBrand]: Name };

/** Stable for the life of an account, never a position in a list. */
export type AccountId = Branded<"AccountId">;

const ACCOUNT_ID = /^[a-z0-9][a-z0-9_-]{0,63}$/;

/**
 * `text` as an account id, or null. Ids name files, so they are lower case,
 * short and free of dots and slashes.
 */
export function accountId(text: string): AccountId | null {
  return ACCOUNT_ID.test(text) ? text as AccountId : null;
}

/** One Claude Code session: the value of `x-claude-code-session-id`. */
export type SessionId = Branded<"SessionId">;

/**
 * What has a prompt cache of its own and so a binding of its own: a session,
 * one sub-agent of it, or a digest where the client names neither.
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

/** Plan size as far as the profile tells; `unknown` is treated as `max_5x`. */
export type Tier = "pro" | "max_5x" | "max_20x" | "team" | "unknown";

export interface Account {
  readonly id: AccountId;
  /** The name a person gave it; unique in the pool, shown everywhere. */
  readonly label: string;
  readonly kind: AccountKind;
  readonly tier: Tier;
  /** Lower goes first; compared before any policy's score. */
  readonly priority: number;
  readonly enabled: boolean;
  /** Requests in flight at most, as the user set it; null is no limit. */
  readonly leasesMax: number | null;
  /**
   * The user's own limit on any window, from 0 to 1: no new work past it
   * although the provider would still serve. Null is no limit.
   */
  readonly utilizationMax: number | null;
  /**
   * When the sign-in ends, whatever is renewed: only a person makes a new one.
   * Null where that is not known, and for keys.
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

/** How large an account is against a Pro one, until its own answers tell. */
export function tierWeight(tier: Tier): number {
  return TIER_WEIGHT[tier];
}

const FAMILY = /fable|mythos|opus|sonnet|haiku/;

/**
 * The family whose limits a model counts against. The names come from the
 * weekly limits of the usage endpoint; `mythos` shares the bucket of `fable`.
 */
export function modelFamily(model: string): ModelFamily {
  const family = FAMILY.exec(model.toLowerCase())?.[0];
  if (family === undefined) return model;
  return family === "mythos" ? "fable" : family;
}

// When sign-ins end. A login is renewed by itself until then, and never after:
// 30 days after it was made only a person can make a new one.

/** From so long before its end on a person is told. */
const WARN_MS = 3 * DAY_MS;
/** What `tc login --due` renews in one sitting. */
const DUE_MS = 7 * DAY_MS;

/** How the sign-in of an account stands. */
type SignIn =
  /** No end is known, or it is far. */
  | { readonly kind: "lasts" }
  | { readonly kind: "due" | "ends_soon" | "ended"; readonly at: Instant };

/** Returns how the sign-in of `account` stands at `at`. */
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

/**
 * The views of accounts, windows and usage in a {@linkcode StatusView}.
 *
 * @module
 */

/** An instant in two forms: RFC 3339 text and epoch milliseconds. */
export interface TimeView {
  readonly iso: string;
  readonly ms: number;
}

/**
 * The range that holds in 8 of 10 cases; null: not before its reset, or later.
 */
export interface BetweenView {
  readonly soonest: TimeView | null;
  readonly latest: TimeView | null;
}

export interface WindowView {
  readonly key: string;
  /** Null is unknown, never 0. */
  readonly utilization: number | null;
  readonly status: string | null;
  readonly resetsAt: TimeView | null;
  readonly observedAt: TimeView;
  readonly source: "response_headers" | "usage_endpoint";
  readonly family: string | null;
  /** Utilization minus elapsed part; above 0 means faster than an even pace. */
  readonly pace: number | null;
  /** When it runs out at the present pace; null: not before its reset. */
  readonly spentAt: TimeView | null;
  /** The uncertainty of that; null if there was no usage to tell. */
  readonly spentBetween: BetweenView | null;
}

/** The state of an account in one word; shape and colour follow it. */
export type AccountWord =
  | "ready"
  | "careful"
  | "closed"
  | "unknown"
  | "off"
  | "reserve"
  | "paying"
  | "needs_login"
  | "quarantined";

/**
 * The state of an account. `limited`: it keeps what it has and gets new work only
 * if no other account may serve. `resting`: a throttle, an overload or an outage.
 * `unreachable`: its login cannot be renewed for now.
 */
export type AccountStateName =
  | "ready"
  | "limited"
  | "spent"
  | "resting"
  | "signed_out"
  | "unreachable"
  | "off"
  | "unknown"
  | "reserve"
  | "paying";

/** Sums since the server started; prompt tokens = input + read + written. */
export interface UsageView {
  readonly requests: number;
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  readonly output: number;
  /** Requests that wrote more to the cache than they read from it. */
  readonly rebuilds: number;
  /** Part of the prompt tokens read from the cache; null while there are none. */
  readonly hitShare: number | null;
  /** US dollars at list prices, paid and worth together; null is unpriced. */
  readonly cost: number | null;
  /** The part really paid, by API keys and extra usage; null if nothing was. */
  readonly paid: number | null;
  /** The part that plans covered: what it would have cost; null if nothing. */
  readonly worth: number | null;
}

/** A period in which an account is paid by the token. */
export interface PayingView {
  readonly since: TimeView;
  readonly requests: number;
  /** US dollars at list prices; null is unpriced. */
  readonly cost: number | null;
}

/** A limit in dollars, and what counts against it in the present period. */
export interface SpendLimitView {
  /** US dollars. */
  readonly max: number;
  readonly per: "day" | "week" | "month";
  /** US dollars that were paid. */
  readonly paid: number;
  /** What the requests in flight may cost at most, in US dollars. */
  readonly reserved: number;
  /** When the period ends; null if nothing was paid in it yet. */
  readonly endsAt: TimeView | null;
}

/** The last answer that was an error. */
export interface ErrorMarkView {
  readonly at: TimeView;
  readonly status: number | null;
  readonly text: string;
}

/** One Claude Code session that the server has seen, the last used first. */
export interface SessionView {
  readonly id: string;
  /** Label of the account it was served by last, or null. */
  readonly account: string | null;
  readonly usage: UsageView;
  readonly inFlight: number;
  /** The policy of its launch; null: the pool's policy. */
  readonly policy: string | null;
  /** The path of its repository; null where that is not known. */
  readonly project: string | null;
  readonly firstSeenAt: TimeView;
  readonly lastUsedAt: TimeView;
  readonly lastError: ErrorMarkView | null;
}

export interface AccountView {
  readonly id: string;
  readonly label: string;
  readonly kind: string;
  readonly tier: string;
  readonly priority: number;
  readonly enabled: boolean;
  /** When the sign-in ends and a person must sign in again; null if unknown. */
  readonly signInEndsAt: TimeView | null;
  readonly state: AccountStateName;
  /** The same in an older, coarser vocabulary; `state` says more. */
  readonly word: AccountWord;
  /** The reason in words; null if it is simply ready. */
  readonly reason: string | null;
  /** When the reason ends; null if it has no end. */
  readonly until: TimeView | null;
  /** A command that fixes it, or null. */
  readonly mend: string | null;
  readonly windows: readonly WindowView[];
  readonly inFlight: number;
  readonly inFlightMax: number | null;
  readonly conversations: number;
  readonly lastUsedAt: TimeView | null;
  readonly usage: UsageView;
  /** Set while the account serves and is paid by the token. */
  readonly paying: PayingView | null;
  /** The user's limit on what it may cost; null means none. */
  readonly limit: SpendLimitView | null;
  readonly lastError: ErrorMarkView | null;
  readonly recent: RecentView;
  /** Limits learned from throttling, while they apply. */
  readonly learnedLimits: readonly LearnedLimitView[];
  /** What the provider refused the account, with the provider's message. */
  readonly refusals: readonly RefusalView[];
}

/** A limit that the provider never stated; it is lifted step by step. */
interface LearnedLimitView {
  readonly what: "requests at once" | "starts a minute";
  readonly limit: number;
  /** Number of refusals that it was learned from. */
  readonly refusals: number;
  readonly since: TimeView;
  readonly refusedAt: TimeView;
}

/** A right that an account was refused; it is tried again after `until`. */
interface RefusalView {
  /** The right, for example `prompts from 250k tokens`. */
  readonly what: string;
  readonly since: TimeView;
  readonly until: TimeView;
  /** The provider's message, or null. */
  readonly said: string | null;
}

/** Recent messages of an account. */
export interface RecentView {
  readonly requests15m: number;
  readonly requests1h: number;
  /** Share of the prompt tokens read from cache; null if there were none. */
  readonly hitRate1h: number | null;
  readonly tokens1h: number;
}

/**
 * The views of accounts, windows and usage, as {@linkcode StatusView} has them.
 *
 * @module
 */

/** An instant in both forms. */
export interface TimeView {
  readonly iso: string;
  readonly ms: number;
}

/** Eight times of ten between these; null: not before its reset, or later. */
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
  /** Utilization minus elapsed part; above 0 is ahead of an even spend. */
  readonly pace: number | null;
  /** When it is spent at the present pace; null: not before its reset. */
  readonly spentAt: TimeView | null;
  /** How far that is open; null where nothing was burnt that could tell. */
  readonly spentBetween: BetweenView | null;
}

/** The one word of an account's state; shape and colour follow it. */
export type AccountWord =
  | "ready"
  | "careful"
  | "closed"
  | "unknown"
  | "off"
  | "reserve"
  | "needs_login"
  | "quarantined";

/** Sums since the server started; prompt tokens = input + read + written. */
export interface UsageView {
  readonly requests: number;
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  readonly output: number;
  /** Requests that wrote more of the cache anew than they read from it. */
  readonly rebuilds: number;
  /** Part of the prompt tokens read from the cache; null while there are none. */
  readonly hitShare: number | null;
  /** US dollars at list prices; null is unpriced. */
  readonly cost: number | null;
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
  /** What its launch is routed by; null is the pool's own policy. */
  readonly policy: string | null;
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
  /** When only a person can sign in again; null where that is not known. */
  readonly signInEndsAt: TimeView | null;
  readonly word: AccountWord;
  /** Why, in words; null when it is simply ready. */
  readonly reason: string | null;
  /** When the reason ends, where it has an end. */
  readonly until: TimeView | null;
  /** A command that mends it, or null. */
  readonly mend: string | null;
  readonly windows: readonly WindowView[];
  readonly inFlight: number;
  readonly inFlightMax: number | null;
  readonly conversations: number;
  readonly lastUsedAt: TimeView | null;
  readonly usage: UsageView;
  readonly lastError: ErrorMarkView | null;
  readonly recent: RecentView;
  /** Limits that its throttling taught, while they bind. */
  readonly learnedLimits: readonly LearnedLimitView[];
  /** What the provider refused the account, with its own sentence. */
  readonly refusals: readonly RefusalView[];
}

/** A limit that the provider never stated; it opens by itself. */
export interface LearnedLimitView {
  readonly what: "requests at once" | "starts a minute";
  readonly limit: number;
  /** Refusals that it was learned from. */
  readonly refusals: number;
  readonly since: TimeView;
  readonly refusedAt: TimeView;
}

/** A right that an account was refused; it is asked again after `until`. */
export interface RefusalView {
  /** The right, for example `prompts from 250k tokens`. */
  readonly what: string;
  readonly since: TimeView;
  readonly until: TimeView;
  /** The provider's sentence, or null. */
  readonly said: string | null;
}

/** Messages that an account answered lately. */
export interface RecentView {
  readonly requests15m: number;
  readonly requests1h: number;
  /** Part of the prompt tokens read from cache; null where there were none. */
  readonly hitRate1h: number | null;
  readonly tokens1h: number;
}

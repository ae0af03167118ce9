/**
 * The views that the server gives to `tc status`, the Deck, scripts and the web
 * page. Versioned; within v1 fields are only added. Times are given twice, as
 * RFC 3339 text and as epoch milliseconds; shares are fractions from 0 to 1.
 * Views never hold a secret or prompt text.
 *
 * @module
 */

import type {
  AccountStateName,
  AccountView,
  BetweenView,
  PayingView,
  SessionView,
  SpendLimitView,
  TimeView,
  UsageView,
  WindowView,
} from "./account_views.ts";

export type * from "./account_views.ts";

import type { Outlook } from "../core/quota/outlook.ts";
import type { PoolGlance } from "../core/quota/glance.ts";

/** Paths of the control plane. */
export const CONTROL = {
  health: "/healthz",
  capacity: "/capacity",
  capacityAlias: "/teamclaude/capacity",
  status: "/tc/v1/status",
  glance: "/tc/v1/glance",
  curves: "/tc/v1/curves",
  events: "/tc/v1/events",
  watch: "/tc/v1/watch",
  explain: "/tc/v1/explain",
  accounts: "/tc/v1/accounts",
  pin: "/tc/v1/pin",
  policy: "/tc/v1/policy",
  reload: "/tc/v1/reload",
  stop: "/tc/v1/stop",
  restart: "/tc/v1/restart",
  call: "/tc/v1/call",
  hook: "/tc/v1/hook",
  report: "/tc/v1/report",
  turns: "/tc/v1/turns",
  quota: "/tc/v1/quota",
  simulate: "/tc/v1/simulate",
  metrics: "/metrics",
  link: "/tc/v1/ui",
  page: "/ui",
} as const;

/** The header in which the page shows its key. */
export const PAGE_KEY_HEADER = "x-tc-page";

/** A link that lets one browser use the page, once and for a minute. */
export interface LinkView {
  readonly schema: "tc.ui/v1";
  readonly path: string;
}

export interface HealthView {
  readonly schema: "tc.health/v1";
  readonly name: "tc";
  readonly version: string;
  readonly pid: number;
  readonly state: "serving" | "draining";
  readonly startedAt: TimeView;
}

/**
 * Green: a new conversation is served at once by what is already paid for.
 * Yellow says what limits, red until when.
 */
export interface VerdictView {
  readonly color: "green" | "yellow" | "red";
  readonly kind: Outlook["kind"];
  /**
   * The account that limits, if it is one; of a pool in which all are off the
   * first one; else null.
   */
  readonly account: string | null;
  /** The window that limits, such as `7d`; else null. */
  readonly window: string | null;
  /** When that ends; null if time alone does not end it. */
  readonly until: TimeView | null;
}

/** How long the pool lasts if work goes on as in the last hour. */
export interface ForecastView {
  /** Weighted as the quota counts them. */
  readonly tokensPerHour: number;
  /** Null: a week at least, or nothing is used. */
  readonly lastsUntil: TimeView | null;
  /** The uncertainty of that; null in it means a week or longer. */
  readonly lastsBetween: BetweenView | null;
  /** Whether it rests on plan sizes that no response has confirmed yet. */
  readonly isGuess: boolean;
  /**
   * The same for the person's usual week, from the last weeks through tc and
   * before it: a guess always, and about the pool as a whole. Null: unknown.
   */
  readonly usual: {
    /** Null: a week at least. */
    readonly lastsUntil: TimeView | null;
    /** The weeks that it rests on. */
    readonly weeks: number;
  } | null;
}

/** The stored facts about an account, without its present state. */
export interface AccountFactsView {
  readonly id: string;
  readonly label: string;
  readonly kind: string;
  readonly tier: string;
  readonly email: string | null;
  readonly organization: string | null;
  readonly accountUuid: string | null;
  readonly organizationUuid: string | null;
  readonly enabled: boolean;
  readonly priority: number;
  readonly maxInFlight: number | null;
  readonly capUtilization: number | null;
  /** The most that it may cost, `20/day`; null means no limit. */
  readonly maxCost: string | null;
  /** What a person says that its plan costs, in dollars a month; or null. */
  readonly planPrice: number | null;
  /** When the access token ends; null where that is not known. */
  readonly expiresAt: TimeView | null;
  /** Whether tc can renew the access token by itself. */
  readonly isRenewable: boolean;
  /** The provider has refused the login for good. */
  readonly needsLogin: boolean;
  /** When the sign-in ends and a person must sign in again; null if unknown. */
  readonly signInEndsAt: TimeView | null;
  /** Another program that holds the same login, or null. */
  readonly sharedWith: {
    readonly tool: string;
    readonly location: string;
  } | null;
  /** Another account of the pool that is the same one at the provider. */
  readonly duplicateOf: string | null;
  readonly upstream: string | null;
  /** Its state in the running server; null without one. */
  readonly live: AccountView | null;
}

export interface AccountsView {
  readonly schema: "tc.accounts/v1";
  readonly at: TimeView;
  /** Whether a running server has answered. */
  readonly isLive: boolean;
  readonly accounts: readonly AccountFactsView[];
  /** In the vault and taken out of the config: not served. */
  readonly unlisted: readonly { readonly id: string; readonly label: string }[];
  /** In the config without a credential. */
  readonly orphans: readonly { readonly name: string | null }[];
  /** In the vault and unreadable; nothing overwrites them. */
  readonly damaged: readonly {
    readonly id: string;
    readonly reason: string;
    /** The command that unlocks its keychain; null where it is damaged. */
    readonly unlock: string | null;
  }[];
}

/** An open request. */
export interface RequestView {
  readonly id: string;
  readonly session: string | null;
  readonly agent: string | null;
  readonly model: string | null;
  /** The path of its repository; null where that is not known. */
  readonly project: string | null;
  readonly account: string | null;
  readonly state: "waiting" | "held" | "sent" | "streaming";
  readonly reason: string | null;
  readonly since: TimeView;
  /** Prompt tokens, once the response has begun; null before. */
  readonly input: number | null;
  readonly cacheRead: number | null;
  readonly cacheWrite: number | null;
}

/** A finished request, as the activity list shows it. */
export interface ActivityView {
  readonly id: string;
  readonly at: TimeView;
  readonly session: string | null;
  readonly agent: string | null;
  readonly model: string | null;
  /** The path of its repository; null where that is not known. */
  readonly project: string | null;
  readonly account: string | null;
  readonly status: number;
  /** Null if no response of the upstream was relayed. */
  readonly durationMs: number;
  readonly firstByteMs: number | null;
  readonly input: number | null;
  readonly cacheRead: number | null;
  readonly cacheWrite: number | null;
  readonly output: number | null;
  /** The router's reason for this account. */
  readonly reason: string;
  /** The account that the conversation left, or null. */
  readonly movedFrom: string | null;
  /** Why that account did not serve, in words; null if it could have. */
  readonly movedWhy: string | null;
  /** What tc said when it answered by itself; null where an account answered. */
  readonly why: string | null;
  readonly attempts: number;
  /** The accounts that were asked before the last one, and their answers. */
  readonly triedFirst: readonly {
    readonly account: string;
    /** Null: the connection failed. */
    readonly status: number | null;
  }[];
  readonly end: "complete" | "upstream_failed" | "client_gone" | "refused";
}

interface CapacityAccountView {
  readonly id: string;
  readonly name: string;
  readonly status: string;
  /** tc's reason against it; null if it may serve. */
  readonly reason: string | null;
  readonly benched: boolean;
  readonly benchSec: number;
  readonly streak: number;
  readonly inflight: number;
  readonly burn5h: number;
  readonly capEst5h: number | null;
  readonly headroomTok: number | null;
  readonly nearCap: boolean;
  readonly live: boolean;
  /** Its state as every screen prints it, without times: see `benchSec`. */
  readonly state: string;
  /** The same by its name, as in tc.status; absent: an older server. */
  readonly stateName?: AccountStateName;
  /** Its windows that may run out before their reset, at the present pace. */
  readonly runsOut: readonly RunsOutView[];
}

/** A window by its key, and when it runs out at the present pace. */
type RunsOutView = Pick<WindowView, "key" | "spentAt" | "spentBetween">;

/** Field names that scripts rely on. */
export interface CapacityView {
  readonly schema: "tc.capacity/v1";
  readonly verdict: "green" | "yellow" | "red";
  readonly headroom: number;
  readonly liveAccounts: number;
  readonly benched: number;
  readonly total: number;
  readonly warmSessions: number;
  readonly soonestResetSec: number;
  readonly accounts: readonly CapacityAccountView[];
  readonly at: string;
}

export interface StatusView {
  readonly schema: "tc.status/v1";
  readonly at: TimeView;
  readonly server: {
    readonly version: string;
    readonly pid: number;
    readonly host: string;
    readonly port: number;
    readonly startedAt: TimeView;
    readonly policy: string;
    /** Label of the pinned account, or null. */
    readonly pin: string | null;
    readonly state: "serving" | "draining";
    /** Where the secrets are kept, with any fallback, in words. */
    readonly vault: string;
    /** A newer release that is out, where `update.check` lets tc look; or null. */
    readonly newer: string | null;
  };
  readonly capacity: CapacityView;
  /** The verdict of the pool for people. */
  readonly verdict: VerdictView;
  /**
   * The first instant at which a closed account returns or a window refills.
   */
  readonly nextReset: {
    readonly at: TimeView;
    readonly account: string;
    readonly window: string;
  } | null;
  /** Usage of all requests since the server started. */
  readonly usage: UsageView;
  /**
   * What is paid by the token now, of all accounts together, those that were
   * closed or removed since as well; null: nothing. Absent: an older server.
   */
  readonly paying?: PayingView | null;
  /** The user's limit on all paid work, `paid.max`; null means none. */
  readonly paidLimit: SpendLimitView | null;
  readonly forecast: ForecastView;
  readonly accounts: readonly AccountView[];
  readonly sessions: readonly SessionView[];
  readonly requests: readonly RequestView[];
  readonly activity: readonly ActivityView[];
  /** The machines of a shared pool, in the order in which they joined; else none. */
  readonly machines: readonly MachineView[];
  /** Problems that need a person, each with its fix. */
  readonly notices: readonly NoticeView[];
}

/** A machine of a shared pool, as the database knows it. */
export interface MachineView {
  readonly id: string;
  readonly name: string;
  /** The version of its tc. */
  readonly version: string;
  /** Whether it is the one that answers. */
  readonly isThis: boolean;
  /** Whether its server was seen in the last seconds. */
  readonly isThere: boolean;
  /** Null while it is there. */
  readonly lastSeenAt: TimeView | null;
  /** Its requests in flight; null where that is not known. */
  readonly requests: number | null;
}

/** One window's used share; null where it was not known. */
interface CurveWindowView {
  /** Label of the account. */
  readonly account: string;
  /** `5h` or `7d`. */
  readonly key: string;
  readonly used: readonly (number | null)[];
}

/** The last five hours: lists of equal length, one value a minute, the last one a minute ago. */
export interface CurvesView {
  readonly schema: "tc.curves/v1";
  readonly at: TimeView;
  /** Milliseconds between two values. */
  readonly stepMs: number;
  /** Tokens in and out, without what was read from the cache. */
  readonly tokens: readonly number[];
  /** Share of the prompt tokens read from cache; null without a prompt. */
  readonly hits: readonly (number | null)[];
  readonly windows: readonly CurveWindowView[];
}

/** The pool as one session sees it, for its status line. */
export interface GlanceView extends PoolGlance {
  readonly schema: "tc.glance/v1";
}

export interface NoticeView {
  readonly level: "warn" | "error";
  readonly text: string;
  /** A command to type, or null. */
  readonly mend: string | null;
}

export interface ErrorView {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly hint: string | null;
  };
}

/**
 * What routing weighed for one conversation, as the API returns it.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import type {
  ExplainedAccount,
  Explanation,
} from "../core/route/explanation.ts";
import type { PoolSnapshot } from "../core/pool/pool.ts";
import type { QuotaWindow } from "../core/quota/quota.ts";
import { barText } from "../wire/answer/bar_text.ts";
import type { ActivityView, TimeView } from "./protocol.ts";
import type { SpendLimitView } from "./account_views.ts";
import { NANODOLLARS } from "../core/pricing.ts";
import { spendLimitView, timeView } from "./status_view.ts";

interface ExplainWindowView {
  /** Null is unknown, never 0. */
  readonly utilization: number | null;
  readonly resetsAt: TimeView | null;
  readonly source: "response_headers" | "usage_endpoint";
  readonly observedAt: TimeView;
}

export interface ExplainAccountView {
  readonly account: string;
  /** The router's reason against it; null if it may serve. */
  readonly reason: string | null;
  readonly reasonText: string | null;
  /** Why it was passed over though it may serve; null if it was not. */
  readonly passedOver: string | null;
  readonly until: TimeView | null;
  readonly isHome: boolean;
  readonly isChosen: boolean;
  readonly cachedTokens: number;
  readonly rebuildTokens: number;
  readonly inFlight: number;
  readonly inFlightMax: number | null;
  readonly conversations: number;
  readonly fiveHour: ExplainWindowView | null;
  readonly week: ExplainWindowView | null;
  /** The policy's cost, lower is better, and its parts; null: not scored. */
  readonly cost: number | null;
  readonly terms: Readonly<Record<string, number>>;
  /** Its own limit in dollars; null means none, absent an older server. */
  readonly limit?: SpendLimitView | null;
}

export interface ExplainView {
  readonly schema: "tc.explain/v1";
  readonly at: TimeView;
  /** Null: any new conversation. */
  readonly conversation: string | null;
  /** The request that was asked for, or null. */
  readonly request: string | null;
  /** Its last request that ended, or null. */
  readonly last: ActivityView | null;
  /** The path of its repository; null where that is not known. */
  readonly project: string | null;
  /** The user's rule for that project; null without one. */
  readonly route: {
    /** What the rule names: a name, a path, or `*`. */
    readonly project: string;
    /** The only accounts that may serve; null: every account. */
    readonly accounts: readonly string[] | null;
    readonly policy: string | null;
  } | null;
  readonly policy: string;
  /** Whether its launch asked for that policy, and the pool has another. */
  readonly isOwnPolicy: boolean;
  readonly pin: string | null;
  readonly home: string | null;
  readonly boundAt: TimeView | null;
  readonly isWarm: boolean;
  readonly contextTokens: number;
  /** The limit on all paid work (`paid.max`), or null if there is none. */
  readonly paidLimit?: SpendLimitView | null;
  /**
   * Dollars that the request may cost at most where it is paid for, as the last
   * one of the conversation; null if nothing is known of it.
   */
  readonly costMax?: number | null;
  readonly activeConversations: number;
  readonly stalledConversations: number;
  readonly isOversubscribed: boolean;
  /** What would happen to its next request now. */
  readonly decision: {
    readonly kind: "use" | "wait" | "refuse";
    readonly account: string | null;
    readonly reason: string;
    readonly until: TimeView | null;
  };
  readonly accounts: readonly ExplainAccountView[];
}

export function explainView(
  told: Explanation,
  snapshot: PoolSnapshot,
  about: {
    readonly conversation: string | null;
    readonly project: string | null;
    readonly request: string | null;
    readonly last: ActivityView | null;
  },
): ExplainView {
  const { decision, binding } = told;
  const chosen = decision.kind === "use" ? decision.accountId : null;
  // When the account returns, not when it is tried next, which may fail.
  const until = decision.kind === "wait"
    ? decision.backAt ?? decision.until
    : null;
  return {
    schema: "tc.explain/v1",
    at: timeView(told.at),
    ...about,
    route: told.rule,
    policy: told.policy,
    isOwnPolicy: told.isOwnPolicy,
    pin: labelOf(told.pin, snapshot),
    home: labelOf(binding?.accountId ?? null, snapshot),
    boundAt: binding === null ? null : timeView(binding.boundAt),
    isWarm: told.isWarm,
    contextTokens: told.contextTokens,
    paidLimit: spendLimitView(snapshot.paid.max, null, snapshot),
    costMax: told.costNanoMax === null || told.costNanoMax === 0
      ? null
      : told.costNanoMax / NANODOLLARS,
    activeConversations: told.active,
    stalledConversations: told.stalled,
    isOversubscribed: told.isOversubscribed,
    decision: {
      kind: decision.kind,
      account: labelOf(chosen, snapshot),
      reason: decision.reason,
      until: until === null ? null : timeView(until),
    },
    accounts: told.accounts.map((one) => accountView(one, snapshot, told)),
  };
}

function labelOf(
  id: AccountId | null,
  { accounts }: PoolSnapshot,
): string | null {
  return id === null ? null : accounts.get(id)?.account.label ?? id;
}

function accountView(
  one: ExplainedAccount,
  snapshot: PoolSnapshot,
  told: Explanation,
): ExplainAccountView {
  const { decision } = told;
  const chosen = decision.kind === "use" ? decision.accountId : null;
  const state = snapshot.accounts.get(one.accountId);
  return {
    account: labelOf(one.accountId, snapshot) ?? one.accountId,
    reason: one.ineligible,
    reasonText: one.ineligible === null || state === undefined
      ? null
      : `${barText(one.ineligible, state, snapshot, told.costNanoMax ?? 0)}${
        usedUp(one)
      }`,
    passedOver: one.ineligible !== null || one.accountId === chosen
      ? null
      : passedOver(one, told, snapshot),
    until: one.until === null ? null : timeView(one.until),
    isHome: one.isHome,
    isChosen: one.accountId === chosen,
    cachedTokens: one.cachedTokens,
    rebuildTokens: one.rebuildTokens,
    inFlight: one.leases,
    inFlightMax: one.leasesMax,
    conversations: one.conversations,
    fiveHour: windowView(one.fiveHour),
    week: windowView(one.week),
    cost: one.cost,
    terms: one.terms,
    limit: spendLimitView(
      state?.account.costMax ?? null,
      one.accountId,
      snapshot,
    ),
  };
}

/** Returns what fills an account that is only kept in reserve: ` (5h 100% used)`. */
function usedUp({ ineligible, fiveHour, week }: ExplainedAccount): string {
  if (ineligible !== "reserve") return "";
  const full = [fiveHour, week].find((window) =>
    (window?.utilization ?? 0) >= 1
  );
  return full === undefined || full === null ? "" : ` (${full.key} 100% used)`;
}

/** Returns why an account that may serve was not chosen. */
function passedOver(
  one: ExplainedAccount,
  { decision, accounts, binding, policy }: Explanation,
  snapshot: PoolSnapshot,
): string {
  const home = labelOf(binding?.accountId ?? null, snapshot) ??
    "another account";
  if (decision.kind !== "use") {
    const wait = decision.kind === "wait" ? decision.reason : null;
    if (wait === "warm_account") {
      return `waiting for ${home} costs less than writing the cache anew`;
    }
    return wait === "shared_prompt"
      ? "a moment of waiting costs less than writing that prompt twice"
      : "its turn has not come";
  }
  const { accountId, reason } = decision;
  const name = labelOf(accountId, snapshot) ?? accountId;
  switch (reason) {
    case "only":
      return `the client asked for ${name}`;
    case "pinned":
      return `${name} is pinned`;
    case "bound":
      return `its prompt cache is on ${name}`;
    case "parent":
      return `the conversation that started this one is on ${name}`;
    case "opens_window":
      return `${name} has an idle 5-hour window to start`;
    case "probe":
      return `${name} is tried first`;
    case "new":
    case "moved":
    case "last_resort":
      return rankedBelow(one, accountId, { accounts, policy, snapshot });
  }
}

/** Returns why a free choice ranked one account below the chosen one. */
function rankedBelow(
  one: ExplainedAccount,
  chosen: AccountId,
  { accounts, policy, snapshot }: Pick<Explanation, "accounts" | "policy"> & {
    readonly snapshot: PoolSnapshot;
  },
): string {
  const name = labelOf(chosen, snapshot) ?? chosen;
  const priorityOf = (id: AccountId) =>
    snapshot.accounts.get(id)?.account.priority ?? 0;
  const own = priorityOf(one.accountId);
  const first = priorityOf(chosen);
  if (own > first) return `its priority is ${own}, that of ${name} ${first}`;
  const best = accounts.find(({ accountId }) => accountId === chosen);
  const cost = best?.cost ?? null;
  if (one.cost === null || cost === null) {
    return `policy ${policy} took ${name}`;
  }
  if (one.cost > cost) return "it costs more";
  return one.cost === cost
    ? `it costs the same, and ${name} comes first by name`
    : `policy ${policy} prefers ${name} although it costs more`;
}

function windowView(window: QuotaWindow | null): ExplainWindowView | null {
  if (window === null) return null;
  const { utilization, resetsAt, source, observedAt } = window;
  return {
    utilization,
    resetsAt: resetsAt === null ? null : timeView(resetsAt),
    source,
    observedAt: timeView(observedAt),
  };
}

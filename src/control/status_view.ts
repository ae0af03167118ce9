/**
 * Makes the view of the pool that people and scripts see, with the state of each
 * account in one word. Pure.
 *
 * @module
 */

import {
  type Account,
  type AccountId,
  signInOf,
  type SpendLimit,
} from "../core/account.ts";
import { poolCapacity } from "../core/quota/capacity.ts";
import { census, NOBODY } from "../core/pool/headcount.ts";
import {
  type Between,
  forecast,
  type PoolForecast,
  type WindowForecast,
} from "../core/quota/forecast.ts";
import type { Habit } from "../core/quota/habit.ts";
import {
  inFlightCap,
  type LearnedLimit,
  perMinuteCap,
} from "../core/pool/lease.ts";
import { colorOf, outlook } from "../core/quota/outlook.ts";
import { isRunning, pace, type QuotaWindow } from "../core/quota/quota.ts";
import type { AccountState, PoolSnapshot } from "../core/pool/pool.ts";
import { spendingOf } from "../core/quota/spending.ts";
import type { Instant } from "../core/time.ts";
import { lackText, loginCommand } from "../wire/answer/bar_text.ts";
import type {
  AccountView,
  BetweenView,
  CapacityView,
  ErrorMarkView,
  NoticeView,
  PayingView,
  RecentView,
  SessionView,
  SpendLimitView,
  StatusView,
  TimeView,
  UsageView,
  VerdictView,
  WindowView,
} from "./protocol.ts";
import { dayText, durationText, moneyText } from "./words.ts";
import { stateText } from "./state_text.ts";
import { accountStanding } from "./account_standing.ts";
import { commandWord } from "../shell_words.ts";

/** Sums of responses; the parts of a prompt do not overlap. */
export interface UsageSum {
  readonly requests: number;
  readonly input: number;
  readonly cacheRead: number;
  readonly cacheWrite: number;
  readonly output: number;
  readonly rebuilds: number;
  /** Billionths of a US dollar; null if nothing in it has a price. */
  readonly costNano: number | null;
  /** The part of it that was really paid; null if nothing was. */
  readonly paidNano: number | null;
}

export interface ErrorMark {
  readonly at: Instant;
  readonly status: number | null;
  readonly text: string;
}

/** What the server counted for one account. */
interface AccountUsage {
  readonly usage: UsageSum;
  readonly lastError: ErrorMark | null;
  /** The present period of paying by the token, or null. */
  readonly paying: PayingSum | null;
}

/** The sum of a period of paying by the token that has not ended yet. */
interface PayingSum {
  readonly since: Instant;
  readonly requests: number;
  readonly costNano: number | null;
}

/** What the server knows besides the pool. */
interface StatusExtras {
  readonly server: StatusView["server"];
  readonly usage: UsageSum;
  /** Of all accounts, removed ones as well. */
  readonly paying: PayingSum | null;
  readonly accountUsage: (id: AccountId) => AccountUsage;
  readonly sessions: readonly SessionView[];
  readonly requests: StatusView["requests"];
  readonly activity: StatusView["activity"];
  readonly machines: StatusView["machines"];
  readonly notices: readonly NoticeView[];
  readonly recent: (accountId: AccountId) => RecentView;
  /** The usual week of the pool's person; null if it is not known. */
  readonly habit: Habit | null;
}

const NANO = 1_000_000_000;

/** An instant in two forms: RFC 3339 text and epoch milliseconds. */
export function timeView(at: number): TimeView {
  return { iso: new Date(at).toISOString(), ms: at };
}

function timeOrNull(at: Instant | null): TimeView | null {
  return at === null ? null : timeView(at);
}

export function statusView(
  snapshot: PoolSnapshot,
  extras: StatusExtras,
): StatusView {
  const ahead = forecast(snapshot, extras.habit);
  const accounts = [...snapshot.accounts.values()].map((state) =>
    accountView(state, {
      snapshot,
      ahead,
      recent: extras.recent(state.account.id),
      counted: extras.accountUsage(state.account.id),
    })
  );
  return {
    schema: "tc.status/v1",
    at: timeView(snapshot.at),
    server: extras.server,
    capacity: capacityView(snapshot, accounts, ahead),
    verdict: verdictView(snapshot),
    nextReset: nextReset(snapshot),
    usage: usageView(extras.usage),
    paying: payingView(extras.paying),
    paidLimit: spendLimitView(snapshot.paid.max, null, snapshot),
    forecast: forecastView(ahead),
    accounts,
    sessions: extras.sessions,
    requests: extras.requests,
    activity: extras.activity,
    machines: extras.machines,
    notices: [
      ...accountNotices(snapshot),
      ...payingNotices(accounts),
      ...extras.notices,
    ],
  };
}

function forecastView(ahead: PoolForecast): StatusView["forecast"] {
  const { usual } = ahead;
  return {
    tokensPerHour: ahead.tokensPerHour,
    lastsUntil: timeOrNull(ahead.lastsUntil),
    lastsBetween: betweenView(ahead.lastsBetween),
    isGuess: ahead.isGuess,
    usual: usual === null ? null : {
      lastsUntil: timeOrNull(usual.lastsUntil),
      weeks: usual.weeks,
    },
  };
}

function verdictView(snapshot: PoolSnapshot): VerdictView {
  const seen = outlook(snapshot);
  const [first = null] = snapshot.accounts.keys();
  const id = seen.kind === "nearly_full"
    ? seen.accountId
    : seen.kind === "empty"
    ? first
    : null;
  return {
    color: colorOf(seen),
    kind: seen.kind,
    account: id === null
      ? null
      : snapshot.accounts.get(id)?.account.label ?? id,
    window: seen.kind === "nearly_full" ? seen.window : null,
    until: "until" in seen ? timeOrNull(seen.until) : null,
  };
}

/** Returns the verdict, with the field names that scripts rely on. */
function capacityView(
  snapshot: PoolSnapshot,
  views: readonly AccountView[],
  { windows }: PoolForecast = forecast(snapshot),
): CapacityView {
  const { accounts, ...pool } = poolCapacity(snapshot);
  const byId = new Map(views.map((view) => [view.id, view]));
  return {
    schema: "tc.capacity/v1",
    ...pool,
    accounts: accounts.map((account) => ({
      ...account,
      ...statesOf(byId.get(account.id)),
      runsOut: windows
        .filter(({ accountId }) => accountId === account.id)
        .map((window) => ({ key: window.key, ...spentView(window) }))
        .filter(({ spentAt, spentBetween }) =>
          spentAt !== null || (spentBetween?.soonest ?? null) !== null
        ),
    })),
  };
}

function statesOf(
  view: AccountView | undefined,
): Pick<CapacityView["accounts"][number], "state" | "stateName"> {
  if (view === undefined) return { state: "unknown", stateName: "unknown" };
  return { state: stateText(view, null), stateName: view.state };
}

function spentView(
  window: WindowForecast | undefined,
): Pick<WindowView, "spentAt" | "spentBetween"> {
  return {
    spentAt: timeOrNull(window?.spentAt ?? null),
    spentBetween: betweenView(window?.spentBetween ?? null),
  };
}

function betweenView(between: Between<Instant> | null): BetweenView | null {
  return between === null ? null : {
    soonest: timeOrNull(between.soonest),
    latest: timeOrNull(between.latest),
  };
}

export function usageView(sum: UsageSum): UsageView {
  const { costNano, paidNano, ...counts } = sum;
  const prompt = sum.input + sum.cacheRead + sum.cacheWrite;
  return {
    ...counts,
    hitShare: prompt === 0 ? null : sum.cacheRead / prompt,
    cost: dollars(costNano),
    paid: dollars(paidNano),
    worth: costNano === null || costNano === paidNano
      ? null
      : dollars(costNano - (paidNano ?? 0)),
  };
}

function dollars(nano: number | null): number | null {
  return nano === null ? null : nano / NANO;
}

export function errorMarkView(mark: ErrorMark | null): ErrorMarkView | null {
  return mark === null ? null : { ...mark, at: timeView(mark.at) };
}

interface AccountFacts {
  readonly snapshot: PoolSnapshot;
  readonly ahead: PoolForecast;
  readonly recent: RecentView;
  readonly counted: AccountUsage;
}

function accountView(
  state: AccountState,
  { snapshot, ahead, recent, counted }: AccountFacts,
): AccountView {
  const { account } = state;
  const paying = payingView(counted.paying);
  const standing = accountStanding(state, snapshot, paying !== null);
  const { active } = census(snapshot).byAccount.get(account.id) ?? NOBODY;
  return {
    id: account.id,
    label: account.label,
    kind: account.kind,
    tier: account.tier,
    priority: account.priority,
    enabled: account.enabled,
    signInEndsAt: timeOrNull(account.signInEndsAt),
    state: standing.state,
    word: standing.word,
    reason: standing.reason,
    until: timeOrNull(standing.until),
    mend: standing.mend,
    windows: Object.values(state.windows)
      .filter((window) => isRunning(window, snapshot.at))
      .map((window) =>
        windowView(window, snapshot.at, forecastOf(window, account.id, ahead))
      ),
    inFlight: state.leases,
    inFlightMax: Math.ceil(
      Math.min(
        account.leasesMax ?? Infinity,
        inFlightCap(state.gate, snapshot.at),
      ),
    ),
    conversations: active,
    lastUsedAt: timeOrNull(state.lastUsedAt),
    usage: usageView(counted.usage),
    paying: standing.word === "paying" ? paying : null,
    limit: spendLimitView(account.costMax ?? null, account.id, snapshot),
    lastError: errorMarkView(counted.lastError),
    learnedLimits: learnedLimitViews(state, snapshot.at),
    refusals: refusalViews(state, snapshot.at),
    recent,
  };
}

/** Returns what is paid by the token now, or null if nothing is. */
export function payingView(paying: PayingSum | null): PayingView | null {
  return paying === null ? null : {
    since: timeView(paying.since),
    requests: paying.requests,
    cost: dollars(paying.costNano),
  };
}

/** Returns a limit in dollars of one account, or of all if `id` is null. */
export function spendLimitView(
  limit: SpendLimit | null,
  id: AccountId | null,
  { paid, at }: PoolSnapshot,
): SpendLimitView | null {
  if (limit === null) return null;
  const spent = spendingOf(paid, id, { per: limit.per, at });
  return {
    max: limit.dollars,
    per: limit.per,
    paid: spent.paidNano / NANO,
    reserved: spent.reservedNano / NANO,
    endsAt: timeOrNull(spent.endsAt),
  };
}

function forecastOf(
  { key }: QuotaWindow,
  accountId: AccountId,
  { windows }: PoolForecast,
): WindowForecast | undefined {
  return windows.find((window) =>
    window.accountId === accountId && window.key === key
  );
}

function windowView(
  window: QuotaWindow,
  at: Instant,
  ahead: WindowForecast | undefined,
): WindowView {
  return {
    key: window.key,
    utilization: window.utilization,
    status: window.status,
    resetsAt: timeOrNull(window.resetsAt),
    observedAt: timeView(window.observedAt),
    source: window.source,
    family: window.family,
    pace: pace(window, at),
    ...spentView(ahead),
  };
}

/**
 * Returns the first refill of a window that limits an account or may limit it.
 */
function nextReset(snapshot: PoolSnapshot): StatusView["nextReset"] {
  let soonest: { at: Instant; account: string; window: string } | null = null;
  for (const { account, windows } of snapshot.accounts.values()) {
    if (!account.enabled) continue;
    for (
      const { key, resetsAt, utilization, lengthMs } of Object.values(windows)
    ) {
      if (resetsAt === null || resetsAt <= snapshot.at) continue;
      if (!utilization || lengthMs < 3_600_000) continue;
      if (soonest !== null && soonest.at <= resetsAt) continue;
      soonest = { at: resetsAt, account: account.label, window: key };
    }
  }
  return soonest === null ? null : { ...soonest, at: timeView(soonest.at) };
}

function accountNotices(snapshot: PoolSnapshot): readonly NoticeView[] {
  return [...snapshot.accounts.values()]
    .filter(({ account }) => account.enabled)
    .flatMap((state): readonly NoticeView[] => {
      const { account, credential } = state;
      if (credential.kind === "needs_login") {
        const text = needsLoginText(account.label, credential.reason);
        return [{ level: "error", text, mend: loginCommand(state) }];
      }
      const text = signInText(account, snapshot.at);
      return text === null
        ? []
        : [{ level: "warn", text, mend: loginCommand(state) }];
    });
}

/** Returns the notice of an account whose login or key is refused. */
export function needsLoginText(label: string, reason: string): string {
  return `${label} needs sign-in: ${reason}`;
}

/** Returns a notice for each account that spends real money now. */
function payingNotices(
  accounts: readonly AccountView[],
): readonly NoticeView[] {
  return accounts.flatMap(({ label, paying, limit }): readonly NoticeView[] =>
    paying === null ? [] : [{
      level: "warn",
      text: `${label}: paying by token, ${
        moneyText(paying.cost) || "unpriced"
      } by now`,
      // Who has set a limit has decided.
      mend: limit === null
        ? `tc priority ${commandWord(label)} --max-cost 20/day`
        : null,
    }]
  );
}

/** Returns the warning of a sign-in that ends within three days, or null. */
export function signInText(account: Account, at: Instant): string | null {
  const signIn = signInOf(account, at);
  switch (signIn.kind) {
    case "ended":
      return `the sign-in of ${account.label} ended 30 days after its login`;
    case "ends_soon":
      return `the sign-in of ${account.label} ends ${
        dayText(signIn.at, at)
      }, in ${durationText(signIn.at - at)}`;
    case "due":
    case "lasts":
      return null;
  }
}

/** Returns the refusals that still apply. */
function refusalViews(
  { refusals }: AccountState,
  at: Instant,
): AccountView["refusals"] {
  return [...refusals.values()].filter(({ until }) => until > at)
    .map(({ lack, since, until, said }) => ({
      what: lackText(lack),
      since: timeView(since),
      until: timeView(until),
      said,
    }));
}

/** Returns the learned limits that apply at `at`. */
function learnedLimitViews(
  { gate }: AccountState,
  at: Instant,
): AccountView["learnedLimits"] {
  const perMinute = perMinuteCap(gate, at);
  const inFlight = inFlightCap(gate, at);
  return [
    ...gate.inFlight === null || inFlight >= gate.cap
      ? []
      : [limitView("requests at once", Math.ceil(inFlight), gate.inFlight)],
    ...gate.perMinute === null || perMinute === Infinity
      ? []
      : [limitView("starts a minute", Math.floor(perMinute), gate.perMinute)],
  ];
}

function limitView(
  what: AccountView["learnedLimits"][number]["what"],
  limit: number,
  { refusals, since, refusedAt }: LearnedLimit,
): AccountView["learnedLimits"][number] {
  return {
    what,
    limit,
    refusals,
    since: timeView(since),
    refusedAt: timeView(refusedAt),
  };
}

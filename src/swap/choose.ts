/**
 * Chooses the account that Claude Code should have next: the pool's policies on
 * the figures of the usage endpoint, with a margin so that the choice does not
 * flip. Pure.
 *
 * @module
 */

import { ANY_REQUEST } from "../core/quota/capacity.ts";
import type { Account, AccountId } from "../core/account.ts";
import { emptyPool, reduce, snapshot } from "../core/pool/pool.ts";
import type { QuotaObservation } from "../core/quota/quota.ts";
import { route, type RouteQuery } from "../core/route/route.ts";
import type { RouteSettings } from "../core/settings.ts";
import { HOUR_MS, type Instant, later } from "../core/time.ts";
import type { SeenUsage } from "./swap_state.ts";

/** By how much an account must be better before Claude Code is moved. */
export const MARGIN = 0.05;

export interface Candidate {
  readonly account: Account;
  readonly observation: QuotaObservation;
}

export interface Wish {
  readonly settings: RouteSettings;
  readonly at: Instant;
  /** The account whose login Claude Code has now, or null. */
  readonly current: AccountId | null;
  /** Accounts that have just refused a turn, whatever their figures. */
  readonly limited: ReadonlySet<AccountId>;
}

/** Returns the deciding figures of an observation, as they are stored. */
export function seenUsage({ windows, at }: QuotaObservation): SeenUsage {
  const fiveHour = windows.find(({ key }) => key === "5h");
  const week = windows.find(({ key }) => key === "7d");
  return {
    fiveHour: fiveHour?.utilization ?? null,
    week: week?.utilization ?? null,
    fiveHourResetsAt: fiveHour?.resetsAt ?? null,
    weekResetsAt: week?.resetsAt ?? null,
    at,
  };
}

/** Returns the used part of the fuller window; null while neither is known. */
export function score({ fiveHour, week }: SeenUsage): number | null {
  if (fiveHour === null && week === null) return null;
  return Math.max(fiveHour ?? 0, week ?? 0);
}

export function isSpent(usage: SeenUsage): boolean {
  return (score(usage) ?? 0) >= 1;
}

/**
 * Returns when a used-up account is usable again: the latest reset of its
 * used-up windows. Null if it is not used up or the provider did not say.
 */
export function usableAt(usage: SeenUsage): Instant | null {
  let at: Instant | null = null;
  const windows = [
    [usage.fiveHour, usage.fiveHourResetsAt],
    [usage.week, usage.weekResetsAt],
  ] as const;
  for (const [part, resetsAt] of windows) {
    if (part === null || part < 1) continue;
    if (resetsAt === null) return null;
    at = later(at, resetsAt);
  }
  return at;
}

/** Returns whether the account is certainly still used up. */
export function isSpentUntilReset(usage: SeenUsage, now: Instant): boolean {
  const at = usableAt(usage);
  return isSpent(usage) && at !== null && now < at;
}

/** Returns the account to have, or null if every one is used up. */
export function choose(
  candidates: readonly Candidate[],
  wish: Wish,
): AccountId | null {
  const open = candidates.filter(({ observation }) =>
    !isSpent(seenUsage(observation))
  );
  const others = open.filter(({ account }) => !wish.limited.has(account.id));
  // An account that has just refused is better than none.
  const chosen = pick(others.length > 0 ? others : open, wish);
  if (chosen === null || wish.current === null) return chosen;
  // The margin is a used part, as `least-used` measures; other policies measure
  // differently.
  if (wish.settings.policy !== "least-used") return chosen;
  const now = others.find(({ account }) => account.id === wish.current);
  const next = others.find(({ account }) => account.id === chosen);
  if (now === undefined || next === undefined) return chosen;
  const isDearer = next.account.priority > now.account.priority;
  const isBetter = next.account.priority < now.account.priority ||
    scoreOf(now) - scoreOf(next) >= MARGIN;
  return isBetter && !isDearer ? chosen : wish.current;
}

function pick(
  candidates: readonly Candidate[],
  { settings, at, current }: Wish,
): AccountId | null {
  let pool = emptyPool(settings);
  for (const { account, observation } of candidates) {
    pool = reduce(pool, { kind: "account_put", account, at });
    pool = reduce(pool, { kind: "quota_observed", observation });
  }
  const decision = route(
    snapshot({ ...pool, primary: current }, at),
    NEW_SESSION,
  );
  if (decision.kind === "use") return decision.accountId;
  // The policy would wait, but Claude Code must have some login.
  const [least] = candidates.toSorted((a, b) =>
    a.account.priority - b.account.priority || scoreOf(a) - scoreOf(b)
  );
  return least?.account.id ?? null;
}

function scoreOf({ observation }: Candidate): number {
  return score(seenUsage(observation)) ?? 0;
}

/** A new conversation about which nothing else is known. */
const NEW_SESSION: RouteQuery = {
  ...ANY_REQUEST,
  cacheTtlMs: HOUR_MS,
  isPrompt: true,
};

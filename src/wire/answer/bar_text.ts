/**
 * The router's reasons against an account in words: for Claude Code's error,
 * status, Deck and explain.
 *
 * @module
 */

import { benchAt } from "../../core/quota/bench.ts";
import type { Ineligible } from "../../core/route/eligible.ts";
import type { Lack } from "../../core/quota/entitlement.ts";
import type { AccountState, PoolSnapshot } from "../../core/pool/pool.ts";
import {
  isRunning,
  isSpent,
  type QuotaWindow,
  type WindowKey,
} from "../../core/quota/quota.ts";
import {
  type Account,
  dollarsText,
  type SpendLimit,
} from "../../core/account.ts";
import { NANODOLLARS } from "../../core/pricing.ts";
import { type PaidBook, spendingOf } from "../../core/quota/spending.ts";
import type { Instant } from "../../core/time.ts";
import { commandWord } from "../../shell_words.ts";

/** Returns the command that renews the account's login. */
export function loginCommand({ account }: AccountState): string {
  const isKey = account.kind === "api_key" || account.kind === "backend";
  const kind = isKey ? " --api" : "";
  return `tc login${kind} --account ${commandWord(account.label)}`;
}

/** Returns, in words, why the router did not choose an account. */
export function barText(
  reason: Ineligible,
  state: AccountState,
  { paid, at }: Pick<PoolSnapshot, "paid" | "at">,
  costNanoMax = 0,
): string {
  switch (reason) {
    case "disabled":
      return "off";
    case "excluded":
      return "could not serve this request";
    case "not_asked_for":
      return "not asked for";
    case "not_in_route":
      return "not in the rule of this project";
    case "needs_login":
      return `needs sign-in (${loginCommand(state)})`;
    case "quarantined":
      return quarantineText(state);
    case "exhausted":
      return `${windowWord(spentWindow(state, at))} used up`;
    case "family_exhausted":
      return "this model's weekly limit used up";
    case "benched":
      return benchText(state, at);
    case "own_limit":
      return "past your own limit";
    case "spend_limit":
      return limitText(
        "your limit of",
        state.account.costMax ?? null,
        spentIn(paid, state.account, at),
        costNanoMax,
      );
    case "paid_max":
      return limitText(
        "paid.max,",
        paid.max,
        spentIn(paid, null, at),
        costNanoMax,
      );
    case "unpriced":
      return "what it may cost is not known, and there is a limit in dollars";
    case "overage":
      return "only paid extra usage is left";
    case "probation":
      return "one trial at a time";
    case "not_entitled":
      return lacksText(state, at);
    case "reserve":
      return "only if no other account can";
    case "full":
      return "full";
  }
}

/** Returns what was paid and is reserved in the period of a limit. */
function spentIn(
  paid: PaidBook,
  account: Account | null,
  at: Instant,
): number {
  const limit = account === null ? paid.max : account.costMax ?? null;
  if (limit === null) return 0;
  const spent = spendingOf(paid, account?.id ?? null, { per: limit.per, at });
  return spent.paidNano + spent.reservedNano;
}

/**
 * Returns `your limit of $20 a day reached`, or what is left of it if that is
 * less than the request may cost.
 */
function limitText(
  name: string,
  limit: SpendLimit | null,
  spentNano: number,
  costNanoMax: number,
): string {
  if (limit === null) return "your limit in dollars reached";
  const text = `${name} ${dollarsText(limit.dollars)} a ${limit.per}`;
  const left = limit.dollars - spentNano / NANODOLLARS;
  return left <= 0 || costNanoMax === 0
    ? `${text} reached`
    : `${text}: $${left.toFixed(2)} left, and this request may cost $${
      (costNanoMax / NANODOLLARS).toFixed(2)
    }`;
}

/** Returns everything that the account was refused: `no claude-x, no …`. */
function lacksText({ refusals }: AccountState, at: Instant): string {
  const lacks = [...refusals.values()]
    .filter(({ until }) => until > at)
    .map(({ lack }) => `no ${lackText(lack)}`);
  return lacks.length === 0 ? "may not serve this request" : lacks.join(", ");
}

/** Returns what was refused, as a noun. */
export function lackText(lack: Lack): string {
  switch (lack.kind) {
    case "beta":
      return lack.beta;
    case "model":
      return lack.model;
    case "size": {
      const thousands = Math.floor(lack.tokens / 1_000);
      const paid = lack.isPaid ? " (paid extra usage)" : "";
      return `prompts from ${thousands}k tokens${paid}`;
    }
    case "client":
      return `requests of ${lack.client || "clients without a name"}`;
    case "path":
      return `requests to ${lack.path}`;
  }
}

function quarantineText({ credential }: AccountState): string {
  const reason = credential.kind === "quarantined" ? credential.reason : null;
  const why = reason?.replace(/^could not be renewed: /, "");
  return `cannot be renewed: ${why ?? "refused by the provider"}`;
}

function benchText(state: AccountState, at: Instant): string {
  const bench = benchAt(state.bench, at);
  if (bench.kind !== "benched") return "paused";
  switch (bench.reason.kind) {
    case "exhausted":
      return `${windowWord(bench.reason.window)} used up`;
    case "throttled":
      return "paused: throttled";
    case "overloaded":
      return "paused: provider overloaded";
    case "unreachable":
      return "paused: unreachable";
  }
}

/** Returns the used-up window that ends last, which is the one that counts. */
export function spentWindow(
  state: AccountState,
  at: Instant,
): WindowKey | null {
  const bench = benchAt(state.bench, at);
  if (bench.kind === "benched" && bench.reason.kind === "exhausted") {
    return bench.reason.window;
  }
  let last: QuotaWindow | null = null;
  for (const window of Object.values(state.windows)) {
    if (!isSpent(window) || window.family !== null || !isRunning(window, at)) {
      continue;
    }
    if (last === null || (window.resetsAt ?? 0) > (last.resetsAt ?? 0)) {
      last = window;
    }
  }
  return last?.key ?? null;
}

/** Returns `5h` and `7d` as they are, and other keys in words. */
function windowWord(key: WindowKey | null): string {
  if (key === null) return "quota";
  if (key === "7d_oi") return "weekly Fable limit";
  const scoped = /^7d[:_](.+)$/.exec(key)?.[1];
  return scoped === undefined ? key : `weekly ${scoped} limit`;
}

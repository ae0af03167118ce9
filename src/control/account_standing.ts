/**
 * Decides the state of an account, once, for every screen: its name, the reason,
 * when it ends, and the command that fixes it. Pure.
 *
 * @module
 */

import { benchAt } from "../core/quota/bench.ts";
import { ANY_REQUEST } from "../core/quota/capacity.ts";
import { limitsOf, used } from "../core/quota/limits.ts";
import { NEARLY_FULL } from "../core/quota/outlook.ts";
import type { AccountState, PoolSnapshot } from "../core/pool/pool.ts";
import { barOf, type Ineligible } from "../core/route/eligible.ts";
import type { Instant } from "../core/time.ts";
import { barText, loginCommand } from "../wire/answer/bar_text.ts";
import type { AccountStateName, AccountWord } from "./account_views.ts";

interface AccountStanding {
  readonly state: AccountStateName;
  readonly word: AccountWord;
  /** Null when there is nothing to say. */
  readonly reason: string | null;
  readonly until: Instant | null;
  /** A command that fixes it, or null. */
  readonly mend: string | null;
}

/**
 * Returns the state of the account for any request, at the snapshot's instant.
 * An account that is paid by the token says so while it can serve.
 */
export function accountStanding(
  state: AccountState,
  snapshot: PoolSnapshot,
  isPaying: boolean,
): AccountStanding {
  const standing = unpaidStanding(state, snapshot);
  const isOpen = ["ready", "careful", "unknown", "reserve"]
    .includes(standing.word);
  return isPaying && isOpen ? plain("paying", "paying by token") : standing;
}

function unpaidStanding(
  state: AccountState,
  snapshot: PoolSnapshot,
): AccountStanding {
  const { settings, paid, at } = snapshot;
  const { bar } = barOf(state, { query: ANY_REQUEST, settings, paid, at });
  if (bar !== null) {
    return {
      state: stateOf(bar.reason, state, at),
      word: wordOf(bar.reason),
      reason: barReason(bar.reason, state, snapshot),
      until: bar.until,
      mend: bar.reason === "needs_login" ? loginCommand(state) : null,
    };
  }
  if (state.account.kind === "backend") return plain("reserve", "last resort");
  if (state.account.kind === "api_key") {
    return plain("reserve", "paid by token");
  }
  return openStanding(state, at);
}

function openStanding(state: AccountState, at: Instant): AccountStanding {
  const { fiveHour, week } = limitsOf(state, [], at);
  if (fiveHour === null && week === null && state.lastUsedAt === null) {
    return plain("unknown", "no figures yet: the first answer brings them");
  }
  if (Math.max(used(fiveHour), used(week)) < NEARLY_FULL) {
    return plain("ready", null);
  }
  const fuller = used(fiveHour) >= used(week) ? fiveHour : week;
  const isUsedUp = used(fuller) >= 1;
  return {
    // The provider has not refused yet, but a person reads 100 % as used up.
    state: isUsedUp ? "spent" : "limited",
    word: "careful",
    reason: isUsedUp ? fuller?.key ?? null : null,
    until: fuller?.resetsAt ?? null,
    mend: null,
  };
}

function plain(
  word: "ready" | "unknown" | "reserve" | "paying",
  reason: string | null,
): AccountStanding {
  return { state: word, word, reason, until: null, mend: null };
}

function stateOf(
  reason: Ineligible,
  state: AccountState,
  at: Instant,
): AccountStateName {
  switch (wordOf(reason)) {
    case "off":
      return "off";
    case "needs_login":
      return "signed_out";
    case "quarantined":
      return "unreachable";
    case "reserve":
      return "reserve";
    case "closed":
      return isSpentBy(reason, state, at) ? "spent" : "resting";
    default:
      return "limited";
  }
}

/** Reasons for which a quota or a limit is used up. */
const SPENT: readonly Ineligible[] = [
  "exhausted",
  "family_exhausted",
  "own_limit",
  "spend_limit",
  "paid_max",
  "overage",
];

/** Whether a window is used up, and not a throttle or an outage. */
function isSpentBy(
  reason: Ineligible,
  state: AccountState,
  at: Instant,
): boolean {
  if (reason !== "benched") {
    return SPENT.includes(reason);
  }
  const bench = benchAt(state.bench, at);
  return bench.kind === "benched" && bench.reason.kind === "exhausted";
}

/** The words of a reason that its state says already. */
const SAID_BY_STATE = / (used up|reached)$|^paused: |^cannot be renewed: /;

/** Returns the reason without the words that the state says already. */
function barReason(
  reason: Ineligible,
  state: AccountState,
  snapshot: PoolSnapshot,
): string {
  return barText(reason, state, snapshot).replace(SAID_BY_STATE, "");
}

function wordOf(reason: Ineligible): AccountWord {
  switch (reason) {
    case "disabled":
      return "off";
    case "needs_login":
      return "needs_login";
    case "quarantined":
      return "quarantined";
    case "reserve":
      return "reserve";
    case "not_entitled":
    case "probation":
    case "full":
      return "careful";
    case "excluded":
    case "not_asked_for":
    case "not_in_route":
    case "exhausted":
    case "family_exhausted":
    case "benched":
    case "own_limit":
    case "spend_limit":
    case "paid_max":
    case "unpriced":
    case "overage":
      return "closed";
  }
}

/**
 * An account's state in one word and, where there is something to say, a
 * reason: the words of status, Deck, explain and what Claude Code shows.
 *
 * @module
 */

import { barOf, type Ineligible } from "../core/route/eligible.ts";
import { ANY_REQUEST } from "../core/quota/capacity.ts";
import { limitsOf, used } from "../core/quota/limits.ts";
import type { AccountState, PoolSnapshot } from "../core/pool/pool.ts";
import type { Instant } from "../core/time.ts";
import { barText, loginCommand } from "../wire/answer/bar_text.ts";
import type { AccountWord } from "./protocol.ts";

export interface AccountStanding {
  readonly word: AccountWord;
  /** Null when there is nothing to say. */
  readonly reason: string | null;
  readonly until: Instant | null;
  /** A command that mends it, or null. */
  readonly mend: string | null;
}

/** From here on little room is left; the seeds call it the soft ceiling. */
const CAREFUL_FROM = 0.9;

/** How the account stands for any request at the snapshot's instant. */
export function standingOf(
  state: AccountState,
  snapshot: PoolSnapshot,
): AccountStanding {
  const { settings, at } = snapshot;
  const { bar } = barOf(state, { query: ANY_REQUEST, settings, at });
  if (bar !== null) {
    return {
      word: wordOf(bar.reason),
      reason: barText(bar.reason, state, at),
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
  if (Math.max(used(fiveHour), used(week)) < CAREFUL_FROM) {
    return plain("ready", null);
  }
  const fuller = used(fiveHour) >= used(week) ? fiveHour : week;
  return {
    word: "careful",
    reason: "little room",
    until: fuller?.resetsAt ?? null,
    mend: null,
  };
}

function plain(word: AccountWord, reason: string | null): AccountStanding {
  return { word, reason, until: null, mend: null };
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
    case "exhausted":
    case "family_exhausted":
    case "benched":
    case "own_limit":
    case "overage":
      return "closed";
  }
}

/**
 * Headroom and the pool's verdict, for launchers that ask before they start
 * another agent. The field names are those of the teamclaude fork.
 *
 * @module
 */

import type { AccountId } from "../account.ts";
import { census } from "../pool/headcount.ts";
import { type Bar, barOf, type Ineligible } from "../route/eligible.ts";
import type { RouteQuery } from "../facts.ts";
import { burnBucketAt } from "./learn.ts";
import { limitsOf } from "./limits.ts";
import type { AccountState, PoolSnapshot } from "../pool/state.ts";
import { after, HOUR_MS, type Instant, SECOND_MS } from "../time.ts";

type CapacityColour = "green" | "yellow" | "red";

interface AccountCapacity {
  readonly id: AccountId;
  readonly name: string;
  readonly status: "active" | "throttled" | "exhausted" | "error";
  /** Our own word for what bars it; null if it may serve. */
  readonly reason: Ineligible | null;
  readonly benched: boolean;
  /** Seconds until it is back; 0 when it is not benched. */
  readonly benchSec: number;
  /** Throttles in a row. */
  readonly streak: number;
  readonly inflight: number;
  /** Quota tokens of the last five hours. */
  readonly burn5h: number;
  /** Learned size of a whole five-hour window; null while unlearned. */
  readonly capEst5h: number | null;
  /** Quota tokens left in that window; null while unknown. */
  readonly headroomTok: number | null;
  readonly nearCap: boolean;
  readonly live: boolean;
}

interface PoolCapacity {
  readonly verdict: CapacityColour;
  /** Sessions that may be started now. */
  readonly headroom: number;
  readonly liveAccounts: number;
  readonly benched: number;
  readonly total: number;
  readonly warmSessions: number;
  /** Seconds until the first benched account is back; 0 when none is. */
  readonly soonestResetSec: number;
  readonly accounts: readonly AccountCapacity[];
  /** ISO 8601. */
  readonly at: string;
}

/** A request about which nothing is known. */
export const ANY_REQUEST: RouteQuery = {
  conversation: null,
  parent: null,
  families: [],
  model: null,
  betas: "",
  kin: null,
  client: "",
  path: "/v1/messages",
  isMetered: true,
  contextTokens: 0,
  cacheTtlMs: 0,
  isCompacted: false,
  isSide: false,
  isPrompt: false,
  excluded: new Set(),
  only: null,
  waitedMs: 0,
  ticket: null,
  policy: null,
};

const STREAK_WARNS = 2;
const HEADROOM_WARNS = 1;
const BURN_HOURS = 5;

/**
 * Returns what the pool can take now. Accounts that a person switched off are
 * left out.
 */
export function poolCapacity(snapshot: PoolSnapshot): PoolCapacity {
  const { settings, at } = snapshot;
  const accounts = [...snapshot.accounts.values()]
    .filter(({ account }) => account.enabled)
    .map((state) => accountCapacity(state, snapshot));
  const live = accounts.filter((account) => account.live).length;
  const benched = accounts.filter((account) => account.benched);
  const { warm } = census(snapshot);
  const headroom = Math.max(0, live * settings.softConcurrency - warm);
  return {
    verdict: colourOf(accounts, { live, headroom }),
    headroom,
    liveAccounts: live,
    benched: benched.length,
    total: accounts.length,
    warmSessions: warm,
    soonestResetSec: benched.length === 0
      ? 0
      : Math.min(...benched.map((account) => account.benchSec)),
    accounts,
    at: new Date(at).toISOString(),
  };
}

function colourOf(
  accounts: readonly AccountCapacity[],
  { live, headroom }: { readonly live: number; readonly headroom: number },
): CapacityColour {
  if (live === 0) return "red";
  const isTight = headroom <= HEADROOM_WARNS ||
    accounts.some(({ benched, streak }) => benched || streak >= STREAK_WARNS);
  return isTight ? "yellow" : "green";
}

function accountCapacity(
  state: AccountState,
  { settings, paid, at }: PoolSnapshot,
): AccountCapacity {
  const { bar } = barOf(state, { query: ANY_REQUEST, settings, paid, at });
  const isError = bar?.reason === "needs_login" ||
    bar?.reason === "quarantined";
  const isBenched = bar !== null && bar.until !== null && !isError;
  const burn5h = Math.round(burnSince(state, after(at, -BURN_HOURS * HOUR_MS)));
  const capEst5h = state.learned.fiveHourTokens;
  const share = shareOf(state, { burn5h, capEst5h, at });
  return {
    id: state.account.id,
    name: state.account.label,
    status: statusOf(bar),
    reason: bar?.reason ?? null,
    benched: isBenched,
    benchSec: isBenched ? secondsUntil(bar.until, at) : 0,
    streak: state.gate.streak,
    inflight: state.leases + state.elsewhere,
    burn5h,
    capEst5h: capEst5h === null ? null : Math.round(capEst5h),
    headroomTok: capEst5h === null || share === null
      ? null
      : Math.round(Math.max(0, 1 - share) * capEst5h),
    nearCap: share !== null && share >= settings.capacitySoftCeiling,
    live: bar === null,
  };
}

function statusOf(bar: Bar | null): AccountCapacity["status"] {
  switch (bar?.reason) {
    case undefined:
      return "active";
    case "benched":
      return "throttled";
    case "needs_login":
    case "quarantined":
    case "disabled":
    case "excluded":
    case "not_asked_for":
    case "not_in_route":
      return "error";
    case "exhausted":
    case "family_exhausted":
    case "own_limit":
    case "spend_limit":
    case "paid_max":
    case "unpriced":
    case "overage":
    case "not_entitled":
    case "probation":
    case "reserve":
    case "full":
      return "exhausted";
  }
}

/**
 * Returns the utilization of the five-hour window: the provider's figure, else
 * our own count.
 */
function shareOf(
  state: AccountState,
  { burn5h, capEst5h, at }: {
    readonly burn5h: number;
    readonly capEst5h: number | null;
    readonly at: Instant;
  },
): number | null {
  const { fiveHour } = limitsOf(state, [], at);
  if (fiveHour !== null && fiveHour.utilization !== null) {
    return fiveHour.utilization;
  }
  return capEst5h === null ? null : burn5h / capEst5h;
}

/** Returns the quota tokens booked since `from`, in steps of five minutes. */
export function burnSince({ burn }: AccountState, from: Instant): number {
  const first = burnBucketAt(from);
  return burn.reduce(
    (sum, bucket) => bucket.at > first ? sum + bucket.tokens : sum,
    0,
  );
}

function secondsUntil(until: Instant | null, at: Instant): number {
  return until === null ? 0 : Math.max(0, Math.ceil((until - at) / SECOND_MS));
}

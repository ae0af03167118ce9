/**
 * The one list of reasons against an account. Every policy, explanation and
 * screen uses it.
 *
 * @module
 */

import { type Bench, benchAt } from "../quota/bench.ts";
import { refusalOf } from "../quota/entitlement.ts";
import type { RouteQuery } from "../facts.ts";
import { type Limits, limitsOf } from "../quota/limits.ts";
import { isPaidFor, type PaidBook, passedLimit } from "../quota/spending.ts";
import type { RouteSettings } from "../settings.ts";
import type { AccountState } from "../pool/state.ts";
import { admits, type ProjectRoute } from "./project_route.ts";
import type { Instant } from "../time.ts";

/**
 * Why an account was passed over, in the order in which reasons are checked.
 */
export type Ineligible =
  | "disabled"
  | "excluded"
  | "not_asked_for"
  /** A rule of the user keeps requests of this project from it. */
  | "not_in_route"
  | "needs_login"
  | "quarantined"
  | "exhausted"
  | "family_exhausted"
  | "benched"
  /** Past the limit that the user set on the account. */
  | "own_limit"
  /** The account's own limit in dollars would be passed. */
  | "spend_limit"
  /** The limit in dollars of the whole pool would be passed. */
  | "paid_max"
  /** There is a limit in dollars, and what the request may cost is unknown. */
  | "unpriced"
  /** The plan is spent, and the user does not want paid extra usage. */
  | "overage"
  /** Only one trial request runs at a time, and it is under way. */
  | "probation"
  /** The provider refused this account what the request asks for. */
  | "not_entitled"
  /** Kept in reserve while a cheaper account can serve soon. */
  | "reserve"
  | "full";

export interface Bar {
  readonly reason: Ineligible;
  /** When the reason ends; null if time alone does not end it. */
  readonly until: Instant | null;
}

function bar(reason: Ineligible, until: Instant | null = null): Bar {
  return { reason, until };
}

/** The parts of the pool that decide whether an account is barred. */
export interface BarContext {
  readonly query: RouteQuery;
  readonly settings: RouteSettings;
  /** The user's rule for the project of the query; absent means none. */
  readonly rule?: ProjectRoute | null;
  /** What was paid so far, for limits in dollars. */
  readonly paid: PaidBook;
  readonly at: Instant;
}

/**
 * Returns the first reason that bars the account from the request by its own
 * state alone, and its figures.
 */
export function barOf(
  state: AccountState,
  context: BarContext,
): { readonly bar: Bar | null; readonly limits: Limits } {
  const { query, at } = context;
  const limits = limitsOf(state, query.families, at);
  const found = personal(state, query, context.rule ?? null) ??
    credentialBar(state, at) ??
    (query.isMetered ? quotaBar(state, limits, context) : null) ??
    entitlementBar(state, query, at);
  return { bar: found, limits };
}

function personal(
  { account }: AccountState,
  query: RouteQuery,
  rule: ProjectRoute | null,
): Bar | null {
  if (!account.enabled) return bar("disabled");
  if (query.excluded.has(account.id)) return bar("excluded");
  if (query.only !== null && query.only !== account.id) {
    return bar("not_asked_for");
  }
  if (rule !== null && !admits(rule, account)) return bar("not_in_route");
  return null;
}

function credentialBar({ credential }: AccountState, at: Instant): Bar | null {
  switch (credential.kind) {
    case "ready":
      return null;
    case "needs_login":
      return bar("needs_login");
    case "quarantined":
      return at < credential.until
        ? bar("quarantined", credential.until)
        : null;
  }
}

/**
 * Returns why the account may not serve the query, or null. Spent quota is
 * asked for first by the caller, because it ends sooner.
 */
function entitlementBar(
  { refusals }: AccountState,
  query: RouteQuery,
  at: Instant,
): Bar | null {
  const refusal = refusalOf(refusals, query, at);
  return refusal === null ? null : bar("not_entitled", refusal.until);
}

function quotaBar(
  state: AccountState,
  { spent }: Limits,
  context: BarContext,
): Bar | null {
  const { query, settings, at } = context;
  const bench = benchAt(state.bench, at);
  const isSpent = bench.kind === "benched" && bench.reason.kind === "exhausted";
  if (isSpent) return bar("exhausted", latest(bench, spent));
  if (spent.kind === "spent" && spent.family === null) {
    return bar(spent.isOwnLimit ? "own_limit" : "exhausted", spent.until);
  }
  const family = familyBench(state, query, at);
  if (family !== null) return bar("family_exhausted", latest(family, spent));
  if (spent.kind === "spent") {
    const reason = spent.isOwnLimit ? "own_limit" : "family_exhausted";
    return bar(reason, spent.until);
  }
  if (bench.kind === "benched") return bar("benched", bench.until);
  if (spent.kind === "paid" && settings.planLimitsOnly) {
    return bar("overage", spent.until);
  }
  return spendBar(state, spent.kind === "paid", context);
}

/** Returns the limit in dollars that the query would pass, or null. */
function spendBar(
  state: AccountState,
  isPlanSpent: boolean,
  { query, paid, at }: BarContext,
): Bar | null {
  const { account } = state;
  if ((account.costMax ?? null) === null && paid.max === null) return null;
  if (!isPaidFor(state, isPlanSpent)) return null;
  const { costNanoMax = 0 } = query;
  const passed = passedLimit(paid, account, { costNanoMax, at });
  return passed === null ? null : bar(passed.reason, passed.until);
}

type Benched = Extract<Bench, { readonly kind: "benched" }>;

/** Of several spent windows, the latest reset counts. */
function latest(bench: Benched, spent: Limits["spent"]): Instant {
  return spent.kind === "spent" && spent.until > bench.until
    ? spent.until
    : bench.until;
}

function familyBench(
  { familyBenches }: AccountState,
  { families }: RouteQuery,
  at: Instant,
): Benched | null {
  if (familyBenches.size === 0) return null;
  let found: Benched | null = null;
  for (const family of families) {
    const known = familyBenches.get(family);
    const bench = known === undefined ? null : benchAt(known, at);
    if (bench?.kind !== "benched") continue;
    if (found === null || bench.until > found.until) found = bench;
  }
  return found;
}

/**
 * Wire room: the router's reasons against an account as people read them, in
 * Claude Code's error, in status, Deck and explain.
 *
 * @module
 */

import { benchAt } from "../core/bench.ts";
import type { Ineligible } from "../core/eligible.ts";
import type { AccountState } from "../core/pool.ts";
import { isRunning, type QuotaWindow, type WindowKey } from "../core/quota.ts";
import type { Instant } from "../core/time.ts";

/** The command that brings the account's login back. */
export function loginCommand({ account }: AccountState): string {
  const kind = account.kind === "api_key" ? " --api" : "";
  return `tc login${kind} --account ${account.label}`;
}

/** The router's reason against an account as a person reads it. */
export function barText(
  reason: Ineligible,
  state: AccountState,
  at: Instant,
): string {
  switch (reason) {
    case "disabled":
      return "off";
    case "excluded":
      return "could not serve this request";
    case "not_asked_for":
      return "not asked for";
    case "needs_login":
      return `needs login (${loginCommand(state)})`;
    case "quarantined":
      return "refused by the provider";
    case "exhausted":
      return `${windowWord(spentWindow(state, at))} spent`;
    case "family_exhausted":
      return "this model's weekly limit spent";
    case "benched":
      return benchText(state, at);
    case "own_limit":
      return "past your own limit";
    case "overage":
      return "only paid extra usage is left";
    case "probation":
      return "one trial at a time";
    case "reserve":
      return "kept in reserve";
    case "full":
      return "full";
  }
}

function benchText(state: AccountState, at: Instant): string {
  const bench = benchAt(state.bench, at);
  if (bench.kind !== "benched") return "resting";
  switch (bench.reason.kind) {
    case "exhausted":
      return `${windowWord(bench.reason.window)} spent`;
    case "throttled":
      return "throttled";
    case "overloaded":
      return "provider overloaded";
    case "unreachable":
      return "unreachable";
  }
}

/** Returns the spent window that ends last, which is the one that counts. */
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
    const isSpent = window.status === "rejected" ||
      (window.utilization ?? 0) >= 1;
    if (!isSpent || window.family !== null || !isRunning(window, at)) continue;
    if (last === null || (window.resetsAt ?? 0) > (last.resetsAt ?? 0)) {
      last = window;
    }
  }
  return last?.key ?? null;
}

/** `5h` and `7d` are known to everyone; other keys are put in words. */
export function windowWord(key: WindowKey | null): string {
  if (key === null) return "quota";
  if (key === "7d_oi") return "weekly Fable limit";
  const scoped = /^7d[:_](.+)$/.exec(key)?.[1];
  return scoped === undefined ? key : `weekly ${scoped} limit`;
}

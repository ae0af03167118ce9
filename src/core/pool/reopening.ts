/**
 * An account whose spent window has refilled. All clients were told the same
 * instant and return at once, so the account admits them in steps.
 *
 * @module
 */

import { inFlightOf } from "./fold_account.ts";
import type { Ramp } from "./lease.ts";
import { endsAt, isSpent } from "../quota/quota.ts";
import type { AccountState } from "./state.ts";
import type { Instant } from "../time.ts";

/**
 * Returns the admission steps that hold at `at`: those under way, or new ones
 * after a refill.
 */
export function rampOf(state: AccountState, at: Instant): Ramp | null {
  return isReopened(state, at)
    ? { since: at, base: inFlightOf(state) }
    : state.gate.ramp;
}

/** Returns whether a spent window refilled since the account was last used. */
function isReopened(
  { windows, lastUsedAt }: AccountState,
  at: Instant,
): boolean {
  for (const key in windows) {
    const window = windows[key];
    if (window === undefined || !isSpent(window)) continue;
    const end = endsAt(window);
    if (end <= at && (lastUsedAt === null || end > lastUsedAt)) return true;
  }
  return false;
}

/**
 * What a fault of a credential means for its account in the pool.
 *
 * @module
 */

import type { CredentialState } from "../core/pool.ts";
import { after, HOUR_MS, type Instant, MINUTE_MS } from "../core/time.ts";
import type { CredentialFault } from "../core/verdict.ts";

/**
 * How long each fault keeps the account out before it is tried again. Each may
 * pass without a login: a plan is paid, a region is left, an owner enables.
 */
const QUARANTINE_MS: Readonly<Record<CredentialFault, number>> = {
  expired: MINUTE_MS,
  oauth_refused: 5 * MINUTE_MS,
  organization_disabled: HOUR_MS,
  forbidden: 5 * MINUTE_MS,
  unavailable: MINUTE_MS,
};

/** The account rests for the fault's time, its reason shown. */
export function quarantined(
  fault: CredentialFault,
  now: Instant,
): CredentialState {
  return {
    kind: "quarantined",
    fault,
    until: after(now, QUARANTINE_MS[fault]),
  };
}

/** Words for people, by fault. */
export function faultText(fault: CredentialFault): string {
  switch (fault) {
    case "expired":
      return "the access token has ended and cannot be renewed now";
    case "oauth_refused":
      return "the organisation does not allow this login, or the plan has lapsed";
    case "organization_disabled":
      return "the provider has disabled the organisation";
    case "forbidden":
      return "the provider refuses this account from here";
    case "unavailable":
      return "the credential cannot be read or renewed now";
  }
}

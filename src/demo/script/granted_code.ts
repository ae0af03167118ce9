/**
 * What the fake sign-in page has granted and nobody has fetched yet.
 *
 * @module
 */

import type { Instant } from "../../core/time.ts";

/** A code that may be exchanged once. */
export interface GrantedCode {
  /** Name of the account that was chosen. */
  readonly account: string;
  /** The S256 challenge that the verifier must match. */
  readonly challenge: string;
  readonly redirectUri: string;
  readonly state: string;
  readonly scopes: readonly string[];
  readonly expiresAt: Instant;
}

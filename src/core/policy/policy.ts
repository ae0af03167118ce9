/**
 * What a routing policy is, and the settings that all of them share.
 *
 * @module
 */

export type PolicyName =
  | "price"
  | "pace"
  | "balance"
  | "cache-first"
  | "least-used"
  | "scored";

export const POLICY_NAMES: readonly PolicyName[] = [
  "price",
  "pace",
  "balance",
  "cache-first",
  "least-used",
  "scored",
];

export interface RouteSettings {
  readonly policy: PolicyName;
}

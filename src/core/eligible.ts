/**
 * The one list of reasons against an account. Every policy, explanation and
 * screen uses it.
 *
 * @module
 */

/** Why an account was passed over for a query, in the order of checking. */
export type Ineligible =
  | "disabled"
  | "excluded"
  | "not_asked_for"
  | "needs_login"
  | "quarantined"
  | "exhausted"
  | "family_exhausted"
  | "benched"
  | "probation"
  | "reserve"
  | "overage"
  | "full";

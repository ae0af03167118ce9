/**
 * When sign-ins end. A login is renewed by itself until then, and never after:
 * 30 days after it was made only a person can make a new one.
 *
 * @module
 */

import type { Account } from "./account.ts";
import { DAY_MS, type Instant } from "./time.ts";

/** From so long before its end on a person is told. */
const WARN_MS = 3 * DAY_MS;
/** What `tc login --due` renews in one sitting. */
const DUE_MS = 7 * DAY_MS;

/** How the sign-in of an account stands. */
export type SignIn =
  /** No end is known, or it is far. */
  | { readonly kind: "lasts" }
  | { readonly kind: "due" | "ends_soon" | "ended"; readonly at: Instant };

/** Returns how the sign-in of `account` stands at `at`. */
export function signInOf(
  { signInEndsAt }: Pick<Account, "signInEndsAt">,
  at: Instant,
): SignIn {
  if (signInEndsAt === null) return { kind: "lasts" };
  const leftMs = signInEndsAt - at;
  if (leftMs <= 0) return { kind: "ended", at: signInEndsAt };
  if (leftMs <= WARN_MS) return { kind: "ends_soon", at: signInEndsAt };
  return leftMs <= DUE_MS
    ? { kind: "due", at: signInEndsAt }
    : { kind: "lasts" };
}

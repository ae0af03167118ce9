/**
 * `oauthAccount` of `.claude.json`: whom Claude Code shows as logged in. It is
 * changed with the login; otherwise the client would show another person than
 * the one whose login it uses.
 *
 * @module
 */

import type { AccountIdentity } from "../../ports.ts";

type Document = Readonly<Record<string, unknown>>;

/** Claude Code's notes about an account; no secret. */
export type OAuthAccount = Readonly<Record<string, unknown>>;

const KEY = "oauthAccount";

export function oauthAccountOf(document: Document): OAuthAccount | null {
  const value = document[KEY];
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as OAuthAccount
    : null;
}

/** Returns whether `noted` is about the account of `identity`. */
export function isAccountOf(
  noted: OAuthAccount,
  { accountUuid, organizationUuid }: AccountIdentity,
): boolean {
  return noted["accountUuid"] === accountUuid &&
    noted["organizationUuid"] === organizationUuid;
}

interface AccountNotes {
  readonly identity: AccountIdentity;
  readonly email: string | null;
  readonly organization: string | null;
}

/** Returns the least that Claude Code needs to show the account. */
export function oauthAccountFor(notes: AccountNotes): OAuthAccount {
  const { identity, email, organization } = notes;
  return {
    accountUuid: identity.accountUuid,
    ...(email === null ? {} : { emailAddress: email }),
    organizationUuid: identity.organizationUuid,
    ...(organization === null ? {} : { organizationName: organization }),
  };
}

/** Returns `document` with `account` as the logged-in one. */
export function withOAuthAccount(
  document: Document,
  account: OAuthAccount,
): Document {
  return { ...document, [KEY]: account };
}

/**
 * `oauthAccount` of `.claude.json`: whom Claude Code shows as logged in. It
 * goes with the login, or the client shows another person than it serves.
 *
 * @module
 */

import type { AccountIdentity } from "../../ports.ts";

type Document = Readonly<Record<string, unknown>>;

/** What Claude Code notes of an account: no secret. */
export type OAuthAccount = Readonly<Record<string, unknown>>;

const KEY = "oauthAccount";

export function oauthAccountOf(document: Document): OAuthAccount | null {
  const value = document[KEY];
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as OAuthAccount
    : null;
}

/** Whether `noted` speaks of the account of `identity`. */
export function isAccountOf(
  noted: OAuthAccount,
  { accountUuid, organizationUuid }: AccountIdentity,
): boolean {
  return noted["accountUuid"] === accountUuid &&
    noted["organizationUuid"] === organizationUuid;
}

export interface AccountNotes {
  readonly identity: AccountIdentity;
  readonly email: string | null;
  readonly organization: string | null;
}

/** The least that Claude Code needs to show the account. */
export function oauthAccountFor(notes: AccountNotes): OAuthAccount {
  const { identity, email, organization } = notes;
  return {
    accountUuid: identity.accountUuid,
    ...(email === null ? {} : { emailAddress: email }),
    organizationUuid: identity.organizationUuid,
    ...(organization === null ? {} : { organizationName: organization }),
  };
}

/** `document` with `account` as the one that is logged in. */
export function withOAuthAccount(
  document: Document,
  account: OAuthAccount,
): Document {
  return { ...document, [KEY]: account };
}

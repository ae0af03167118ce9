/**
 * Credentials that another program holds as well. A refresh token is spent by
 * its first use, so whoever is first takes the login away from the other.
 *
 * The rule: tc reads the owner's store before it does anything, and takes what
 * the owner has renewed. It renews such a login itself only when the access
 * token has ended, or was refused, and the owner has done nothing about it; then
 * it hands the successor back to the owner, where it may, if the owner still
 * holds the token that was spent.
 *
 * @module
 */

import type {
  AccountIdentity,
  OAuthCredential,
  Secret,
  SharedFamily,
  VaultEntry,
} from "../ports.ts";
import type { Instant } from "../core/time.ts";
import { tokenHash } from "./account_id.ts";

/** The stores of other programs. */
export interface FamilyOwners {
  /** The owner's whole credential, or null where it has none now. */
  read(family: SharedFamily): Promise<OAuthCredential | null>;
  /**
   * Gives the owner the successor of `spent`, unless it holds another token by
   * now. Null where other programs' stores are not to be written.
   */
  readonly handBack:
    | ((
      family: SharedFamily,
      spent: Secret,
      next: OAuthCredential,
    ) => Promise<void>)
    | null;
}

export interface AdoptionPorts {
  readonly owners: FamilyOwners;
  readonly now: Instant;
  /** Whose a token is, or null when that cannot be told. */
  readonly identify: (token: Secret) => Promise<AccountIdentity | null>;
}

/**
 * What the owner has renewed, or null. A login of somebody else in the same
 * place is not taken: the owner may have changed accounts.
 */
export async function ownersRenewal(
  entry: VaultEntry,
  refused: Secret | null,
  { owners, now, identify }: AdoptionPorts,
): Promise<OAuthCredential | null> {
  const { sharedWith, identity, credential } = entry;
  if (sharedWith === null || identity === null || credential.kind !== "oauth") {
    return null;
  }
  const theirs = await owners.read(sharedWith);
  if (theirs === null || theirs.expiresAt <= now) return null;
  const isNew = !theirs.accessToken.equals(credential.accessToken) &&
    (refused === null || !theirs.accessToken.equals(refused));
  if (!isNew || await isSpent(theirs, entry)) return null;
  const owner = await identify(theirs.accessToken);
  const isOurs = owner !== null && owner.accountUuid === identity.accountUuid &&
    owner.organizationUuid === identity.organizationUuid;
  return isOurs ? theirs : null;
}

/** Whether its owner still shows what was spent for the entry's own tokens. */
async function isSpent(
  { refreshToken }: OAuthCredential,
  { refusedTokenHash }: VaultEntry,
): Promise<boolean> {
  return refusedTokenHash !== null &&
    refusedTokenHash === await tokenHash(refreshToken);
}

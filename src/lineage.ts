/**
 * Which refresh token descends from which. The clock cannot tell: a login that
 * was renewed elsewhere may have ended by its own note, and a spent one may
 * look valid for hours.
 *
 * @module
 */

import type { OAuthCredential, RefreshToken, VaultEntry } from "./ports.ts";

/** Generations remembered: at eight hours each, three weeks. */
const ANCESTORS_MAX = 64;

/**
 * How a refresh token relates to the one of an entry: the `same`; `older`, an
 * ancestor that is spent; `refused` by the provider; or `unknown`, which for a
 * login of the same family means its successor.
 */
type Kinship = "same" | "older" | "refused" | "unknown";

/** Returns how `token` relates to the login of `entry`. */
export function kinship(
  { credential, ancestors, refusedTokenHash }: VaultEntry,
  token: RefreshToken,
): Kinship {
  const hash = token.hash();
  const isOurs = credential.kind === "oauth" &&
    credential.refreshToken.equals(token);
  if (isOurs) return hash === refusedTokenHash ? "refused" : "same";
  // Vaults from before lineage note the last spent token as a refused one.
  return ancestors.includes(hash) || hash === refusedTokenHash
    ? "older"
    : "unknown";
}

/** Returns whether the provider has refused the entry's refresh token for good. */
export function isDead({ credential, refusedTokenHash }: VaultEntry): boolean {
  return credential.kind === "oauth" && refusedTokenHash !== null &&
    credential.refreshToken.hash() === refusedTokenHash;
}

/**
 * Returns `entry` with the login `next`; its previous token becomes an
 * ancestor.
 */
export function movedOn(
  entry: VaultEntry,
  next: OAuthCredential,
): VaultEntry & { readonly credential: OAuthCredential } {
  const { credential, ancestors } = entry;
  const isSame = credential.kind !== "oauth" ||
    credential.refreshToken.equals(next.refreshToken);
  return {
    ...entry,
    credential: {
      ...next,
      // Another program's store seldom says when the sign-in ends.
      signInEndsAt: next.signInEndsAt ??
        (credential.kind === "oauth" ? credential.signInEndsAt : null),
    },
    ancestors: isSame
      ? ancestors
      : [credential.refreshToken.hash(), ...ancestors].slice(0, ANCESTORS_MAX),
    refusedTokenHash: null,
  };
}

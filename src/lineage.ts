/**
 * Which refresh token descends from which. The clock says nothing about that:
 * a login that was renewed elsewhere may have ended by its own note, and one
 * that was spent may look good for hours.
 *
 * @module
 */

import type { OAuthCredential, RefreshToken, VaultEntry } from "./ports.ts";

/** So many generations are remembered: eight hours each make three weeks. */
const ANCESTORS_MAX = 64;

/**
 * How a refresh token stands to the one of an entry: the `same`; `older`, one
 * that the entry's descends from and that is spent; `refused` by the provider;
 * or `unknown`, which for a login of the same family means its successor.
 */
export type Kinship = "same" | "older" | "refused" | "unknown";

/** Returns how `token` stands to the login of `entry`. */
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

/** Returns `entry` with `next` for its login; what it had is an ancestor now. */
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
      // A store of another program seldom says when the sign-in ends.
      signInEndsAt: next.signInEndsAt ??
        (credential.kind === "oauth" ? credential.signInEndsAt : null),
    },
    ancestors: isSame
      ? ancestors
      : [credential.refreshToken.hash(), ...ancestors].slice(0, ANCESTORS_MAX),
    refusedTokenHash: null,
  };
}

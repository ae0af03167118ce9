/**
 * What to do about one account's credential, decided under its lock on what the
 * vault says at that moment.
 *
 * @module
 */

import { type Instant, MINUTE_MS, SECOND_MS } from "../core/time.ts";
import type { OAuthCredential, Secret, VaultEntry } from "../ports.ts";
import { tokenHash } from "./account_id.ts";
import { fetchProfile, profileQuestion } from "./profile.ts";
import {
  isOAuth,
  type OAuthEntry,
  type RefreshPorts,
} from "./refresh_ports.ts";
import { ownersRenewal } from "./shared_family.ts";
import { spendRefreshToken } from "./spend_refresh_token.ts";

/** A token that was refused right after it was made is no better made again. */
const FLOOR_MS = 10 * SECOND_MS;
/** How long before its end a token is renewed. */
const AHEAD_MS = 5 * MINUTE_MS;
/** Of a short-lived token only this part of its life is given away. */
const AHEAD_PART = 1 / 4;

/** Why an account needs a login for good. */
export const DEAD_TOKEN = "the provider knows the refresh token no more";

export type RenewalStep =
  /** The entry as it is will do. */
  | { readonly kind: "keep"; readonly entry: VaultEntry }
  /** We have spent the refresh token for this. */
  | { readonly kind: "spent"; readonly credential: OAuthCredential }
  /** The other holder of the login has renewed it. */
  | { readonly kind: "adopt"; readonly credential: OAuthCredential }
  /** Another holder was faster: read the vault. */
  | { readonly kind: "reread" }
  /** The refresh token is dead by the provider's own word. */
  | { readonly kind: "bury" }
  | { readonly kind: "needs_login"; readonly reason: string }
  | {
    readonly kind: "failed";
    readonly reason: string;
    readonly retryAfterMs: number | null;
  };

/**
 * Whether `entry` serves: another token than `refused`, or without one a token
 * that is not about to end.
 */
export function isGood(
  entry: VaultEntry,
  refused: Secret | null,
  now: Instant,
): boolean {
  if (!isOAuth(entry)) return refused === null;
  const { accessToken, expiresAt } = entry.credential;
  const leftMs = expiresAt - now;
  if (refused !== null) return !accessToken.equals(refused) && leftMs > 0;
  const lifeMs = Math.max(0, expiresAt - entry.savedAt);
  return leftMs > Math.min(AHEAD_MS, lifeMs * AHEAD_PART);
}

/** Decides for `entry`, and spends its refresh token where nothing else helps. */
export async function nextStep(
  entry: VaultEntry,
  refused: Secret | null,
  ports: RefreshPorts,
): Promise<RenewalStep> {
  const now = ports.clock.now();
  if (isGood(entry, refused, now)) return { kind: "keep", entry };
  if (!isOAuth(entry)) {
    return { kind: "needs_login", reason: "the provider refuses the key" };
  }
  const theirs = await readOwner(entry, refused, ports);
  if (theirs !== null) return { kind: "adopt", credential: theirs };
  const isLeftToOwner = entry.sharedWith !== null && refused === null &&
    entry.credential.expiresAt > now;
  if (isLeftToOwner) return { kind: "keep", entry };
  const { refreshToken } = entry.credential;
  if (entry.refusedTokenHash === await tokenHash(refreshToken)) {
    return { kind: "needs_login", reason: DEAD_TOKEN };
  }
  const ageMs = now - entry.savedAt;
  if (refused !== null && ageMs >= 0 && ageMs < FLOOR_MS) {
    return {
      kind: "needs_login",
      reason: "the provider refuses a token that it has just given",
    };
  }
  return await spend(entry, refused, ports);
}

async function spend(
  entry: OAuthEntry,
  refused: Secret | null,
  ports: RefreshPorts,
): Promise<RenewalStep> {
  const { clock, client, provider, vault } = ports;
  const { refreshToken } = entry.credential;
  const spent = await spendRefreshToken(entry.credential, {
    provider,
    client,
    clock,
    // Stopping half-way could lose the successor: only time limits end it.
    signal: new AbortController().signal,
    async isSuperseded() {
      if (await readOwner(entry, refused, ports) !== null) return true;
      const stored = await vault.get(entry.id);
      return stored === null || !isOAuth(stored) ||
        !stored.credential.refreshToken.equals(refreshToken);
    },
  });
  await ports.onAnswer?.(entry.id);
  switch (spent.kind) {
    case "tokens":
      return { kind: "spent", credential: spent.credential };
    case "superseded":
      return { kind: "reread" };
    case "dead":
      return { kind: "bury" };
    case "failed":
      return spent;
  }
}

/** What the owner of a shared login has renewed, or null. */
export async function readOwner(
  entry: VaultEntry,
  refused: Secret | null,
  { owners, clock, client, provider }: RefreshPorts,
): Promise<OAuthCredential | null> {
  if (owners === null) return null;
  return await ownersRenewal(entry, refused, {
    owners,
    now: clock.now(),
    async identify(token) {
      const question = profileQuestion(provider, token);
      const { signal } = new AbortController();
      const outcome = await fetchProfile(client, question, signal);
      return outcome.kind === "known" ? outcome.profile.identity : null;
    },
  });
}

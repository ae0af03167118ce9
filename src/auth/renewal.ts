/**
 * When a credential serves, and when its refresh token may not be spent.
 *
 * @module
 */

import { type Instant, MINUTE_MS, SECOND_MS } from "../core/time.ts";
import type { Secret, VaultEntry } from "../ports.ts";
import { isDead } from "../lineage.ts";
import { isOAuth, type OAuthEntry } from "./refresh_ports.ts";

/** A token that was refused right after it was made is no better made again. */
const FLOOR_MS = 10 * SECOND_MS;
/** How long before its end a token is renewed. */
const AHEAD_MS = 5 * MINUTE_MS;
/** Of a short-lived token only this part of its life is given away. */
const AHEAD_PART = 1 / 4;

/** Why an account needs a login for good. */
export const DEAD_TOKEN = "the provider no longer accepts this login";

/**
 * Returns whether `entry` serves: another token than `refused`, or without one
 * a token that is not about to end.
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

/**
 * Returns whether the access token of `entry` is over by its own note. That
 * decides when to renew, and never whose a login is or which of two is newer.
 */
export function hasEnded(entry: OAuthEntry, now: Instant): boolean {
  return entry.credential.expiresAt <= now;
}

/** Why a refresh token may not be spent now. */
export type Reluctance =
  /** Only a person helps. */
  | { readonly kind: "dead"; readonly reason: string }
  /** The token was made a moment ago: time may help, another one hardly. */
  | { readonly kind: "fresh"; readonly reason: string };

/** Returns why the refresh token of `entry` may not be spent now, or null. */
export function whyNotSpent(
  entry: OAuthEntry,
  refused: Secret | null,
  now: Instant,
): Reluctance | null {
  if (isDead(entry)) return { kind: "dead", reason: deadReason(entry, now) };
  const ageMs = now - entry.savedAt;
  return refused !== null && ageMs >= 0 && ageMs < FLOOR_MS
    ? {
      kind: "fresh",
      reason: "the provider refuses a token that it has just given",
    }
    : null;
}

/** Returns why a dead login is dead: its time was up, or it was refused. */
export function deadReason(entry: VaultEntry, now: Instant): string {
  const { credential } = entry;
  const endsAt = credential.kind === "oauth" ? credential.signInEndsAt : null;
  return endsAt !== null && endsAt <= now ? ENDED_SIGN_IN : DEAD_TOKEN;
}

/** Why a login needs a person again though nobody has refused it. */
export const ENDED_SIGN_IN = "its sign-in ended 30 days after its login";

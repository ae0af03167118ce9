/**
 * A login that another program holds too: which of the two is ahead, decided by
 * lineage, and the renewal of a login that only its owner's store has.
 *
 * @module
 */

import { TcError } from "../../errors.ts";
import type {
  AccountIdentity,
  OAuthCredential,
  VaultEntry,
} from "../../ports.ts";
import type { OwnerHold, OwnerReading } from "./family_owners.ts";
import { kinship, movedOn } from "../../lineage.ts";
import {
  type AccountProfile,
  fetchProfile,
  type ProfileOutcome,
  profileQuestion,
} from "../sign_in/profile.ts";
import type { RefreshPorts } from "../provider.ts";
import { spendRefreshToken } from "../spend_refresh_token.ts";

const WRITE_TRIES_MAX = 2;

/** How the owner's store compares with the vault's entry. */
type Standing =
  /** Both hold the same refresh token; `theirs` may have another access token. */
  | { readonly kind: "same"; readonly theirs: OAuthCredential }
  /** The owner shows an ancestor of our token: it must get ours. */
  | { readonly kind: "behind"; readonly theirs: OAuthCredential }
  /** The owner has renewed the login: its token is the successor. */
  | { readonly kind: "ahead"; readonly theirs: OAuthCredential }
  /** The owner's store no longer holds this login. */
  | { readonly kind: "elsewhere" }
  /** It cannot be determined now, so nothing may be spent. */
  | { readonly kind: "unclear"; readonly reason: string };

/**
 * Returns how the owner's store compares with `entry`. A token that the vault
 * has never seen is the successor if it belongs to the same person. The
 * provider says whose it is, else the store does, else a renewal in the owner's
 * own place.
 */
export async function standingOf(
  entry: VaultEntry,
  hold: OwnerHold,
  ports: RefreshPorts,
): Promise<Standing> {
  const reading = await hold.read();
  if (reading.kind === "none") return { kind: "elsewhere" };
  if (reading.kind === "unreadable") {
    return { kind: "unclear", reason: reading.reason };
  }
  const { credential: theirs } = reading;
  switch (kinship(entry, theirs.refreshToken)) {
    case "same":
    case "refused":
      return { kind: "same", theirs };
    case "older":
      return { kind: "behind", theirs };
    case "unknown":
      return await standingOfUnknown(entry, reading, { hold, ports });
  }
}

async function standingOfUnknown(
  entry: VaultEntry,
  reading: Extract<OwnerReading, { kind: "login" }>,
  { hold, ports }: {
    readonly hold: OwnerHold;
    readonly ports: RefreshPorts;
  },
): Promise<Standing> {
  const { credential: theirs } = reading;
  const asked = await whoseIs(theirs, ports);
  const owner = asked.kind === "known"
    ? asked.profile.identity
    : reading.identity;
  if (owner !== null) return judged(entry, owner, theirs);
  if (asked.kind === "unavailable") {
    return {
      kind: "unclear",
      reason: "the provider does not say whose login its owner has",
    };
  }
  const renewed = await renewInPlace(theirs, hold, ports);
  switch (renewed.kind) {
    case "renewed":
      return renewed.profile === null
        ? {
          kind: "unclear",
          reason: "the provider does not say whose login its owner has",
        }
        : judged(entry, renewed.profile.identity, renewed.credential);
    case "dead":
      return { kind: "elsewhere" };
    case "failed":
      return { kind: "unclear", reason: renewed.reason };
  }
}

function judged(
  { identity }: VaultEntry,
  owner: AccountIdentity,
  theirs: OAuthCredential,
): Standing {
  if (identity === null) {
    return { kind: "unclear", reason: "whose login this is was never known" };
  }
  return isSamePerson(identity, owner)
    ? { kind: "ahead", theirs }
    : { kind: "elsewhere" };
}

/** Returns whether both are one person in one organisation. */
export function isSamePerson(a: AccountIdentity, b: AccountIdentity): boolean {
  return a.accountUuid === b.accountUuid &&
    a.organizationUuid === b.organizationUuid;
}

/**
 * Asks the provider, free of charge and whatever the clock says, whose it is.
 */
export function whoseIs(
  { accessToken }: OAuthCredential,
  { client, provider }: Pick<RefreshPorts, "client" | "provider">,
): Promise<ProfileOutcome> {
  const question = profileQuestion(provider, accessToken);
  return fetchProfile(client, question, new AbortController().signal);
}

type RenewedInPlace =
  | {
    readonly kind: "renewed";
    readonly credential: OAuthCredential;
    readonly profile: AccountProfile | null;
  }
  /** The provider no longer knows the login. */
  | { readonly kind: "dead" }
  | { readonly kind: "failed"; readonly reason: string };

/**
 * Renews a login that only its owner's store has, because nothing else tells
 * whose it is. The successor goes to that store before anybody uses it.
 */
export async function renewInPlace(
  seen: OAuthCredential,
  hold: OwnerHold,
  ports: RefreshPorts,
): Promise<RenewedInPlace> {
  const obstacle = hold.handBack === null
    ? "tc does not write its owner's store"
    : await hold.obstacle();
  if (obstacle !== null) return { kind: "failed", reason: obstacle };
  const spent = await spendRefreshToken(seen, {
    ...ports,
    signal: new AbortController().signal,
    async isSuperseded() {
      const now = await hold.read();
      return now.kind === "login" &&
        !now.credential.refreshToken.equals(seen.refreshToken);
    },
  });
  switch (spent.kind) {
    case "dead":
      return { kind: "dead" };
    case "superseded":
      return { kind: "failed", reason: "its owner is renewing it" };
    case "failed":
      return { kind: "failed", reason: spent.reason };
    case "tokens": {
      const { credential } = spent;
      const isThere = await isHandedBack(seen, credential, hold);
      const asked = await whoseIs(credential, ports);
      const profile = asked.kind === "known" ? asked.profile : null;
      if (!isThere) await keepInVault(seen, credential, { profile, ports });
      return { kind: "renewed", credential, profile };
    }
  }
}

/** A failed write is tried again, because the predecessor is worthless now. */
async function isHandedBack(
  spent: OAuthCredential,
  next: OAuthCredential,
  { handBack }: OwnerHold,
): Promise<boolean> {
  for (let tries = 1; tries <= WRITE_TRIES_MAX; tries++) {
    try {
      return await handBack?.(spent.refreshToken, next) ?? false;
    } catch (cause) {
      if (!(cause instanceof TcError)) throw cause;
      // The vault stores the login if its own place cannot.
    }
  }
  return false;
}

/** The owner's store could not be written: the vault is the only holder now. */
async function keepInVault(
  spent: OAuthCredential,
  next: OAuthCredential,
  { profile, ports }: {
    readonly profile: AccountProfile | null;
    readonly ports: RefreshPorts;
  },
): Promise<void> {
  const { vault, clock } = ports;
  const { entries } = await vault.list();
  const owner = entries.find(({ identity }) =>
    profile !== null && identity !== null &&
    isSamePerson(identity, profile.identity)
  );
  const kept = owner === undefined
    ? null
    : await vault.update(owner.id, (entry) => ({
      ...movedOn(movedOn(entry, spent), next),
      savedAt: clock.now(),
    }));
  if (kept !== null) return;
  throw new TcError(
    "Cannot keep the login: its owner's store could not be written after it was renewed",
    { code: "login_lost", hint: "claude /login" },
  );
}

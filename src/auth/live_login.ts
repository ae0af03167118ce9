/**
 * A place where another program keeps one login and renews it by itself:
 * whose it is, and taking over what was renewed there.
 *
 * @module
 */

import { TcError } from "../errors.ts";
import type {
  AccountIdentity,
  HeldLock,
  OAuthCredential,
  SharedFamily,
  VaultEntry,
} from "../ports.ts";
import type {
  ClaudeLogin,
  ClaudeLoginReading,
} from "../wire/claude_credential.ts";
import { tokenHash } from "./account_id.ts";
import {
  type AccountProfile,
  fetchProfile,
  profileQuestion,
} from "./profile.ts";
import type { RefreshPorts } from "./refresh_ports.ts";
import { spendRefreshToken } from "./spend_refresh_token.ts";

/** What the place held at one moment. */
export interface LoginSnapshot {
  readonly reading: ClaudeLoginReading;
  readonly text: string | null;
}

export interface LivePlace {
  /** As {@linkcode SharedFamily} names it. */
  readonly location: string;
  read(): Promise<LoginSnapshot>;
  /** Puts another account's login there; false if the place has changed. */
  replace(before: LoginSnapshot, login: ClaudeLogin): Promise<boolean>;
  /** Puts the successor of the login there; false if the place has changed. */
  renew(before: LoginSnapshot, login: ClaudeLogin): Promise<boolean>;
  /** The lock under which its program renews. */
  lock(): Promise<HeldLock>;
}

/** Whose the login of a place is. */
export type LiveLogin =
  /** None, a blank one, or one that the provider knows no more. */
  | { readonly kind: "none"; readonly snapshot: LoginSnapshot }
  /** An account of the vault, which has what the place has, or newer. */
  | {
    readonly kind: "known";
    readonly snapshot: LoginSnapshot;
    readonly entry: VaultEntry;
    /** The place holds the very tokens that the vault holds. */
    readonly isCurrent: boolean;
  }
  /** Somebody who is not in the vault. */
  | {
    readonly kind: "stranger";
    readonly snapshot: LoginSnapshot;
    readonly profile: AccountProfile;
  }
  /** It cannot be told now; nothing may be written over it. */
  | {
    readonly kind: "unclear";
    readonly snapshot: LoginSnapshot;
    readonly reason: string;
  };

const LOCK_WAIT_MS = 60_000;
const WRITE_TRIES_MAX = 2;

/**
 * Looks at `place` and brings the vault up to date with what its program has
 * renewed. A login is attributed by the provider's profile alone, never by a
 * name; blank or half-written ones are never stored.
 */
export async function harvest(
  place: LivePlace,
  ports: RefreshPorts,
): Promise<LiveLogin> {
  const snapshot = await place.read();
  const { reading } = snapshot;
  if (reading.kind !== "found") return { kind: "none", snapshot };
  const { credential } = reading.login;
  const { entries } = await ports.vault.list();
  const twin = entries.find(({ credential: ours }) =>
    ours.kind === "oauth" && ours.refreshToken.equals(credential.refreshToken)
  );
  if (twin !== undefined) {
    return await known(twin, credential, { place, snapshot, ports });
  }
  const hash = await tokenHash(credential.refreshToken);
  if (entries.some(({ refusedTokenHash }) => refusedTokenHash === hash)) {
    return { kind: "none", snapshot };
  }
  if (credential.expiresAt <= ports.clock.now()) {
    return await afterRenewal(place, snapshot, ports);
  }
  const { client, provider } = ports;
  const outcome = await fetchProfile(
    client,
    profileQuestion(provider, credential.accessToken),
    new AbortController().signal,
  );
  switch (outcome.kind) {
    case "known": {
      const { profile } = outcome;
      const owner = ownerOf(entries, profile.identity);
      return owner === null
        ? { kind: "stranger", snapshot, profile }
        : await known(owner, credential, { place, snapshot, ports });
    }
    case "refused":
      return await afterRenewal(place, snapshot, ports);
    case "unavailable":
      return {
        kind: "unclear",
        snapshot,
        reason: "the provider does not tell whose it is",
      };
  }
}

/** The entry of `identity`, or null. */
export function ownerOf(
  entries: readonly VaultEntry[],
  identity: AccountIdentity,
): VaultEntry | null {
  return entries.find(({ identity: other }) =>
    other?.accountUuid === identity.accountUuid &&
    other.organizationUuid === identity.organizationUuid
  ) ?? null;
}

interface Found {
  readonly place: LivePlace;
  readonly snapshot: LoginSnapshot;
  readonly ports: RefreshPorts;
}

/** Takes `live` into the vault where it is newer than what is there. */
async function known(
  owner: VaultEntry,
  live: OAuthCredential,
  { place, snapshot, ports }: Found,
): Promise<LiveLogin> {
  const { vault, locks } = ports;
  using _lock = await locks.acquire(owner.id, { waitMs: LOCK_WAIT_MS });
  const stored = await vault.get(owner.id);
  const isTaken = stored !== null && await isNewer(live, stored);
  const entry = isTaken
    ? await vault.update(owner.id, (before) => ({
      ...before,
      credential: live,
      sharedWith: familyOf(place),
      refusedTokenHash: null,
    }))
    : stored;
  // Removed meanwhile: what it was is found out at the next look.
  if (entry === null) {
    return { kind: "unclear", snapshot, reason: "its account was removed" };
  }
  const { credential } = entry;
  const isCurrent = credential.kind === "oauth" &&
    credential.refreshToken.equals(live.refreshToken) &&
    credential.accessToken.equals(live.accessToken);
  return { kind: "known", snapshot, entry, isCurrent };
}

async function isNewer(
  live: OAuthCredential,
  { credential, refusedTokenHash }: VaultEntry,
): Promise<boolean> {
  if (credential.kind !== "oauth") return false;
  if (credential.accessToken.equals(live.accessToken)) return false;
  if (live.expiresAt > credential.expiresAt) return true;
  return refusedTokenHash === await tokenHash(credential.refreshToken);
}

/** The family of a login that lives in `place` and in the vault. */
export function familyOf(place: LivePlace): SharedFamily {
  return { tool: "claude_code", location: place.location };
}

/**
 * The profile of a login whose access token has ended can be had only by
 * renewing it. The successor goes to the place first: it is durable there
 * before anybody uses it.
 */
async function afterRenewal(
  place: LivePlace,
  snapshot: LoginSnapshot,
  ports: RefreshPorts,
): Promise<LiveLogin> {
  const renewed = await renewInPlace(place, snapshot, ports);
  if (renewed === "dead") return { kind: "none", snapshot };
  return renewed === "renewed"
    ? await harvest(place, ports)
    : { kind: "unclear", snapshot, reason: renewed.reason };
}

type Renewed = "renewed" | "dead" | { readonly reason: string };

async function renewInPlace(
  place: LivePlace,
  seen: LoginSnapshot,
  ports: RefreshPorts,
): Promise<Renewed> {
  using _lock = await place.lock();
  const before = await place.read();
  // Its own program was faster: what is there now is looked at anew.
  if (before.text !== seen.text) return "renewed";
  if (before.reading.kind !== "found") return "dead";
  const { login } = before.reading;
  const spent = await spendRefreshToken(login.credential, {
    ...ports,
    signal: new AbortController().signal,
    isSuperseded: async () => (await place.read()).text !== before.text,
  });
  switch (spent.kind) {
    case "dead":
      return "dead";
    case "superseded":
      return "renewed";
    case "failed":
      return { reason: spent.reason };
    case "tokens": {
      const { credential } = spent;
      const next = { ...login, credential };
      if (await isWritten(place, before, next)) return "renewed";
      return await keepElsewhere(login.credential, credential, ports);
    }
  }
}

/** A write that failed is tried again: the predecessor is worth nothing now. */
async function isWritten(
  place: LivePlace,
  before: LoginSnapshot,
  next: ClaudeLogin,
): Promise<boolean> {
  for (let tries = 1; tries <= WRITE_TRIES_MAX; tries++) {
    try {
      return await place.renew(before, next);
    } catch {
      // The vault takes it where the place cannot.
    }
  }
  return false;
}

/**
 * The place could not be written, or somebody else has written it: the
 * successor is its owner's still, and the spent token is never sent again.
 */
async function keepElsewhere(
  spent: OAuthCredential,
  credential: OAuthCredential,
  ports: RefreshPorts,
): Promise<Renewed> {
  const { client, provider, vault, clock } = ports;
  const outcome = await fetchProfile(
    client,
    profileQuestion(provider, credential.accessToken),
    new AbortController().signal,
  );
  const { entries } = await vault.list();
  const owner = outcome.kind === "known"
    ? ownerOf(entries, outcome.profile.identity)
    : null;
  if (owner === null) {
    throw new TcError(
      "Cannot keep the login: its place could not be written",
      { code: "login_lost", hint: "claude /login" },
    );
  }
  const isStillGood = spent.refreshToken.equals(credential.refreshToken);
  const refusedTokenHash = isStillGood
    ? null
    : await tokenHash(spent.refreshToken);
  await vault.update(owner.id, (entry) => ({
    ...entry,
    credential,
    savedAt: clock.now(),
    sharedWith: null,
    refusedTokenHash,
  }));
  return "renewed";
}

/**
 * A place where another program keeps one login and renews it by itself:
 * whose it is, and taking over what was renewed there.
 *
 * @module
 */

import type {
  AccountIdentity,
  OAuthCredential,
  VaultEntry,
} from "../../ports.ts";
import type {
  ClaudeLogin,
  ClaudeLoginReading,
} from "../../wire/claude_credential.ts";
import { isDead, kinship, movedOn } from "../../lineage.ts";
import {
  familyOf,
  holdPlace,
  type LivePlace,
  type LoginSnapshot,
} from "./live_place.ts";
import type { AccountProfile } from "../sign_in/profile.ts";
import { isOAuth, type RefreshPorts } from "../provider.ts";
import { isSamePerson, renewInPlace, whoseIs } from "./shared_login.ts";
import { AccountCredential } from "../account_credential.ts";
import { hasEnded } from "../renewal.ts";

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
/** The place may be renewed by its program while it is looked at. */
const LOOKS_MAX = 3;

/** Returns the entry of `identity`, or null. */
function ownerOf(
  entries: readonly VaultEntry[],
  identity: AccountIdentity,
): VaultEntry | null {
  return entries.find(({ identity: other }) =>
    other !== null && isSamePerson(other, identity)
  ) ?? null;
}

/**
 * Looks at `place` and brings vault and place together: the vault gets what its
 * program has renewed, the place what tc has. Lineage says which of the two is
 * ahead, the provider whose a login is that the vault has never seen; a name or
 * the clock says neither. Blank or half-written logins are never stored.
 */
export async function harvest(
  place: LivePlace,
  ports: RefreshPorts,
): Promise<LiveLogin> {
  for (let looks = 1;; looks++) {
    const live = await look(place, ports);
    if (live !== "look_again") return live;
    if (looks < LOOKS_MAX) continue;
    const snapshot = await place.read();
    return { kind: "unclear", snapshot, reason: "it changes all the time" };
  }
}

async function look(
  place: LivePlace,
  ports: RefreshPorts,
): Promise<LiveLogin | "look_again"> {
  const snapshot = await place.read();
  const { reading } = snapshot;
  const { entries } = await ports.vault.list();
  if (reading.kind === "token") {
    return ofToken(entries, reading.token, snapshot);
  }
  if (reading.kind !== "found") return { kind: "none", snapshot };
  const { credential } = reading.login;
  for (const entry of entries) {
    switch (kinship(entry, credential.refreshToken)) {
      case "same":
        return await known(entry, credential, { place, snapshot, ports });
      case "older":
        return await catchUp(entry, { place, snapshot, ports });
      case "refused":
        return { kind: "none", snapshot };
      case "unknown":
        continue;
    }
  }
  return await lookAtUnknown(reading.login, entries, {
    place,
    snapshot,
    ports,
  });
}

/** A token that nothing renews is known by itself, or must be imported. */
function ofToken(
  entries: readonly VaultEntry[],
  token: Extract<ClaudeLoginReading, { kind: "token" }>["token"],
  snapshot: LoginSnapshot,
): LiveLogin {
  const entry = entries.find(({ credential }) =>
    credential.kind === "setup_token" && credential.token.equals(token)
  );
  return entry === undefined
    ? {
      kind: "unclear",
      snapshot,
      reason: "it is a setup token that is not in the pool",
    }
    : { kind: "known", snapshot, entry, isCurrent: true };
}

interface Found {
  readonly place: LivePlace;
  readonly snapshot: LoginSnapshot;
  readonly ports: RefreshPorts;
}

/** A login that the vault has never seen: its owner is asked of the provider. */
async function lookAtUnknown(
  login: ClaudeLogin,
  entries: readonly VaultEntry[],
  found: Found,
): Promise<LiveLogin | "look_again"> {
  const { snapshot, ports, place } = found;
  const asked = await whoseIs(login.credential, ports);
  switch (asked.kind) {
    case "known": {
      const { profile } = asked;
      const owner = ownerOf(entries, profile.identity);
      return owner === null
        ? { kind: "stranger", snapshot, profile }
        : await known(owner, login.credential, found);
    }
    case "refused": {
      const renewed = await renewedInPlace(place, snapshot, ports);
      if (renewed === "renewed") return "look_again";
      return renewed === "dead"
        ? { kind: "none", snapshot }
        : { kind: "unclear", snapshot, reason: renewed.reason };
    }
    case "unavailable": {
      const { identity } = login;
      const owner = identity === null ? null : ownerOf(entries, identity);
      return owner === null
        ? {
          kind: "unclear",
          snapshot,
          reason: "the provider does not tell whose it is",
        }
        : await known(owner, login.credential, found);
    }
  }
}

/**
 * Takes `live` into the vault where it is the successor of what is there, or
 * where what is there is dead. A second login of the same person, made beside
 * one that tc has to itself, is left alone.
 */
async function known(
  owner: VaultEntry,
  live: OAuthCredential,
  { place, snapshot, ports }: Found,
): Promise<LiveLogin | "look_again"> {
  const { vault, locks } = ports;
  using _lock = await locks.acquire(owner.id, { waitMs: LOCK_WAIT_MS });
  // Whoever held the lock may have taken a later one from there: what was read
  // before is its ancestor then, and the vault may never have seen it.
  if ((await place.read()).text !== snapshot.text) return "look_again";
  const entry = await vault.update(
    owner.id,
    (stored) =>
      isSuccessor(live, stored, place)
        ? { ...movedOn(stored, live), sharedWith: familyOf(place) }
        : stored,
  );
  // Removed meanwhile: what it was is found out at the next look.
  if (entry === null) return "look_again";
  const { credential } = entry;
  const isCurrent = credential.kind === "oauth" &&
    credential.refreshToken.equals(live.refreshToken) &&
    credential.accessToken.equals(live.accessToken);
  return { kind: "known", snapshot, entry, isCurrent };
}

function isSuccessor(
  live: OAuthCredential,
  stored: VaultEntry,
  place: LivePlace,
): boolean {
  const { credential, sharedWith } = stored;
  if (credential.kind !== "oauth") return false;
  switch (kinship(stored, live.refreshToken)) {
    case "unknown":
      return isDead(stored) || sharedWith?.location === place.location;
    case "same":
      return !credential.accessToken.equals(live.accessToken) &&
        live.expiresAt > credential.expiresAt;
    case "older":
    case "refused":
      return false;
  }
}

/** The place shows a token that is spent: it gets the one that is not. */
async function catchUp(
  owner: VaultEntry,
  { place, snapshot, ports }: Found,
): Promise<LiveLogin | "look_again"> {
  const { vault, locks } = ports;
  using _lock = await locks.acquire(owner.id, { waitMs: LOCK_WAIT_MS });
  const entry = await vault.get(owner.id);
  if (entry === null) return "look_again";
  const isShared = entry.sharedWith?.location === place.location;
  if (!isShared || !isOAuth(entry) || isDead(entry)) {
    return { kind: "known", snapshot, entry, isCurrent: false };
  }
  const hold = await holdPlace(place);
  try {
    const theirs = await hold.read();
    const isBehind = theirs.kind === "login" &&
      kinship(entry, theirs.credential.refreshToken) === "older";
    if (isBehind) {
      await hold.handBack?.(theirs.credential.refreshToken, entry.credential);
    }
  } finally {
    await hold.release();
  }
  return "look_again";
}

/** Renews the login of `place` there, unless its program was faster. */
async function renewedInPlace(
  place: LivePlace,
  seen: LoginSnapshot,
  ports: RefreshPorts,
): Promise<"renewed" | "dead" | { readonly reason: string }> {
  const hold = await holdPlace(place);
  try {
    const before = await place.read();
    if (before.text !== seen.text) return "renewed";
    if (before.reading.kind !== "found") return "dead";
    const { credential } = before.reading.login;
    const renewed = await renewInPlace(credential, hold, ports);
    return renewed.kind === "failed" ? renewed : renewed.kind;
  } finally {
    await hold.release();
  }
}

// A login in its program's own store, made ready for that program's next
// start.

/** How a revival ends; `reason` is a clause. */
type Revival =
  | { readonly kind: "lives" }
  | { readonly kind: "dead"; readonly reason: string }
  | { readonly kind: "unclear"; readonly reason: string };

/**
 * Renews the login of `place` if its access token is over, as its program would
 * at its start; that program ends where it fails. Throws TcError where the
 * place cannot be read or locked.
 */
export async function revive(
  place: LivePlace,
  ports: RefreshPorts,
): Promise<Revival> {
  const live = await harvest(place, ports);
  switch (live.kind) {
    case "none":
      return { kind: "dead", reason: "the provider no longer accepts it" };
    case "unclear":
      return live;
    case "stranger": {
      const { snapshot } = live;
      const { reading } = snapshot;
      const isOver = reading.kind === "found" &&
        reading.login.credential.expiresAt <= ports.clock.now();
      if (!isOver) return { kind: "lives" };
      const renewed = await renewedInPlace(place, snapshot, ports);
      if (renewed === "renewed") return { kind: "lives" };
      return renewed === "dead"
        ? { kind: "dead", reason: "the provider no longer accepts it" }
        : { kind: "unclear", reason: renewed.reason };
    }
    case "known": {
      const account = new AccountCredential(live.entry.id, ports);
      try {
        const renewal = await account.renew(null);
        if (renewal.kind === "needs_login") {
          return { kind: "dead", reason: renewal.reason };
        }
        if (renewal.kind !== "usable") {
          const reason = renewal.kind === "failed"
            ? renewal.reason
            : "its account was removed";
          return { kind: "unclear", reason };
        }
        const { entry } = renewal;
        return isOAuth(entry) && hasEnded(entry, ports.clock.now())
          ? { kind: "unclear", reason: "its access token is over" }
          : { kind: "lives" };
      } finally {
        await account.close();
      }
    }
  }
}

/**
 * A place where another program keeps one login and renews it by itself: whose
 * login it is, how to take over what was renewed there, and how to renew it
 * before that program starts.
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

/** Whose the login in a place is. */
export type LiveLogin =
  /** No login, a blank one, or one that the provider no longer knows. */
  | { readonly kind: "none"; readonly snapshot: LoginSnapshot }
  /**
   * An account of the vault. The vault holds the same login, or a newer one.
   */
  | {
    readonly kind: "known";
    readonly snapshot: LoginSnapshot;
    readonly entry: VaultEntry;
    /** Whether the place holds exactly the tokens that the vault holds. */
    readonly isCurrent: boolean;
  }
  /** Somebody who is not in the vault. */
  | {
    readonly kind: "stranger";
    readonly snapshot: LoginSnapshot;
    readonly profile: AccountProfile;
  }
  /** The owner is unknown at present; nothing may be written over the login. */
  | {
    readonly kind: "unclear";
    readonly snapshot: LoginSnapshot;
    readonly reason: string;
  };

const LOCK_WAIT_MS = 60_000;
/** Tries in which the place's program may renew while it is being read. */
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
 * Looks at `place` and brings vault and place together: the vault gets what the
 * place's program has renewed, and the place gets what tc has. Lineage decides
 * which of the two is ahead, and the provider says whose a login is that the
 * vault has never seen; a name or the clock decides neither. Blank or
 * incomplete logins are never stored.
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

/** A token that nothing renews is recognised by itself, or must be imported. */
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

/** Asks the provider whose login it is, because the vault has never seen it. */
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
 * Stores `live` in the vault if it is the successor of what is there, or if
 * that is dead. A second login of the same person, made beside one that only tc
 * holds, is left alone.
 */
async function known(
  owner: VaultEntry,
  live: OAuthCredential,
  { place, snapshot, ports }: Found,
): Promise<LiveLogin | "look_again"> {
  const { vault, locks } = ports;
  using _lock = await locks.acquire(owner.id, { waitMs: LOCK_WAIT_MS });
  // The earlier holder of the lock may have stored a later login from there.
  // What was read before is then an ancestor, perhaps one that the vault has
  // never seen.
  if ((await place.read()).text !== snapshot.text) return "look_again";
  const entry = await vault.update(
    owner.id,
    (stored) =>
      isSuccessor(live, stored, place)
        ? { ...movedOn(stored, live), sharedWith: familyOf(place) }
        : stored,
  );
  // It was removed meanwhile; the next look finds out what it was.
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

/** The place shows a spent token, so it gets the current one. */
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

/** Renews the login of `place` in the place, unless its program was faster. */
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

/** How a revival ends; `reason` is a clause. */
type Revival =
  | { readonly kind: "lives" }
  | { readonly kind: "dead"; readonly reason: string }
  | { readonly kind: "unclear"; readonly reason: string };

/**
 * Renews the login of `place` if its access token has ended, as its program
 * would do when it starts; the program itself exits if that fails. Throws
 * TcError if the place cannot be read or locked.
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

/**
 * Places where another program keeps one login, as owners of the login they
 * share with the vault. Whoever spends the token holds their lock, reads them
 * first and hands the successor back.
 *
 * @module
 */

import type { FamilyOwners, OwnerHold, OwnerReading } from "./family_owners.ts";
import type { HeldLock, SharedFamily } from "../../ports.ts";
import type {
  ClaudeLogin,
  ClaudeLoginReading,
} from "../../wire/claude_credential.ts";

/** What the place held at one moment. */
export interface LoginSnapshot {
  readonly reading: ClaudeLoginReading;
  readonly text: string | null;
}

export interface LivePlace {
  /** As {@linkcode SharedFamily} names it. */
  readonly location: string;
  read(): Promise<LoginSnapshot>;
  /**
   * Puts another account's login there and returns false if the place has
   * changed. Content that could not be read is kept beside it first.
   */
  replace(before: LoginSnapshot, login: ClaudeLogin): Promise<boolean>;
  /**
   * Puts the login's successor there and returns false if the place has
   * changed.
   */
  renew(before: LoginSnapshot, login: ClaudeLogin): Promise<boolean>;
  /** Returns why the place could not be written now, or null. */
  obstacle(): Promise<string | null>;
  /** Takes the lock under which its program renews. */
  lock(): Promise<HeldLock>;
}

/** Returns the family of a login that lives in `place` and in the vault. */
export function familyOf(place: LivePlace): SharedFamily {
  return { tool: "claude_code", location: place.location };
}

/**
 * Returns the owners; `placeAt` finds a place by its location, or null if it is
 * unknown.
 */
export function placeOwners(
  placeAt: (location: string) => LivePlace | null,
): FamilyOwners {
  return {
    async hold({ tool, location }) {
      const place = tool === "claude_code" ? placeAt(location) : null;
      if (place === null) return null;
      // Nobody renews a login that is absent, and no folder is made just for a
      // lock.
      const { reading } = await place.read();
      return reading.kind === "absent" ? null : await holdPlace(place);
    },
  };
}

/** Takes the lock of `place`. Throws TcError if it is not available. */
export async function holdPlace(place: LivePlace): Promise<OwnerHold> {
  const lock = await place.lock();
  return {
    async read() {
      return readingOf(await place.read(), place);
    },
    obstacle: () => place.obstacle(),
    async handBack(spent, next) {
      const before = await place.read();
      if (before.reading.kind !== "found") return false;
      const { login } = before.reading;
      if (!login.credential.refreshToken.equals(spent)) return false;
      const { signInEndsAt } = login.credential;
      return await place.renew(before, {
        ...login,
        credential: {
          ...next,
          signInEndsAt: next.signInEndsAt ?? signInEndsAt,
        },
      });
    },
    release() {
      lock.release();
      return Promise.resolve();
    },
  };
}

function readingOf(
  { reading }: LoginSnapshot,
  { location }: LivePlace,
): OwnerReading {
  switch (reading.kind) {
    case "found": {
      const { credential, identity } = reading.login;
      return { kind: "login", credential, identity };
    }
    case "unreadable":
      return {
        kind: "unreadable",
        reason: `${location} cannot be read: ${reading.reason}`,
      };
    case "token":
    case "blank":
    case "absent":
      return { kind: "none" };
  }
}

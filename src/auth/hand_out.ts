/**
 * Putting an account's login into a place where another program uses and
 * renews it, so that it has one live holder and neither side loses it.
 *
 * @module
 */

import type { AccountId, Tier } from "../core/account.ts";
import { CredentialError, TcError, UsageError } from "../errors.ts";
import type { OAuthCredential, VaultEntry } from "../ports.ts";
import type { ClaudeLogin } from "../wire/claude_credential.ts";
import { AccountCredential } from "./account_credential.ts";
import {
  familyOf,
  harvest,
  type LiveLogin,
  type LivePlace,
} from "./live_login.ts";
import { isOAuth, type RefreshPorts } from "./refresh_ports.ts";

/** How often a program that writes at the same moment is given way. */
const TRIES_MAX = 8;
/** A renewal of the account may be under way. */
const LOCK_WAIT_MS = 60_000;

export interface HandedOut {
  readonly entry: VaultEntry;
  /** Whose login was in the place before, or null. */
  readonly before: VaultEntry | null;
  /** Whether the place was written. */
  readonly isWritten: boolean;
  /** Where else this login lives: two holders log each other out. */
  readonly alsoAt: string | null;
}

/**
 * Writes the login of `id` into `place`: renewed first if it is near its end,
 * after what its program has renewed was taken over. Throws TcError: a login
 * of a stranger (`foreign_login`) or one that cannot be told (`unclear_login`)
 * is never written over.
 */
export async function handOut(
  id: AccountId,
  place: LivePlace,
  ports: RefreshPorts,
): Promise<HandedOut> {
  for (let tries = 1; tries <= TRIES_MAX; tries++) {
    const live = await harvest(place, ports);
    refuseStranger(live, place);
    const before = live.kind === "known" ? live.entry : null;
    const entry = await renewed(id, ports);
    const alsoAt = entry.sharedWith !== null &&
        entry.sharedWith.location !== place.location
      ? entry.sharedWith.location
      : null;
    // Known as shared before it is: after a crash in between nobody spends it.
    await shareWith(id, place, ports);
    const isThere = live.kind === "known" && live.isCurrent &&
      isSame(live.snapshot.reading, entry);
    if (isThere) return { entry, before, isWritten: false, alsoAt };
    // Whoever renews holds this lock as well: what is given out is not spent.
    using _account = await ports.locks.acquire(id, { waitMs: LOCK_WAIT_MS });
    if (!isCurrent(await ports.vault.get(id), entry)) continue;
    using _lock = await place.lock();
    if (await place.replace(live.snapshot, loginOf(entry))) {
      await ownAgain(id, place, ports);
      return { entry, before, isWritten: true, alsoAt };
    }
  }
  throw new TcError(
    `Cannot write ${place.location}: it is being written all the time`,
    { code: "file_busy" },
  );
}

/** Whether the vault still holds what is to be given out. */
function isCurrent(
  stored: VaultEntry | null,
  { credential }: VaultEntry & { readonly credential: OAuthCredential },
): boolean {
  return stored !== null && isOAuth(stored) &&
    stored.credential.accessToken.equals(credential.accessToken) &&
    stored.credential.refreshToken.equals(credential.refreshToken);
}

/** Whether the place holds what `entry` holds. */
function isSame(
  reading: LiveLogin["snapshot"]["reading"],
  { credential }: VaultEntry & { readonly credential: OAuthCredential },
): boolean {
  return reading.kind === "found" &&
    reading.login.credential.accessToken.equals(credential.accessToken);
}

/** Throws where what is in the place would be lost. */
export function refuseStranger(live: LiveLogin, place: LivePlace): void {
  if (live.kind === "stranger") {
    const { email } = live.profile;
    const who = email === null ? "" : ` of ${email}`;
    throw new TcError(
      `Cannot replace the login${who} in ${place.location}: it is not in the pool`,
      {
        code: "foreign_login",
        source: "user",
        hint: "tc import   takes it over first",
      },
    );
  }
  if (live.kind === "unclear") {
    throw new TcError(
      `Cannot replace the login in ${place.location}: ${live.reason}`,
      { code: "unclear_login", hint: "Try again in a moment" },
    );
  }
}

/** A login that is good for some minutes at least. Throws CredentialError. */
async function renewed(
  id: AccountId,
  ports: RefreshPorts,
): Promise<VaultEntry & { readonly credential: OAuthCredential }> {
  const account = new AccountCredential(id, ports);
  try {
    const stored = await account.entry();
    if (stored !== null && !isOAuth(stored)) throw noLogin(stored);
    const renewal = await account.renew(null);
    if (renewal.kind === "usable" && isOAuth(renewal.entry)) {
      return renewal.entry;
    }
    const isAlive = stored !== null && isOAuth(stored) &&
      stored.credential.expiresAt > ports.clock.now();
    if (renewal.kind === "failed" && isAlive) return stored;
    const isForever = renewal.kind !== "failed";
    throw new CredentialError(
      `Cannot use ${stored?.label ?? id}: ${
        "reason" in renewal ? renewal.reason : "it has no credential"
      }`,
      {
        code: isForever ? "needs_login" : "credential_unavailable",
        accountId: id,
        retryAt: renewal.kind === "failed" ? renewal.retryAt : null,
        ...(isForever ? { hint: "tc login" } : {}),
      },
    );
  } finally {
    await account.close();
  }
}

function noLogin({ label }: VaultEntry): UsageError {
  return new UsageError(
    `Cannot put ${label} into Claude Code: it is no subscription login`,
    "An API key serves as a fallback: tc swap auto",
  );
}

async function shareWith(
  id: AccountId,
  place: LivePlace,
  { vault }: RefreshPorts,
): Promise<void> {
  await vault.update(
    id,
    (entry) =>
      entry.sharedWith?.location === place.location
        ? entry
        : { ...entry, sharedWith: familyOf(place) },
  );
}

/** Nobody else's login is in `place` now: the vault is their only holder. */
async function ownAgain(
  id: AccountId,
  place: LivePlace,
  { vault }: RefreshPorts,
): Promise<void> {
  const { entries } = await vault.list();
  for (const entry of entries) {
    const isHere = entry.sharedWith?.tool === "claude_code" &&
      entry.sharedWith.location === place.location;
    if (entry.id === id || !isHere) continue;
    await vault.update(
      entry.id,
      (stored) =>
        stored.sharedWith?.location === place.location
          ? { ...stored, sharedWith: null }
          : stored,
    );
  }
}

/** What Claude Code notes beside the tokens, by the size of the plan. */
const NOTES: Readonly<
  Record<Tier, readonly [plan: string | null, tier: string | null]>
> = {
  pro: ["pro", "default_claude_pro"],
  max_5x: ["max", "default_claude_max_5x"],
  max_20x: ["max", "default_claude_max_20x"],
  team: ["team", null],
  unknown: [null, null],
};

function loginOf(
  { credential, tier }: VaultEntry & { readonly credential: OAuthCredential },
): ClaudeLogin {
  const [subscriptionType, rateLimitTier] = NOTES[tier];
  return { credential, subscriptionType, rateLimitTier };
}

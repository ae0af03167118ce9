/**
 * Puts an account's login into a place where another program uses and renews
 * it, so that it has one live holder and neither side loses it.
 *
 * @module
 */

import type { AccountId, Tier } from "../../core/account.ts";
import { CredentialError, TcError, UsageError } from "../../errors.ts";
import type { OAuthCredential, VaultEntry } from "../../ports.ts";
import type { ClaudeLogin } from "../../wire/claude_credential.ts";
import { AccountCredential } from "../account_credential.ts";
import { harvest, type LiveLogin } from "./live_login.ts";
import { familyOf, type LivePlace } from "./live_place.ts";
import type { AccountProfile } from "../sign_in/profile.ts";
import { isOAuth, type RefreshPorts } from "../provider.ts";
import { hasEnded, type Renewal } from "../renewal.ts";
import { isSamePerson, whoseIs } from "./shared_login.ts";
import { commandWord } from "../../shell_words.ts";

/** How often tc gives way to a program that writes at the same moment. */
const TRIES_MAX = 8;
/** How long to wait for the lock: a renewal of the account may be under way. */
const LOCK_WAIT_MS = 60_000;
const INFERENCE = "user:inference";

export interface HandedOut {
  readonly entry: VaultEntry;
  /** The account whose login was in the place before, or null. */
  readonly before: VaultEntry | null;
  /** Whether the place was written. */
  readonly isWritten: boolean;
  /** Where else this login is in use: two holders log each other out. */
  readonly alsoAt: string | null;
  /**
   * Whether the old content could not be read; it is then kept beside the
   * place.
   */
  readonly isCopyKept: boolean;
}

/**
 * Writes the login of `id` into `place`. First it takes over what the place's
 * program has renewed, renews a login that is near its end, and asks the
 * provider whether it serves. Throws TcError: a stranger's login
 * (`foreign_login`) or one whose owner is unknown (`unclear_login`) is never
 * overwritten, and a login that serves is never replaced by one that does not
 * (`needs_login`).
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
    const entry = await serving(id, ports);
    const alsoAt = entry.sharedWith !== null &&
        entry.sharedWith.location !== place.location
      ? entry.sharedWith.location
      : null;
    // It is noted as shared before it is: after a crash in between, nobody
    // spends it.
    await shareWith(id, place, ports);
    const isThere = live.kind === "known" && live.isCurrent &&
      isSame(live.snapshot.reading, entry);
    const handed = { entry, before, alsoAt };
    if (isThere) return { ...handed, isWritten: false, isCopyKept: false };
    // Whoever renews holds this lock as well, so the login that is given out is
    // not spent.
    using _account = await ports.locks.acquire(id, { waitMs: LOCK_WAIT_MS });
    if (!isCurrent(await ports.vault.get(id), entry)) continue;
    using _lock = await place.lock();
    if (await place.replace(live.snapshot, claudeLogin(entry))) {
      await ownAgain(id, place, ports);
      const isCopyKept = live.snapshot.reading.kind === "unreadable";
      return { ...handed, isWritten: true, isCopyKept };
    }
  }
  throw new TcError(
    `Cannot write ${place.location}: it is being written all the time`,
    { code: "file_busy" },
  );
}

/** Returns whether the vault still holds what is to be given out. */
function isCurrent(
  stored: VaultEntry | null,
  { credential }: LoginEntry,
): boolean {
  return stored !== null && isOAuth(stored) &&
    stored.credential.accessToken.equals(credential.accessToken) &&
    stored.credential.refreshToken.equals(credential.refreshToken);
}

/** Returns whether the place holds what `entry` holds. */
function isSame(
  reading: LiveLogin["snapshot"]["reading"],
  { credential }: LoginEntry,
): boolean {
  return reading.kind === "found" &&
    reading.login.credential.accessToken.equals(credential.accessToken);
}

/** Throws if the login in the place would be lost. */
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

type LoginEntry = VaultEntry & { readonly credential: OAuthCredential };

/**
 * Returns the entry of `id` with a login that the provider confirms: one free
 * question, and one renewal if the provider refuses. Throws CredentialError if
 * the account needs a login.
 */
async function serving(
  id: AccountId,
  ports: RefreshPorts,
): Promise<LoginEntry> {
  const account = new AccountCredential(id, ports);
  try {
    const stored = await account.entry();
    if (stored !== null && !isOAuth(stored)) throw noLogin(stored);
    const ask = { id, label: stored?.label ?? id, stored, ports };
    const first = loginOf(await account.renew(null), ask);
    const asked = await whoseIs(first.credential, ports);
    if (asked.kind === "refused" && asked.status === 401) {
      const again = await account.renew(first.credential.accessToken);
      return loginOf(again, { ...ask, stored: null });
    }
    const entry = asked.kind === "known"
      ? await learn(first, asked.profile, ports)
      : first;
    refuseWithoutInference(entry);
    return entry;
  } finally {
    await account.close();
  }
}

/**
 * Returns the entry of `renewal`; `stored` serves unless something says that it
 * has ended.
 */
function loginOf(
  renewal: Renewal,
  { id, label, stored, ports }: {
    readonly id: AccountId;
    readonly label: string;
    readonly stored: LoginEntry | null;
    readonly ports: RefreshPorts;
  },
): LoginEntry {
  if (renewal.kind === "usable" && isOAuth(renewal.entry)) {
    return renewal.entry;
  }
  const isAlive = stored !== null && !hasEnded(stored, ports.clock.now());
  if (renewal.kind === "failed" && isAlive) return stored;
  const isForever = renewal.kind !== "failed";
  const reason = "reason" in renewal ? renewal.reason : "it has no credential";
  throw new CredentialError(`Cannot use ${label}: ${reason}`, {
    code: isForever ? "needs_login" : "credential_unavailable",
    accountId: id,
    retryAt: renewal.kind === "failed" ? renewal.retryAt : null,
    ...(isForever ? { hint: `tc login --account ${commandWord(label)}` } : {}),
  });
}

/** Keeps what the profile says about the plan, if it is the same person. */
async function learn(
  entry: LoginEntry,
  profile: AccountProfile,
  { vault }: RefreshPorts,
): Promise<LoginEntry> {
  const { identity } = entry;
  if (identity !== null && !isSamePerson(identity, profile.identity)) {
    throw new CredentialError(
      `Cannot use ${entry.label}: its login is of ${
        profile.email ?? "somebody else"
      }`,
      { code: "needs_login", accountId: entry.id, retryAt: null },
    );
  }
  const facts = profile.tier === "unknown"
    ? { ...profile, tier: entry.tier }
    : profile;
  const stored = await vault.update(entry.id, (now) => ({ ...now, ...facts }));
  return stored !== null && isOAuth(stored) ? stored : entry;
}

/**
 * Claude Code treats a login without this scope as no login (facts, section 9).
 */
function refuseWithoutInference({ id, label, credential }: LoginEntry): void {
  const { scopes } = credential;
  if (scopes.length === 0 || scopes.includes(INFERENCE)) return;
  throw new CredentialError(
    `Cannot use ${label}: its login may not send messages (scope ${INFERENCE})`,
    {
      code: "needs_login",
      accountId: id,
      retryAt: null,
      hint: `tc login --account ${commandWord(label)}`,
    },
  );
}

function noLogin({ label }: VaultEntry): UsageError {
  return new UsageError(
    `Cannot put ${label} into Claude Code: it is not a subscription login`,
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

/** Notes that only the vault holds these logins now. */
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

function claudeLogin({ credential, identity, tier }: LoginEntry): ClaudeLogin {
  const [subscriptionType, rateLimitTier] = NOTES[tier];
  return { credential, identity, subscriptionType, rateLimitTier };
}

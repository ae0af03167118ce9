/**
 * Puts one imported account into the vault. The provider says whose it is, else
 * its store does. A login is renewed only if neither says, in its owner's store
 * and under its lock. A login of our own is never replaced by a shared one.
 *
 * @module
 */

import type { AccountId, AccountKind } from "../../core/account.ts";
import type {
  Credential,
  OAuthCredential,
  RefreshToken,
  Secret,
  SharedFamily,
  VaultEntry,
} from "../../ports.ts";
import { instantFromMs } from "../../core/time.ts";
import { freeName, idOfIdentity, idOfSecret } from "../sign_in/account_id.ts";
import type { ImportCandidate } from "./import_rows.ts";
import { isDead, kinship, movedOn } from "../../lineage.ts";
import type { AccountProfile } from "../sign_in/profile.ts";
import type { RefreshPorts } from "../provider.ts";
import { renewInPlace, whoseIs } from "../shared/shared_login.ts";

/** How long to wait for the lock: a renewal of the account may be under way. */
const LOCK_WAIT_MS = 60_000;

interface ImportPorts extends RefreshPorts {
  /** Names that other accounts have. */
  readonly taken: ReadonlySet<string>;
  /** Whether to only report what would be done. */
  readonly isDryRun: boolean;
}

export type ImportResult =
  | { readonly kind: "added" | "updated"; readonly entry: VaultEntry }
  /** The same credential is already in the vault. */
  | { readonly kind: "unchanged"; readonly entry: VaultEntry }
  /** The account has a login of its own or a newer one, which is better. */
  | { readonly kind: "kept"; readonly entry: VaultEntry }
  | { readonly kind: "refused"; readonly reason: string };

/** Imports `candidate` as `name`, or under a name made from what is known. */
export async function importAccount(
  candidate: ImportCandidate,
  name: string | null,
  ports: ImportPorts,
): Promise<ImportResult> {
  const { vault } = ports;
  const { entries } = await vault.list();
  const held = entries.find((entry) => isHeld(entry, candidate.credential));
  if (held !== undefined) return await shared(held, candidate, ports);
  const older = entries.find((entry) => isOlder(entry, candidate.credential));
  if (older !== undefined) return { kind: "kept", entry: older };
  const told = await whoIs(candidate, ports);
  if ("reason" in told) return { kind: "refused", reason: told.reason };
  const { who } = told;
  const taken = { ...candidate, credential: told.credential };
  const entry = await entryOf(taken, { who, name }, { entries, ...ports });
  const known = entries.find((other) =>
    other.id === entry.id || isSameOwner(other, who)
  );
  if (known === undefined) {
    if (!ports.isDryRun) await vault.put(entry);
    return { kind: "added", entry };
  }
  return await updated(known, { entry, name, ports });
}

/**
 * Adds `entry` to the account that the person already has. A login that only tc
 * holds stays unless it is dead; one shared with the same store has its
 * successor there.
 */
async function updated(
  known: VaultEntry,
  { entry, name, ports }: {
    readonly entry: VaultEntry;
    readonly name: string | null;
    readonly ports: ImportPorts;
  },
): Promise<ImportResult> {
  const renew = (now: VaultEntry): VaultEntry => {
    if (!isBetter(entry, now)) return now;
    const moved = entry.credential.kind === "oauth"
      ? movedOn(now, entry.credential)
      : { ...now, credential: entry.credential };
    const { id: _id, label: _label, credential: _c, ...fields } = entry;
    const { ancestors, credential } = moved;
    return {
      ...now,
      ...fields,
      credential,
      ancestors,
      label: name ?? now.label,
    };
  };
  const stored = ports.isDryRun
    ? renew(known)
    : await updatedWhileThere(known, { entry, renew, ports });
  if (stored === null) return { kind: "kept", entry: known };
  const isTaken = isHeld(stored, entry.credential);
  return { kind: isTaken ? "updated" : "kept", entry: stored };
}

/**
 * Updates `known` under its lock if the owner's store still shows what was read
 * there. A server may have stored a successor meanwhile, and the vault must not
 * go back behind it.
 */
async function updatedWhileThere(
  known: VaultEntry,
  { entry, renew, ports }: {
    readonly entry: VaultEntry;
    readonly renew: (now: VaultEntry) => VaultEntry;
    readonly ports: ImportPorts;
  },
): Promise<VaultEntry | null> {
  const { vault, locks, owners } = ports;
  const { sharedWith, credential } = entry;
  const isShared = sharedWith?.tool === "claude_code" && owners !== null;
  if (!isShared || credential.kind !== "oauth") {
    return await vault.update(known.id, renew);
  }
  using _lock = await locks.acquire(known.id, { waitMs: LOCK_WAIT_MS });
  const hold = await owners.hold(sharedWith);
  try {
    const now = await hold?.read();
    const isThere = now?.kind === "login" &&
      now.credential.refreshToken.equals(credential.refreshToken);
    return isThere
      ? await vault.update(known.id, renew)
      : await vault.get(known.id);
  } finally {
    await hold?.release();
  }
}

function isBetter(
  { credential, sharedWith }: VaultEntry,
  now: VaultEntry,
): boolean {
  if (credential.kind !== "oauth") return true;
  if (kinship(now, credential.refreshToken) !== "unknown") return false;
  return isDead(now) || now.credential.kind !== "oauth" ||
    now.sharedWith !== null && sharedWith !== null &&
      now.sharedWith.location === sharedWith.location;
}

/**
 * Equal refresh tokens are one login, whatever its name: it has two holders.
 */
async function shared(
  held: VaultEntry,
  { sharedWith }: ImportCandidate,
  { vault, isDryRun }: ImportPorts,
): Promise<ImportResult> {
  const isNews = sharedWith !== null && held.sharedWith === null && !isDryRun;
  const entry = isNews
    ? await vault.update(held.id, (now) => ({
      ...now,
      sharedWith: now.sharedWith ?? sharedWith,
    }))
    : held;
  return { kind: "unchanged", entry: entry ?? held };
}

/**
 * Whether the vault holds a successor of `credential`, which is therefore
 * spent.
 */
function isOlder(entry: VaultEntry, credential: Credential): boolean {
  return credential.kind === "oauth" &&
    kinship(entry, credential.refreshToken) === "older";
}

/**
 * The identity of a login, and the login itself, which may have been renewed to
 * find out.
 */
type Told =
  | {
    readonly who: AccountProfile | null;
    readonly credential: Credential;
  }
  | { readonly reason: string };

/**
 * Returns whose login it is. The provider is asked, whatever the clock says;
 * else its store says; else it is renewed there under its owner's lock.
 */
async function whoIs(
  { credential, identity, email, tier, sharedWith }: ImportCandidate,
  ports: ImportPorts,
): Promise<Told> {
  if (credential.kind !== "oauth") return { who: null, credential };
  const noted = identity === null
    ? null
    : { identity, email, organization: null, tier };
  const asked = await whoseIs(credential, ports);
  if (asked.kind === "known") return { who: asked.profile, credential };
  const isRefused = asked.kind === "refused" && asked.status === 401;
  // A token that was refused before its end may be dead: a renewal shows it.
  const isOver = credential.expiresAt <= ports.clock.now();
  if (!isRefused || isOver && noted !== null) return { who: noted, credential };
  return ports.isDryRun || sharedWith === null || ports.owners === null
    ? { reason: "the provider refuses its token: log in there again" }
    : await renewedThere(credential, sharedWith, ports);
}

async function renewedThere(
  credential: OAuthCredential,
  family: SharedFamily,
  ports: ImportPorts,
): Promise<Told> {
  const hold = await ports.owners?.hold(family) ?? null;
  if (hold === null) {
    return { reason: "the provider refuses its token: log in there again" };
  }
  try {
    const now = await hold.read();
    const seen = now.kind === "login" ? now.credential : credential;
    const renewed = await renewInPlace(seen, hold, ports);
    switch (renewed.kind) {
      case "renewed":
        return { who: renewed.profile, credential: renewed.credential };
      case "dead":
        return { reason: "the provider refuses its token: log in there again" };
      case "failed":
        return { reason: `whose it is cannot be told: ${renewed.reason}` };
    }
  } finally {
    await hold.release();
  }
}

interface Naming {
  readonly who: AccountProfile | null;
  readonly name: string | null;
}

async function entryOf(
  candidate: ImportCandidate,
  { who, name }: Naming,
  { entries, taken }: Pick<ImportPorts, "taken"> & {
    readonly entries: readonly VaultEntry[];
  },
): Promise<VaultEntry> {
  const { credential, sharedWith, settings } = candidate;
  const kind = kindOf(credential, settings.upstream);
  const names = new Set([...taken, ...entries.map(({ label }) => label)]);
  const wanted = name ?? candidate.name ?? who?.email ?? candidate.email ??
    (kind === "subscription" ? "claude" : kind.replace("_", "-"));
  return {
    id: await idOf(credential, who),
    label: freeName(wanted, names),
    kind,
    identity: who?.identity ?? null,
    email: who?.email ?? candidate.email,
    organization: who?.organization ?? null,
    tier: who === null || who.tier === "unknown" ? candidate.tier : who.tier,
    credential,
    // The token's age is unknown, so it counts as the oldest possible.
    savedAt: instantFromMs(0),
    sharedWith,
    ancestors: [],
    refusedTokenHash: null,
  };
}

async function idOf(
  credential: Credential,
  who: AccountProfile | null,
): Promise<AccountId> {
  return who === null
    ? await idOfSecret(secretOf(credential))
    : await idOfIdentity(who.identity);
}

function kindOf(credential: Credential, upstream: string | null): AccountKind {
  if (upstream !== null) return "backend";
  switch (credential.kind) {
    case "oauth":
      return "subscription";
    case "setup_token":
      return "setup_token";
    case "api_key":
    case "bearer":
      return "api_key";
  }
}

function isHeld({ credential: held }: VaultEntry, other: Credential): boolean {
  if (held.kind === "oauth" || other.kind === "oauth") {
    return held.kind === "oauth" && other.kind === "oauth" &&
      held.refreshToken.equals(other.refreshToken);
  }
  return held.kind === other.kind && held.token.equals(other.token);
}

/** Returns the part that stays the same while the credential is the same. */
function secretOf(credential: Credential): Secret | RefreshToken {
  return credential.kind === "oauth"
    ? credential.refreshToken
    : credential.token;
}

function isSameOwner(
  { identity }: VaultEntry,
  who: AccountProfile | null,
): boolean {
  return who !== null && identity !== null &&
    identity.accountUuid === who.identity.accountUuid &&
    identity.organizationUuid === who.identity.organizationUuid;
}

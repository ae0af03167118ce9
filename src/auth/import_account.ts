/**
 * One imported account into the vault. Whose it is the provider says; nothing
 * is renewed by an import, and a login of our own is never replaced by a
 * shared one.
 *
 * @module
 */

import type { AccountId, AccountKind } from "../core/account.ts";
import type {
  Clock,
  Credential,
  OAuthCredential,
  Secret,
  Vault,
  VaultEntry,
} from "../ports.ts";
import { instantFromMs } from "../core/time.ts";
import { freeName, idOfIdentity, idOfSecret, tokenHash } from "./account_id.ts";
import type { ImportCandidate } from "./import_source.ts";
import type { JsonClient } from "./json_client.ts";
import {
  type AccountProfile,
  fetchProfile,
  profileQuestion,
} from "./profile.ts";
import type { OAuthProvider } from "./provider.ts";

export interface ImportPorts {
  readonly vault: Vault;
  readonly client: JsonClient;
  readonly provider: OAuthProvider;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /** Names that other accounts have. */
  readonly taken: ReadonlySet<string>;
  /** Only says what would be done. */
  readonly isDryRun: boolean;
}

export type ImportResult =
  | { readonly kind: "added" | "updated"; readonly entry: VaultEntry }
  /** The same credential is in the vault already. */
  | { readonly kind: "unchanged"; readonly entry: VaultEntry }
  /** The account has a login of its own, or a newer one: it is better. */
  | { readonly kind: "kept"; readonly entry: VaultEntry }
  | { readonly kind: "refused"; readonly reason: string };

/** Takes `candidate` over as `name`, or as a name made of what is known. */
export async function importAccount(
  candidate: ImportCandidate,
  name: string | null,
  ports: ImportPorts,
): Promise<ImportResult> {
  const { vault, isDryRun } = ports;
  const { entries } = await vault.list();
  const same = entries.find((entry) => isHeld(entry, candidate.credential));
  if (same !== undefined) return { kind: "unchanged", entry: same };
  const who = await whoIs(candidate, ports);
  if (who === "refused") {
    return {
      kind: "refused",
      reason: "the provider refuses its token: log in there again",
    };
  }
  const entry = await entryOf(candidate, { who, name }, { entries, ...ports });
  const known = entries.find((other) =>
    other.id === entry.id || isSameOwner(other, who)
  );
  if (known === undefined) {
    if (!isDryRun) await vault.put(entry);
    return { kind: "added", entry };
  }
  if (known.sharedWith === null && !await isDead(known)) {
    return { kind: "kept", entry: known };
  }
  const keeps = await keeper(known, candidate.credential);
  const { id: _id, label: _label, ...fields } = entry;
  const renew = (now: VaultEntry): VaultEntry =>
    keeps(now)
      ? now
      : { ...now, ...fields, id: now.id, label: name ?? now.label };
  const stored = isDryRun ? renew(known) : await vault.update(known.id, renew);
  if (stored === null) return { kind: "kept", entry: known };
  const isTaken = stored.credential === candidate.credential;
  return { kind: isTaken ? "updated" : "kept", entry: stored };
}

/**
 * Whether the vault's entry, as it is at the moment of writing, is better than
 * `candidate`: a file may show a token that was spent since it was written, and
 * a server may renew while it is read.
 */
async function keeper(
  known: VaultEntry,
  candidate: Credential,
): Promise<(now: VaultEntry) => boolean> {
  if (candidate.kind !== "oauth") return () => false;
  const hash = await hashOf(candidate);
  const wasDead = await isDead(known);
  return (now) => {
    if (now.credential.kind !== "oauth") return false;
    if (now.refusedTokenHash === hash) return true;
    if (wasDead && isHeld(known, now.credential)) return false;
    return now.sharedWith === null ||
      now.credential.expiresAt > candidate.expiresAt;
  };
}

/** The owner by the provider's word; else as the tool noted it; else null. */
async function whoIs(
  { credential, identity, email, tier }: ImportCandidate,
  { client, provider, clock, signal }: ImportPorts,
): Promise<AccountProfile | "refused" | null> {
  if (credential.kind !== "oauth") return null;
  const noted = identity === null
    ? null
    : { identity, email, organization: null, tier };
  if (credential.expiresAt <= clock.now()) return noted;
  const question = profileQuestion(provider, credential.accessToken);
  const outcome = await fetchProfile(client, question, signal);
  switch (outcome.kind) {
    case "known":
      return outcome.profile;
    case "refused":
      return outcome.status === 401 ? "refused" : noted;
    case "unavailable":
      return noted;
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
    // Its age is not known: the epoch.
    savedAt: instantFromMs(0),
    sharedWith,
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

function isHeld(entry: VaultEntry, credential: Credential): boolean {
  return entry.credential.kind === credential.kind &&
    secretOf(entry.credential).equals(secretOf(credential));
}

/** What stays the same while the credential is the same. */
function secretOf(credential: Credential): Secret {
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

/** Whether the provider has refused its refresh token for good. */
async function isDead(entry: VaultEntry): Promise<boolean> {
  const { credential, refusedTokenHash } = entry;
  return credential.kind === "oauth" && refusedTokenHash !== null &&
    refusedTokenHash === await hashOf(credential);
}

function hashOf({ refreshToken }: OAuthCredential): Promise<string> {
  return tokenHash(refreshToken);
}

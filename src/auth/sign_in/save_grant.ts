/**
 * Stores the result of a sign-in in the vault: as a new account, as a new
 * credential of a known one, or not at all if it belongs to somebody else.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import { TcError } from "../../errors.ts";
import type { AccountIdentity, Clock, Vault, VaultEntry } from "../../ports.ts";
import { freeName, idOfIdentity } from "./account_id.ts";
import type { Grant } from "./exchange_code.ts";
import type { LoginResult } from "./login_result.ts";

interface SaveOptions {
  readonly account: AccountId | null;
  readonly name: string | null;
  readonly taken: ReadonlySet<string>;
  /** The entry of `account` when the login began, if it is known. */
  readonly expected: VaultEntry | null;
}

/**
 * Stores `grant`. The same identity again renews its account, under any name.
 */
export async function saveGrant(
  grant: Grant,
  options: SaveOptions,
  { vault, clock }: { readonly vault: Vault; readonly clock: Clock },
): Promise<LoginResult> {
  try {
    const { entries } = await vault.list();
    const known = entries.find((entry) =>
      isSame(entry.identity, grant.profile.identity)
    ) ?? null;
    const refusal = refusalOf(grant, options, known);
    if (refusal !== null) return refusal;
    const id = known?.id ?? options.account ?? await newId(grant, entries);
    const updated = await vault.update(id, (entry) => ({
      ...entry,
      ...fieldsOf(grant, clock),
      // A login does not decide the account's name.
      label: entry.label,
    })).catch(() => null);
    if (updated !== null) return { kind: "updated", entry: updated };
    const taken = new Set([
      ...options.taken,
      ...entries.map(({ label }) => label),
    ]);
    const entry = {
      id,
      label: freeName(
        options.name ?? grant.profile.email ?? "account",
        taken,
      ),
      ...fieldsOf(grant, clock),
    };
    await vault.put(entry);
    return { kind: "added", entry };
  } catch (error) {
    if (!(error instanceof TcError)) throw error;
    return { kind: "not_saved", reason: error.message };
  }
}

/**
 * Returns the identity's id, unless an account that now belongs to another
 * identity has it.
 */
async function newId(
  { profile }: Grant,
  entries: readonly VaultEntry[],
): Promise<AccountId> {
  const id = await idOfIdentity(profile.identity);
  const owner = entries.find((entry) => entry.id === id);
  if (owner === undefined || owner.identity === null) return id;
  const { accountUuid, organizationUuid } = profile.identity;
  return await idOfIdentity({
    accountUuid,
    organizationUuid: `${organizationUuid} again`,
  });
}

function fieldsOf(
  { credential, profile }: Grant,
  clock: Clock,
): Omit<VaultEntry, "id" | "label"> {
  return {
    kind: "subscription",
    ...profile,
    credential,
    savedAt: clock.now(),
    // Only tc holds this login.
    sharedWith: null,
    ancestors: [],
    refusedTokenHash: null,
  };
}

/** Refuses to put one person's tokens where another person's are expected. */
function refusalOf(
  { profile }: Grant,
  { account, expected }: SaveOptions,
  known: VaultEntry | null,
): LoginResult | null {
  if (account === null) return null;
  const isOther = known !== null && known.id !== account;
  const isStranger = expected?.identity !== null && expected !== null &&
    !isSame(expected.identity, profile.identity);
  if (!isOther && !isStranger) return null;
  return {
    kind: "other_identity",
    expected: nameOf(expected?.email, expected?.organization) ?? account,
    found: nameOf(profile.email, profile.organization) ?? "another account",
  };
}

function isSame(
  a: AccountIdentity | null,
  b: AccountIdentity,
): boolean {
  return a !== null && a.accountUuid === b.accountUuid &&
    a.organizationUuid === b.organizationUuid;
}

function nameOf(
  email: string | null | undefined,
  organization: string | null | undefined,
): string | null {
  const words = [email, organization].filter((word) =>
    word !== null && word !== undefined
  );
  return words.length === 0 ? null : words.join(", ");
}

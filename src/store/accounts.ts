/**
 * The account list, joined from the vault and the config. The vault says which
 * accounts exist, the config how a person wants them used.
 *
 * @module
 */

import type { Account, AccountId } from "../core/account.ts";
import { accountName } from "../core/plain_text.ts";
import type { PoolEvent } from "../core/pool/pool.ts";
import type { Instant } from "../core/time.ts";
import type { PlanAccount } from "../core/plans.ts";
import { isDead } from "../lineage.ts";
import type { AccountIdentity, SharedFamily, VaultEntry } from "../ports.ts";
import type { AccountRow } from "./account_rows.ts";

/** One account of the pool without its secrets. */
export interface AccountRecord {
  readonly account: Account;
  readonly identity: AccountIdentity | null;
  readonly email: string | null;
  readonly organization: string | null;
  readonly sharedWith: SharedFamily | null;
  /** When the access token ends; null if unknown. */
  readonly expiresAt: Instant | null;
  /**
   * Whether the provider refused the login for good, so that only a person can
   * help.
   */
  readonly needsLogin: boolean;
  /** What its plan costs a month in dollars, if a person says so. */
  readonly planPrice: number | null;
  /** Origin of a backend, or null. */
  readonly upstream: string | null;
  readonly modelMap: Readonly<Record<string, string>> | null;
}

export interface MergedAccounts {
  /**
   * The pool, in the order of every screen: by priority, then as in the config,
   * then by name.
   */
  readonly accounts: readonly AccountRecord[];
  /**
   * In the vault but not in the config: a person removed the row, so it is not
   * served.
   */
  readonly unlisted: readonly VaultEntry[];
  /**
   * In the config without a credential: `tc login` or `tc import` is needed.
   */
  readonly orphans: readonly AccountRow[];
}

/**
 * Joins the vault's entries with the rows of settings. Without rows (null)
 * nothing is removed: every entry counts. `others` says what an entry without a
 * row is.
 */
export function mergeAccounts(
  entries: readonly VaultEntry[],
  rows: readonly AccountRow[] | null,
  others: "left_out" | "served" = "left_out",
): MergedAccounts {
  if (rows === null) {
    const labels = new Set<string>();
    const accounts = byName(entries).map((entry) =>
      recordOf(entry, null, labels)
    );
    return { accounts, unlisted: [], orphans: [] };
  }
  const matches = matchRows(entries, rows);
  const labels = new Set<string>();
  const accounts = rows.flatMap((row) => {
    const entry = matches.get(row);
    return entry === undefined ? [] : [recordOf(entry, row, labels)];
  });
  const listed = new Set(matches.values());
  if (others === "served") {
    const rest = byName(entries.filter((entry) => !listed.has(entry)))
      .map((entry) => recordOf(entry, null, labels));
    return {
      accounts: byPriority([...accounts, ...rest]),
      unlisted: [],
      orphans: [],
    };
  }
  return {
    accounts: byPriority(accounts),
    unlisted: entries.filter((entry) => !listed.has(entry)),
    orphans: rows.filter((row) => !matches.has(row)),
  };
}

/** Returns the records with the lowest priority first, else in their order. */
function byPriority(
  records: readonly AccountRecord[],
): readonly AccountRecord[] {
  return records.toSorted((a, b) => a.account.priority - b.account.priority);
}

/** Returns the entries by their names, `key-2` before `key-10`. */
export function byName(
  entries: readonly VaultEntry[],
): readonly VaultEntry[] {
  return entries.map((entry) => ({ entry, key: sortKey(nameOf(entry)) }))
    .toSorted((a, b) => a.key < b.key ? -1 : a.key > b.key ? 1 : 0)
    .map(({ entry }) => entry);
}

/** Longer than any number in a name. */
const DIGITS = 64;

/** Returns `name` without its case, each number padded to one length. */
function sortKey(name: string): string {
  return name.toLowerCase()
    .replaceAll(/\d+/g, (digits) => digits.padStart(DIGITS, "0"));
}

/**
 * Returns which entry each row means: by its id; else by its identity if that
 * is unambiguous; else by its name.
 */
export function matchRows(
  entries: readonly VaultEntry[],
  rows: readonly AccountRow[],
): ReadonlyMap<AccountRow, VaultEntry> {
  const matches = new Map<AccountRow, VaultEntry>();
  const taken = new Set<VaultEntry>();
  for (const matcher of [hasId, hasIdentity, hasName]) {
    for (const row of rows) {
      if (matches.has(row)) continue;
      const found = entries.filter((entry) =>
        !taken.has(entry) && matcher(row, entry)
      );
      const named = found.filter((entry) => nameOf(entry) === row.name);
      const entry = found.length === 1 ? found[0] : named[0];
      if (entry === undefined || (found.length > 1 && named.length > 1)) {
        continue;
      }
      matches.set(row, entry);
      taken.add(entry);
    }
  }
  return matches;
}

function hasId(row: AccountRow, entry: VaultEntry): boolean {
  return row.id === entry.id;
}

function hasIdentity(row: AccountRow, { identity }: VaultEntry): boolean {
  if (row.id !== null || row.accountUuid === null || identity === null) {
    return false;
  }
  return row.accountUuid === identity.accountUuid &&
    (row.organizationUuid === null ||
      row.organizationUuid === identity.organizationUuid);
}

function hasName(row: AccountRow, entry: VaultEntry): boolean {
  return row.id === null && row.accountUuid === null &&
    row.name === nameOf(entry);
}

/** An older tc may have stored a name unchecked. */
function nameOf({ label }: VaultEntry): string {
  return accountName(label, "account");
}

function recordOf(
  entry: VaultEntry,
  row: AccountRow | null,
  labels: Set<string>,
): AccountRecord {
  const label = freeLabel(row?.name ?? nameOf(entry), labels);
  labels.add(label);
  const { id, kind, tier, credential } = entry;
  return {
    account: {
      id,
      label,
      kind,
      tier,
      priority: row?.priority ?? 0,
      enabled: row?.enabled ?? true,
      leasesMax: row?.leasesMax ?? null,
      utilizationMax: row?.capUtilization ?? null,
      costMax: row?.maxCost ?? null,
      signInEndsAt: credential.kind === "oauth"
        ? credential.signInEndsAt
        : null,
    },
    identity: entry.identity,
    email: entry.email,
    organization: entry.organization,
    sharedWith: entry.sharedWith,
    expiresAt: "expiresAt" in credential ? credential.expiresAt : null,
    needsLogin: isDead(entry),
    planPrice: row?.planPrice ?? null,
    upstream: row?.upstream ?? null,
    modelMap: row?.modelMap ?? null,
  };
}

/** Returns the accounts as far as the prices of their plans depend on them. */
export function planAccounts(
  records: readonly AccountRecord[],
): readonly PlanAccount[] {
  return records.map(({ account: { id, label, kind, tier }, planPrice }) => ({
    id,
    label,
    kind,
    tier,
    ownUsdPerMonth: planPrice,
  }));
}

/** Returns `wanted`, or `wanted` with the first number that is free. */
export function freeLabel(
  wanted: string,
  taken: ReadonlySet<string>,
): string {
  if (!taken.has(wanted)) return wanted;
  for (let count = 2;; count++) {
    const label = `${wanted}-${count}`;
    if (!taken.has(label)) return label;
  }
}

/**
 * Returns the events that turn the pool `before` into `after`; none if nothing
 * changed.
 */
export function accountEvents(
  before: readonly AccountRecord[],
  after: readonly AccountRecord[],
  at: Instant,
): readonly PoolEvent[] {
  const known = new Map<AccountId, Account>(
    before.map(({ account }) => [account.id, account]),
  );
  const left = new Set(after.map(({ account }) => account.id));
  const removed = [...known.keys()].filter((id) => !left.has(id))
    .map((accountId) => ({ kind: "account_removed", accountId }) as const);
  const put = after.filter(({ account }) =>
    !isSame(known.get(account.id), account)
  ).map(({ account }) => ({ kind: "account_put", account, at }) as const);
  const order = after.map(({ account }) => account.id);
  const added = order.filter((id) => !known.has(id));
  const until = [...known.keys()].filter((id) => left.has(id)).concat(added);
  const isInOrder = order.every((id, index) => until[index] === id);
  const ordered = { kind: "accounts_ordered", order } as const;
  return [...removed, ...put, ...isInOrder ? [] : [ordered]];
}

function isSame(a: Account | undefined, b: Account): boolean {
  return a !== undefined && a.label === b.label && a.kind === b.kind &&
    a.tier === b.tier && a.priority === b.priority &&
    a.enabled === b.enabled && a.leasesMax === b.leasesMax &&
    a.utilizationMax === b.utilizationMax &&
    a.costMax?.dollars === b.costMax?.dollars &&
    a.costMax?.per === b.costMax?.per &&
    a.signInEndsAt === b.signInEndsAt;
}

/** Returns groups of entries that are the same account at the provider. */
export function duplicates(
  entries: readonly VaultEntry[],
): readonly (readonly VaultEntry[])[] {
  const groups = new Map<string, VaultEntry[]>();
  for (const entry of entries) {
    if (entry.identity === null) continue;
    const { accountUuid, organizationUuid } = entry.identity;
    const key = `${accountUuid}\n${organizationUuid}`;
    groups.set(key, [...groups.get(key) ?? [], entry]);
  }
  return [...groups.values()].filter((group) => group.length > 1);
}

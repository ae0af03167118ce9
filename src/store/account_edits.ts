/**
 * Changes to `accounts[]`, as operations on whatever the config holds at that
 * moment: `editConfig(path, renameAccount(…))`. Unknown keys, the order, and
 * rows of other tools are kept.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import { accountName } from "../core/plain_text.ts";
import { ConfigError, UsageError } from "../errors.ts";
import type { VaultEntry } from "../ports.ts";
import { accountRows } from "./account_rows.ts";
import { byName, matchRows } from "./accounts.ts";
import type { ConfigDocument, ConfigEdit } from "./config_file.ts";

type RawRow = Readonly<Record<string, unknown>>;

/** The vault's entries at this moment, which an edit needs to match rows. */
type Entries = readonly VaultEntry[];

const CONFIG = "the config";

/**
 * Lists the account. A row that already means it gets its id and keeps the
 * rest.
 */
export function addAccount(
  entries: Entries,
  id: AccountId,
  settings: RawRow = {},
): ConfigEdit {
  return changeRow(entries, id, (row) => ({ ...row, ...settings }));
}

/**
 * Gives the account a name that no other has; throws UsageError if one has it.
 */
export function renameAccount(
  entries: Entries,
  id: AccountId,
  name: string,
): ConfigEdit {
  return (document) => {
    const isTaken = listed(document, entries).some((row) =>
      row["id"] !== id && row["name"] === name
    );
    if (isTaken) {
      throw new UsageError(
        `Cannot name the account "${name}": another one has that name`,
        "tc accounts",
      );
    }
    return changeRow(entries, id, (row) => ({ ...row, name }))(document);
  };
}

export function setEnabled(
  entries: Entries,
  id: AccountId,
  state: "enabled" | "disabled",
): ConfigEdit {
  return changeRow(entries, id, (row) => {
    // teamclaude writes `disabled`, maxpool `enabled`; one of them is enough.
    const { disabled: _old, ...rest } = row;
    return { ...rest, enabled: state === "enabled" };
  });
}

/** Sets the priority; lower goes first. */
export function setPriority(
  entries: Entries,
  id: AccountId,
  priority: number,
): ConfigEdit {
  return changeRow(entries, id, (row) => ({ ...row, priority }));
}

/** Limits requests in flight; null removes the limit. */
export function setLeasesMax(
  entries: Entries,
  id: AccountId,
  leasesMax: number | null,
): ConfigEdit {
  return changeRow(entries, id, (row) => {
    const { maxInFlight: _old, ...rest } = row;
    return leasesMax === null ? rest : { ...rest, maxInFlight: leasesMax };
  });
}

/** Limits the utilization of a quota window; null removes the limit. */
export function setCapUtilization(
  entries: Entries,
  id: AccountId,
  capUtilization: number | null,
): ConfigEdit {
  return changeRow(entries, id, (row) => {
    const { capUtilization: _old, ...rest } = row;
    return capUtilization === null ? rest : { ...rest, capUtilization };
  });
}

/** Limits what the account may cost, `20/day`; null removes the limit. */
export function setMaxCost(
  entries: Entries,
  id: AccountId,
  maxCost: string | null,
): ConfigEdit {
  return changeRow(entries, id, (row) => {
    const { maxCost: _old, ...rest } = row;
    return maxCost === null ? rest : { ...rest, maxCost };
  });
}

/** States what the plan costs, in dollars a month; null takes it back. */
export function setPlanPrice(
  entries: Entries,
  id: AccountId,
  planPrice: number | null,
): ConfigEdit {
  return changeRow(entries, id, (row) => {
    const { planPrice: _old, ...rest } = row;
    return planPrice === null ? rest : { ...rest, planPrice };
  });
}

/**
 * Removes the account from the list. This must precede removing the vault's
 * entry: after a crash between the two, the account stays removed.
 */
export function removeAccount(entries: Entries, id: AccountId): ConfigEdit {
  return (document) => {
    const rows = listed(document, entries);
    const accounts = rows.filter((row) => row["id"] !== id);
    if (accounts.length === rows.length) return document;
    return withAccounts(document, accounts);
  };
}

/** Removes tokens from rows whose account is in the vault now. */
export function dropSecrets(
  entries: Entries,
  ids: ReadonlySet<unknown>,
): ConfigEdit {
  return (document) => {
    if (document["accounts"] === undefined) return document;
    const accounts = listed(document, entries).map((row) => {
      const { accessToken: _a, refreshToken: _b, expiresAt: _c, ...rest } = row;
      const { apiKey: _d, ...bare } = rest;
      return ids.has(row["id"]) ? bare : row;
    });
    return withAccounts(document, accounts);
  };
}

function changeRow(
  entries: Entries,
  id: AccountId,
  change: (row: RawRow) => RawRow,
): ConfigEdit {
  return (document) => {
    const rows = listed(document, entries);
    const isListed = rows.some((row) => row["id"] === id);
    const entry = entries.find((other) => other.id === id);
    const all = isListed || entry === undefined
      ? rows
      : [...rows, newRow(entry)];
    return withAccounts(
      document,
      all.map((row) => row["id"] === id ? change(row) : row),
    );
  };
}

/**
 * Returns the rows, each with the id of its account. If the config has no list
 * yet, every account of the vault gets a row: a list with only one would remove
 * the others from the pool.
 */
function listed(document: ConfigDocument, entries: Entries): readonly RawRow[] {
  const rows = accountRows(document, CONFIG);
  if (rows === null) return byName(entries).map(newRow);
  const matches = matchRows(entries, rows);
  const raw = document["accounts"];
  return rows.map((row) => {
    const value: unknown = Array.isArray(raw) ? raw[row.index] : null;
    if (!isRow(value)) {
      throw new ConfigError(`Cannot use accounts[${row.index}]`, {
        file: CONFIG,
        key: `accounts[${row.index}]`,
      });
    }
    const entry = matches.get(row);
    return entry === undefined || row.id !== null
      ? value
      : { id: entry.id, ...value };
  });
}

/** Returns a new account's row, with enough for a person to recognise it. */
function newRow({ id, label }: VaultEntry): RawRow {
  return { id, name: accountName(label, "account") };
}

function withAccounts(
  document: ConfigDocument,
  accounts: readonly RawRow[],
): ConfigDocument {
  return { ...document, accounts };
}

function isRow(value: unknown): value is RawRow {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

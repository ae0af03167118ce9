/**
 * Changes of `accounts[]` as operations on whatever the config holds at that
 * moment: `editConfig(path, renameAccount(…))`. Unknown keys, order and the
 * rows of others stay.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import { accountName } from "../core/plain_text.ts";
import { ConfigError, UsageError } from "../errors.ts";
import type { VaultEntry } from "../ports.ts";
import { accountRows } from "./account_rows.ts";
import { matchRows } from "./accounts.ts";
import type { ConfigDocument, ConfigEdit } from "./config_file.ts";

type RawRow = Readonly<Record<string, unknown>>;

/** What an edit needs to know of the pool: the vault's entries at this moment. */
export type Entries = readonly VaultEntry[];

const CONFIG = "the config";

/** Lists the account; a row that already means it gets its id and keeps the rest. */
export function addAccount(
  entries: Entries,
  id: AccountId,
  settings: RawRow = {},
): ConfigEdit {
  return changeRow(entries, id, (row) => ({ ...row, ...settings }));
}

/** Gives the account a name that no other has; throws UsageError otherwise. */
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
    // teamclaude says `disabled`, maxpool `enabled`; one of them is enough.
    const { disabled: _old, ...rest } = row;
    return { ...rest, enabled: state === "enabled" };
  });
}

/** Lower goes first. */
export function setPriority(
  entries: Entries,
  id: AccountId,
  priority: number,
): ConfigEdit {
  return changeRow(entries, id, (row) => ({ ...row, priority }));
}

/** Limits requests in flight; null takes the limit away. */
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

/** Limits the used part of a quota window; null takes the limit away. */
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

/**
 * Takes the account out of the list. Do this before the vault's entry goes:
 * after a crash between the two the account stays removed.
 */
export function removeAccount(entries: Entries, id: AccountId): ConfigEdit {
  return (document) => {
    const rows = listed(document, entries);
    const accounts = rows.filter((row) => row["id"] !== id);
    if (accounts.length === rows.length) return document;
    return withAccounts(document, accounts);
  };
}

/** Takes tokens out of rows whose account is in the vault now. */
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
 * The rows, each with the id of its account. Where the config has no list yet
 * every account of the vault gets its row: a list that named one alone would
 * take the others out of the pool.
 */
function listed(document: ConfigDocument, entries: Entries): readonly RawRow[] {
  const rows = accountRows(document, CONFIG);
  if (rows === null) return entries.map(newRow);
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

/** What a new account's row says: enough for a person to know it by. */
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

/**
 * All changes to the account list. They change vault and config together, in an
 * order in which a crash between the two does no harm.
 *
 * @module
 */

import { ACCOUNT_NAME_MAX, isAccountName } from "../core/plain_text.ts";
import type { AccountId } from "../core/account.ts";
import { EXIT, TcError, UsageError } from "../errors.ts";
import type { Vault, VaultEntry, VaultListing } from "../ports.ts";
import {
  addAccount,
  dropSecrets,
  removeAccount,
  renameAccount,
  setCapUtilization,
  setEnabled,
  setLeasesMax,
  setMaxCost,
  setPlanPrice,
  setPriority,
} from "./account_edits.ts";
import { accountRows } from "./account_rows.ts";
import { mergeAccounts, type MergedAccounts } from "./accounts.ts";
import type { AccountList } from "./account_list.ts";
import type { ConfigEdit } from "./config_file.ts";

interface DeskPorts {
  readonly vault: Vault;
  /** Where a person's settings for each account are. */
  readonly list: AccountList;
}

/** What a person can change about an account; null removes a limit. */
export interface AccountChange {
  readonly name?: string;
  readonly enabled?: boolean;
  readonly priority?: number;
  readonly leasesMax?: number | null;
  readonly capUtilization?: number | null;
  /** `20/day` and the like. */
  readonly maxCost?: string | null;
  /** What its plan costs, in dollars a month. */
  readonly planPrice?: number | null;
}

export interface DeskListing extends MergedAccounts {
  readonly entries: readonly VaultEntry[];
  readonly damaged: VaultListing["damaged"];
}

export class AccountDesk {
  readonly #ports: DeskPorts;

  constructor(ports: DeskPorts) {
    this.#ports = ports;
  }

  /** Returns vault and settings as they are at this moment. */
  async list(): Promise<DeskListing> {
    return await this.merged(await this.#ports.vault.list());
  }

  /** Returns `listing` joined with the settings as they are at this moment. */
  async merged({ entries, damaged }: VaultListing): Promise<DeskListing> {
    const { list } = this.#ports;
    const rows = accountRows(await list.read(), list.place);
    const merged = mergeAccounts(entries, rows, list.others);
    return { ...merged, entries, damaged };
  }

  /** Lists an account that was just added to the vault, with `settings`. */
  async enlist(
    id: AccountId,
    settings: Readonly<Record<string, unknown>> = {},
  ): Promise<void> {
    const { list } = this.#ports;
    const document = await list.read();
    // Without a list, every account of the vault counts and no row is needed.
    const isNeeded = Object.keys(settings).length > 0 ||
      (document["accounts"] !== undefined && list.others === "left_out");
    if (!isNeeded) return;
    await this.#edit((entries) => addAccount(entries, id, settings));
  }

  /** Removes tokens from the config that are in the vault now. */
  async dropSecrets(ids: ReadonlySet<AccountId>): Promise<void> {
    await this.#edit((entries) => dropSecrets(entries, ids));
  }

  /** Changes the config's settings of the account `id`. */
  async change(id: AccountId, change: AccountChange): Promise<void> {
    if (change.name !== undefined) {
      checkName(change.name);
      await this.#refuseTaken(id, change.name);
    }
    await this.#edit((entries) => (document) =>
      editsOf(entries, id, change).reduce((now, edit) => edit(now), document)
    );
  }

  /** Two accounts may have one name in the vault: what is shown counts. */
  async #refuseTaken(id: AccountId, name: string): Promise<void> {
    const { accounts } = await this.list();
    const isTaken = accounts.some(({ account }) =>
      account.id !== id && account.label === name
    );
    if (!isTaken) return;
    throw new UsageError(
      `Cannot name the account "${name}": another one has that name`,
      "tc accounts",
    );
  }

  /** Removes the account from the list, then its credential from the vault. */
  async remove(id: AccountId): Promise<void> {
    const { vault, list } = this.#ports;
    const document = await list.read();
    if (document["accounts"] !== undefined) {
      await this.#edit((entries) => removeAccount(entries, id));
    }
    await vault.remove(id);
  }

  async #edit(
    edit: (entries: readonly VaultEntry[]) => ConfigEdit,
  ): Promise<void> {
    const { vault, list } = this.#ports;
    const { entries } = await vault.list();
    await list.edit(edit(entries));
  }
}

function editsOf(
  entries: readonly VaultEntry[],
  id: AccountId,
  change: AccountChange,
): readonly ConfigEdit[] {
  const { name, enabled, priority, leasesMax } = change;
  const { capUtilization, maxCost, planPrice } = change;
  return [
    ...name === undefined ? [] : [renameAccount(entries, id, name)],
    ...enabled === undefined
      ? []
      : [setEnabled(entries, id, enabled ? "enabled" : "disabled")],
    ...priority === undefined ? [] : [setPriority(entries, id, priority)],
    ...leasesMax === undefined ? [] : [setLeasesMax(entries, id, leasesMax)],
    ...capUtilization === undefined
      ? []
      : [setCapUtilization(entries, id, capUtilization)],
    ...maxCost === undefined ? [] : [setMaxCost(entries, id, maxCost)],
    ...planPrice === undefined ? [] : [setPlanPrice(entries, id, planPrice)],
  ];
}

/** Throws unless `name` is one short line that a person can read and type. */
export function checkName(name: string): void {
  if (isAccountName(name)) return;
  throw new UsageError(
    `Cannot use the name: it must be 1 to ${ACCOUNT_NAME_MAX} visible characters`,
  );
}

/** An account as a person names it. */
export interface NamedAccount {
  readonly id: AccountId;
  readonly label: string;
}

/**
 * Returns the account that a person calls `wanted`, by its name or id: in the
 * pool, else in the vault alone, where it may be damaged. The name of its login
 * and its e-mail work as long as they mean one account, because messages about
 * logins print them. Throws TcError `no_such_account`.
 */
export function findAccount(
  { accounts, unlisted, damaged, entries }: DeskListing,
  wanted: string,
): NamedAccount {
  const all: readonly NamedAccount[] = [
    ...accounts.map(({ account }) => account),
    ...unlisted,
    ...damaged.map(({ id }) => ({ id, label: id })),
  ];
  const formerly = entries.filter(({ label, email }) =>
    label === wanted || email === wanted
  );
  const found = all.find(({ label }) => label === wanted) ??
    all.find(({ id }) => id === wanted) ??
    (formerly.length === 1
      ? all.find(({ id }) => id === formerly[0]?.id)
      : undefined);
  if (found !== undefined) return { id: found.id, label: found.label };
  throw new TcError(`Cannot find the account ${wanted}`, {
    code: "no_such_account",
    source: "user",
    exitCode: EXIT.usage,
    hint: "tc accounts   lists them",
  });
}

/**
 * What the commands about accounts share: they open the vault and the config, and
 * tell a running server about every change.
 *
 * @module
 */

import { accountsView } from "../../server/account_facts.ts";
import { runningHolder } from "../../server/server_claim.ts";
import { systemClock } from "../../system/clock.ts";
import { type AccountsView, CONTROL } from "../../control/protocol.ts";
import { EXIT, reasonOf, TcError, UsageError } from "../../errors.ts";
import type { AccountId } from "../../core/account.ts";
import type { Locks, Vault } from "../../ports.ts";
import {
  type AccountChange,
  AccountDesk,
  type DeskListing,
  findAccount,
  type NamedAccount,
} from "../../store/account_desk.ts";
import type { Shell } from "../shell.ts";
import { databasePath, openDatabase } from "../../store/ledger/database.ts";
import { forgetAccount } from "../../store/ledger/pool_store.ts";
import { systemRunner } from "../../system/command_runner.ts";
import { machineSecret } from "../../system/machine.ts";
import { accountRows } from "../../store/account_rows.ts";
import { mergeAccounts, type MergedAccounts } from "../../store/accounts.ts";
import {
  openAccounts,
  type OpenedAccounts,
} from "../../server/open_accounts.ts";
import { inert } from "../../control/words.ts";
import { commandWord } from "../../shell_words.ts";

/** Opens the vault; a person at the terminal may answer its prompt. */
export async function openShellVault(
  shell: Shell,
  mayPrompt: boolean = shell.mayAsk,
): Promise<OpenedAccounts> {
  const { config, paths } = shell;
  const membership = await shell.membership();
  return await openAccounts({
    paths,
    config,
    secret: await machineSecret(paths, shell.system),
    membership,
    authorities: membership === null ? "" : shell.authorities.pem,
    mayPrompt,
    system: shell.system,
    runner: systemRunner,
    journal: null,
    connections: 1,
  });
}

/**
 * Returns the accounts of vault and settings, without asking a server, and those
 * that cannot be read. Those of a shared pool are as this machine has them.
 */
export async function storedAccounts(
  shell: Shell,
  { mayPrompt = shell.mayAsk }: { readonly mayPrompt?: boolean } = {},
): Promise<MergedAccounts & Pick<DeskListing, "damaged">> {
  const { vault, list } = await openShellVault(shell, mayPrompt);
  const rows = accountRows(
    await list.readWith(shell.config.document),
    list.place,
  );
  const { entries, damaged } = await vault.list();
  return { ...mergeAccounts(entries, rows, list.others), damaged };
}

export interface OpenedDesk {
  readonly vault: Vault;
  readonly locks: Locks;
  readonly desk: AccountDesk;
}

/**
 * Opens vault and settings to change them. In a shared pool what other machines
 * have changed is taken over first, if the database can be reached.
 */
export async function openDesk(shell: Shell): Promise<OpenedDesk> {
  const { vault, locks, list, takeOver } = await openShellVault(shell);
  await takeOver();
  return { vault, locks, desk: new AccountDesk({ vault, list }) };
}

/** Returns the accounts from the running server, or else from the files. */
export async function listAccounts(shell: Shell): Promise<AccountsView> {
  try {
    return await shell.client().accounts();
  } catch (cause) {
    if (!isNotRunning(cause)) throw cause;
  }
  const { desk } = await openDesk(shell);
  return accountsView(await desk.list(), null, systemClock.now());
}

/** Has a running server read the accounts again. Returns whether it did. */
export async function tellServer(shell: Shell): Promise<boolean> {
  try {
    await shell.client().send("POST", CONTROL.reload, {});
    return true;
  } catch (cause) {
    // A config that cannot be read hides whether there is a server.
    const isAlone = runningHolder(shell.paths.stateFolder) === null;
    if (isNotRunning(cause) || isAlone) return false;
    const reason = reasonOf(cause);
    shell.output.say(`The running server did not apply the change: ${reason}`);
    shell.output.say("  tc reload   tries again");
    return false;
  }
}

/** Does it in the running server, or else by `alone`. */
export async function byServerOr<Result>(
  ways: {
    readonly server: () => Promise<Result>;
    readonly alone: () => Promise<Result>;
  },
): Promise<Result> {
  try {
    return await ways.server();
  } catch (cause) {
    if (!isNotRunning(cause)) throw cause;
  }
  return await ways.alone();
}

/**
 * Removes the account from vault, settings and state, where no server runs: the
 * next one would report a login that is in the state alone as lost.
 */
export async function removeHere(
  { paths }: Shell,
  desk: AccountDesk,
  id: AccountId,
): Promise<void> {
  await desk.remove(id);
  try {
    const path = databasePath(paths.stateFolder);
    if (!(await Deno.stat(path)).isFile) return;
    using database = openDatabase(path, "read_write");
    forgetAccount(database, id);
  } catch {
    // There is no state yet, or it is damaged: the next server reports it.
  }
}

export function isNotRunning(cause: unknown): boolean {
  return cause instanceof TcError && cause.code === "not_running";
}

/** Returns the names that accounts have already. */
export function takenNames(listing: DeskListing): ReadonlySet<string> {
  return new Set([
    ...listing.accounts.map(({ account }) => account.label),
    ...listing.entries.map(({ label }) => label),
  ]);
}

/** Throws UsageError where another account has the name. */
export function checkFree(name: string, listing: DeskListing): void {
  if (!takenNames(listing).has(name)) return;
  throw new UsageError(
    `Cannot name the account "${name}": another account has that name`,
    `tc login --account ${commandWord(name)}   gives that one a new login`,
  );
}

/** Returns the account called `wanted`, or null where none was named. */
export function wantedAccount(
  listing: DeskListing,
  wanted: string | undefined,
): NamedAccount | null {
  return wanted === undefined ? null : findAccount(listing, wanted);
}

interface ChangeOrder {
  /** The account's name or id. */
  readonly wanted: string;
  readonly change: AccountChange;
  /** Schema of the `--json` answer. */
  readonly schema: string;
  /** Returns what a person reads; `before` is the name until now. */
  readonly told: (label: string, before: string) => string;
}

/** Changes one account, in the running server or else in the files. */
export async function changeAccount(
  shell: Shell,
  { wanted, change, schema, told }: ChangeOrder,
): Promise<number> {
  const { output } = shell;
  const { desk } = await openDesk(shell);
  const { id, label } = findAccount(await desk.list(), wanted);
  const client = shell.client();
  await byServerOr({
    server: async () => {
      await client.send("PATCH", client.accountPath(id), change);
    },
    alone: () => desk.change(id, change),
  });
  const name = change.name ?? label;
  if (output.isJson) output.json({ schema, id, label: name, change });
  else output.line(told(inert(name), inert(label)));
  return EXIT.ok;
}

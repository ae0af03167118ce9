/**
 * `tc store leave`: this machine goes back to its own vault and config. A login
 * has one owner: while other machines are left, it stays with the pool or is
 * taken home, and is never in both places.
 *
 * @module
 */

import { inert } from "../../control/words.ts";
import { EXIT } from "../../errors.ts";
import type { VaultEntry } from "../../ports.ts";
import { ConfigAccountList } from "../../store/account_list.ts";
import { machinesOf, removeMachine } from "../../store/shared/machines.ts";
import {
  membershipFile,
  removeMembership,
} from "../../store/shared/membership.ts";
import { ownReason } from "../../store/shared/shared_vault.ts";
import { isStoreError } from "../../store/shared/store_error.ts";
import type { SharedPool } from "../../store/shared/open_shared.ts";
import { systemClock, systemEntropy } from "../../system/clock.ts";
import { askYes, cancelled } from "../asking.ts";
import type { Shell } from "../shell.ts";
import { labelsOf, openMembership, refuseServer } from "./membership_work.ts";

interface LeaveOptions {
  readonly take?: boolean | undefined;
  readonly force?: boolean | undefined;
  readonly yes?: boolean | undefined;
}

interface Parting {
  /** Whether the database can be reached. */
  readonly isThere: boolean;
  /** Other machines of the pool. */
  readonly others: readonly string[];
  readonly stays: readonly VaultEntry[];
  /** Logins that are removed here, because the pool keeps them. */
  readonly goes: readonly VaultEntry[];
  /** The names under which accounts are shown, by their ids. */
  readonly labels: ReadonlyMap<string, string>;
}

export async function leave(
  shell: Shell,
  options: LeaveOptions,
): Promise<number> {
  const { output } = shell;
  const { shared } = await openMembership(shell);
  await refuseServer(shell, "leave");
  try {
    const parting = await partingOf(shared, options);
    tellParting(shell, parting, options);
    if (
      options.yes !== true &&
      !await askYes(shell, "Leave the pool?", "The same with --yes")
    ) throw cancelled();
    await keepSettings(shell, shared, parting.stays);
    if (parting.isThere) await takeOut(shared, parting, options);
    const own = shared.own;
    for (const { id } of parting.goes) await own.remove(id);
    await removeMembership(membershipFile(shell.paths.secretsFolder));
    await shared.forget();
    if (output.isJson) {
      const named = (entry: VaultEntry) => ({
        id: entry.id,
        label: labelOf(parting.labels, entry),
      });
      output.json({
        schema: "tc.store_leave/v1",
        kept: parting.stays.map(named),
        left: parting.goes.map(named),
      });
    } else output.line(`Left ${shared.database.place}.`);
    return EXIT.ok;
  } finally {
    await shared.close().catch(() => {});
  }
}

async function partingOf(
  shared: SharedPool,
  { take, force }: LeaveOptions,
): Promise<Parting> {
  const { database, vault, membership } = shared;
  let isThere = true;
  let others: readonly string[] = [];
  try {
    await vault.exchange();
    others = (await machinesOf(database))
      .filter(({ id }) => id !== membership.machine)
      .map(({ name }) => inert(name));
  } catch (cause) {
    if (!isStoreError(cause) || force !== true) throw cause;
    isThere = false;
  }
  const { entries } = await vault.list();
  const isPools = (entry: VaultEntry) =>
    isThere && others.length > 0 && take !== true &&
    ownReason(entry) === null && entry.credential.kind === "oauth";
  return {
    isThere,
    others,
    stays: entries.filter((entry) => !isPools(entry)),
    goes: entries.filter(isPools),
    labels: await labelsOf(shared),
  };
}

function labelOf(
  labels: ReadonlyMap<string, string>,
  { id, label }: VaultEntry,
): string {
  return labels.get(id) ?? label;
}

function tellParting(
  { output }: Shell,
  { isThere, others, stays, goes, labels }: Parting,
  { take }: LeaveOptions,
): void {
  const names = (entries: readonly VaultEntry[]) =>
    entries.map((entry) => inert(labelOf(labels, entry))).join(", ");
  if (stays.length > 0) output.say(`Stays on this machine: ${names(stays)}`);
  if (goes.length > 0) {
    output.say(
      `Stays with ${others.join(", ")}, and leaves this machine: ${
        names(goes)
      }`,
    );
    output.say("tc store leave --take   takes these logins home instead");
  }
  if (take === true && others.length > 0) {
    output.say(`${others.join(", ")} can use these accounts no longer.`);
  }
  if (!isThere) {
    output.say(
      "The store cannot be reached: other machines may renew these logins, " +
        "and then they need a new sign-in here.",
    );
  }
}

/** Writes the store's settings of the accounts that stay into the config. */
async function keepSettings(
  shell: Shell,
  { settings }: SharedPool,
  stays: readonly VaultEntry[],
): Promise<void> {
  const { accounts } = await settings.read();
  const known: readonly { readonly id?: unknown }[] = Array.isArray(accounts)
    ? accounts
    : [];
  if (known.length === 0) return;
  // A config with a list serves what it lists: every account gets a row.
  const rows = stays.map(({ id, label }) =>
    known.find((row) => row.id === id) ?? { id, name: label }
  );
  await new ConfigAccountList(shell.config.file, {
    clock: systemClock,
    entropy: systemEntropy,
  }).edit((document) => ({ ...document, accounts: rows }));
}

/** Removes this machine, and what it takes with it, from the store. */
async function takeOut(
  { database, vault, membership }: SharedPool,
  { others, stays }: Parting,
  { take }: LeaveOptions,
): Promise<void> {
  const isLast = others.length === 0;
  if (isLast || take === true) {
    for (const entry of stays) {
      if (ownReason(entry) === null) await vault.withdraw(entry.id);
    }
  }
  await removeMachine(database, membership.machine);
}

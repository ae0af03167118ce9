/**
 * What the commands of `tc store` share: this machine's part in a shared pool,
 * and that no server uses the accounts meanwhile.
 *
 * @module
 */

import { EXIT, TcError } from "../../errors.ts";
import type { VaultEntry } from "../../ports.ts";
import type { AccountList } from "../../store/account_list.ts";
import { accountRows } from "../../store/account_rows.ts";
import { mergeAccounts } from "../../store/accounts.ts";
import { ALIVE_MS, type Machine } from "../../store/shared/machines.ts";
import type { SharedPool } from "../../store/shared/open_shared.ts";
import type { OpenedAccounts } from "../../server/open_accounts.ts";
import { isNotRunning, openShellVault } from "../accounts/account_work.ts";
import type { Shell } from "../shell.ts";

/** The accounts of a machine that is part of a shared pool. */
type SharedAccounts = OpenedAccounts & { readonly shared: SharedPool };

/** Opens the shared pool. Throws TcError `not_joined` if there is none. */
export async function openMembership(shell: Shell): Promise<SharedAccounts> {
  const opened = await openShellVault(shell);
  const { shared } = opened;
  if (shared !== null) return { ...opened, shared };
  throw new TcError("This machine is part of no shared pool", {
    code: "not_joined",
    source: "user",
    exitCode: EXIT.usage,
    hint: "tc store join   makes it part of one",
  });
}

/** Throws TcError `server_running` where a server could renew a login now. */
export async function refuseServer(shell: Shell, what: string): Promise<void> {
  try {
    await shell.client().health();
  } catch (cause) {
    if (isNotRunning(cause)) return;
    throw cause;
  }
  throw new TcError(`Cannot ${what}: the running server uses the accounts`, {
    code: "server_running",
    source: "user",
    exitCode: EXIT.alreadyRunning,
    hint: `tc stop   and then tc store ${what} again`,
  });
}

/** Returns the names under which accounts are shown, by their ids. */
export async function labelsOf(
  { vault, settings }: Pick<SharedPool, "vault" | "settings">,
): Promise<ReadonlyMap<string, string>> {
  const { entries } = await vault.list();
  return shownLabels(entries, settings);
}

/**
 * Returns the names of `entries` as `list` has them: a person may have given an
 * account another name than the one it was saved with.
 */
export async function shownLabels(
  entries: readonly VaultEntry[],
  list: AccountList,
): Promise<ReadonlyMap<string, string>> {
  const rows = accountRows(await list.read(), list.place);
  const { accounts, unlisted } = mergeAccounts(entries, rows, list.others);
  return new Map([
    ...unlisted.map(({ id, label }) => [id, label] as const),
    ...accounts.map(({ account: { id, label } }) => [id, label] as const),
  ]);
}

/** Returns when a machine was seen: `seen now`, `last seen 3 h ago`. */
export function seenWords(machine: Machine): string {
  const text = seenText(machine);
  return text === "now" ? "seen now" : `last seen ${text}`;
}

/** Returns when a machine was seen: `now`, `40 s ago`, `3 h ago`. */
export function seenText({ seenMsAgo }: Machine): string {
  if (seenMsAgo <= ALIVE_MS) return "now";
  const seconds = Math.round(seenMsAgo / 1_000);
  if (seconds < 120) return `${seconds} s ago`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 120) return `${minutes} min ago`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h ago` : `${Math.round(hours / 24)} days ago`;
}

/** Returns `count` with its noun: `1 account`, `2 accounts`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

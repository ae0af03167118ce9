/**
 * What the commands of `tc store` share: this machine's part in a shared pool,
 * and that no server uses the accounts meanwhile.
 *
 * @module
 */

import { EXIT, TcError } from "../../errors.ts";
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

/** Returns `count` with its noun: `1 account`, `2 accounts`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/**
 * Opens what holds the accounts of a pool: this machine's own vault and config,
 * or the store that it shares with other machines.
 *
 * @module
 */

import type { Config } from "../config/config.ts";
import type { CommandRunner, Journal, Locks, Vault } from "../ports.ts";
import { type AccountList, ConfigAccountList } from "../store/account_list.ts";
import type { Membership } from "../store/shared/membership.ts";
import type { SharedPool } from "../store/shared/open_shared.ts";
import { OWN_TURNS, type PollTurns } from "../store/shared/poll_turns.ts";
import type { KeychainTool } from "../store/vault/keychain_tools.ts";
import { openVault } from "../store/vault/open_vault.ts";
import type { MachineSecret } from "../store/vault/vault_cipher.ts";
import { systemClock, systemEntropy } from "../system/clock.ts";
import { type Paths, vaultFolder } from "../system/paths.ts";
import type { System } from "../variables.ts";

interface OpenAccountsOptions {
  readonly paths: Paths;
  readonly config: Config;
  readonly secret: MachineSecret;
  /** The shared pool that this machine is part of, or null. */
  readonly membership: Membership | null;
  /** Certificates of authorities beside the system's own, as PEM; or empty. */
  readonly authorities: string;
  /** Whether a person can answer a prompt of the keychain. */
  readonly mayPrompt: boolean;
  readonly system: System;
  readonly runner: CommandRunner | null;
  /** The keychain, if it is not reached by programs of our own. */
  readonly keychain?: KeychainTool | null;
  readonly journal: Journal | null;
  /** Connections to the store at once, beside one that listens. */
  readonly connections: number;
}

/** The accounts of a pool, and who may renew which. */
export interface OpenedAccounts {
  readonly vault: Vault;
  /** Account ids name the locks of renewals. */
  readonly locks: Locks;
  readonly list: AccountList;
  /** The shared pool that this machine is part of, or null. */
  readonly shared: SharedPool | null;
  /** Which machine asks for the usage of which account. */
  readonly pollTurns: PollTurns;
  /** Takes over what other machines have changed; a machine alone has none. */
  takeOver(): Promise<void>;
}

/** Never prompts without a person, and never waits for a database. */
export async function openAccounts(
  options: OpenAccountsOptions,
): Promise<OpenedAccounts> {
  const { paths, config, membership } = options;
  const ports = { clock: systemClock, entropy: systemEntropy };
  const folder = vaultFolder(paths);
  const opened = await openVault({
    folder,
    secret: options.secret,
    wanted: config.settings.vault.backend === "keychain" ? "keychain" : "file",
    mayPrompt: options.mayPrompt,
    os: options.system,
  }, {
    ...ports,
    runner: options.runner,
    ...options.keychain === undefined ? {} : { keychain: options.keychain },
  });
  const list = new ConfigAccountList(config.file, ports);
  if (membership === null) {
    return {
      ...opened,
      list,
      shared: null,
      pollTurns: OWN_TURNS,
      takeOver: () => Promise.resolve(),
    };
  }
  // Its client is loaded only where there is a database.
  const { openShared } = await import("../store/shared/open_shared.ts");
  const shared = openShared({
    ...ports,
    opened,
    list,
    folder,
    membership,
    authorities: options.authorities,
    connections: options.connections,
    journal: options.journal,
  });
  const { vault, locks, settings, pollTurns, takeOver } = shared;
  return { vault, locks, list: settings, shared, pollTurns, takeOver };
}

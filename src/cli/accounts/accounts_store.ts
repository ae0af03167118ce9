/**
 * The vault as a command opens it: with a person there to answer a prompt.
 *
 * @module
 */

import { vaultFolder } from "../../system/paths.ts";
import { systemClock, systemEntropy } from "../../system/clock.ts";
import { systemRunner } from "../../system/command_runner.ts";
import { machineSecret } from "../../system/machine.ts";
import { accountRows } from "../../store/account_rows.ts";
import { mergeAccounts, type MergedAccounts } from "../../store/accounts.ts";
import { type OpenedVault, openVault } from "../../store/vault/open_vault.ts";
import type { Shell } from "../shell.ts";

export async function openShellVault(shell: Shell): Promise<OpenedVault> {
  const { config, paths, mayAsk } = shell;
  return await openVault({
    folder: vaultFolder(paths),
    secret: await machineSecret(paths),
    wanted: config.settings.vault.backend === "keychain" ? "keychain" : "file",
    mayPrompt: mayAsk,
    os: Deno.build.os,
  }, { clock: systemClock, entropy: systemEntropy, runner: systemRunner });
}

/** The accounts as vault and config have them, without asking a server. */
export async function storedAccounts(shell: Shell): Promise<MergedAccounts> {
  const { config } = shell;
  const { vault } = await openShellVault(shell);
  const { entries } = await vault.list();
  return mergeAccounts(entries, accountRows(config.document, config.file));
}

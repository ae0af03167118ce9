/**
 * Chooses the vault's backend: files unless the keychain is wanted, and files
 * again, with a notice, if the keychain does not answer.
 *
 * @module
 */

import { TcError } from "../../errors.ts";
import type { Clock, CommandRunner, Entropy, Locks } from "../../ports.ts";
import { ensurePrivateFolder, type StepObserver } from "../files/atomic.ts";
import { type KeychainTool, keychainTool } from "./keychain_tools.ts";
import { FileLocks } from "../files/lock.ts";
import { StoredVault } from "./vault.ts";
import { type MachineSecret, VaultCipher } from "./vault_cipher.ts";
import { VaultFiles } from "./vault_file.ts";
import { VaultKeychain } from "./vault_keychain.ts";
import type { System } from "../../variables.ts";

/** Long enough for a person to answer a prompt. */
const PROMPT_TIMEOUT_MS = 60_000;
/**
 * A service has nobody to ask, so a program that waits for a prompt is stopped.
 */
const SERVICE_TIMEOUT_MS = 5_000;

interface VaultSettings {
  /** A private folder used only by the vault. */
  readonly folder: string;
  readonly secret: MachineSecret;
  readonly wanted: "file" | "keychain";
  /** Whether a person can answer a prompt of the keychain. */
  readonly mayPrompt: boolean;
  readonly os: System;
}

interface OpenVaultPorts {
  readonly clock: Clock;
  readonly entropy: Entropy;
  /** Null if no program may be run: only files are used. */
  readonly runner: CommandRunner | null;
  /** The keychain, if it is not reached by programs of our own. */
  readonly keychain?: KeychainTool | null;
  readonly onStep?: StepObserver | undefined;
}

export interface OpenedVault {
  readonly vault: StoredVault;
  /**
   * The same locks that the vault uses; account ids name the locks of
   * refreshes.
   */
  readonly locks: Locks;
}

/**
 * Opens the vault. Never prompts in service mode, and never fails because of a
 * keychain.
 */
export async function openVault(
  settings: VaultSettings,
  ports: OpenVaultPorts,
): Promise<OpenedVault> {
  const { folder } = settings;
  await ensurePrivateFolder(folder).catch((cause) => {
    if (cause instanceof TcError && cause.code === "foreign_file") throw cause;
    // A vault that cannot be written can still be read.
  });
  const locks = new FileLocks(folder, ports);
  const files = new VaultFiles(
    folder,
    new VaultCipher(settings.secret, ports.entropy),
    { onStep: ports.onStep },
  );
  const keychain = openKeychain(settings, ports);
  if (settings.wanted === "file") {
    const isUsed = keychain !== null && (await keychain.ids()).length > 0;
    const vault = new StoredVault({
      locks,
      main: files,
      spare: keychain,
      spareFor: isUsed ? "all" : "reading",
    });
    return { locks, vault };
  }
  const trouble = await troubleOf(keychain);
  if (keychain === null || trouble !== null) {
    const vault = new StoredVault({
      locks,
      main: files,
      spare: keychain,
      fallback: trouble,
    });
    return { locks, vault };
  }
  return {
    locks,
    vault: new StoredVault({ locks, main: keychain, spare: files }),
  };
}

function openKeychain(
  { folder, mayPrompt, os }: VaultSettings,
  { runner, keychain }: OpenVaultPorts,
): VaultKeychain | null {
  if (keychain) return new VaultKeychain(folder, keychain);
  if (runner === null) return null;
  const timeoutMs = mayPrompt ? PROMPT_TIMEOUT_MS : SERVICE_TIMEOUT_MS;
  const tool = keychainTool(os, { runner, timeoutMs });
  return tool === null ? null : new VaultKeychain(folder, tool);
}

async function troubleOf(
  keychain: VaultKeychain | null,
): Promise<string | null> {
  if (keychain === null) return "Cannot use the keychain: there is none here";
  try {
    await keychain.check();
    return null;
  } catch (error) {
    return error instanceof TcError
      ? error.message
      : "Cannot use the keychain: it failed";
  }
}

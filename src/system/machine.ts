/**
 * Reads the machine id and user that the vault is bound to, on the main thread.
 *
 * @module
 */

import { userInfo } from "node:os";
import {
  type MachineBinding,
  readMachineSecret,
} from "../store/vault/machine_secret.ts";
import type { MachineSecret } from "../store/vault/vault_cipher.ts";
import { readMark, vaultKey, writeMark } from "../store/vault/vault_key.ts";
import { systemEntropy } from "./clock.ts";
import type { Paths } from "./paths.ts";
import { systemRunner } from "./command_runner.ts";
import type { System } from "../variables.ts";

/**
 * Returns the vault's key material; creates the vault's key if there is none.
 * The user name does not come from USER: a service may run without it.
 */
export async function machineSecret(
  { vaultKeyFile }: Pick<Paths, "vaultKeyFile">,
  system: System,
): Promise<MachineSecret> {
  return await readMachineSecret(
    {
      os: system,
      runner: systemRunner,
      readText,
      userName: userName(),
    },
    vaultKey(vaultKeyFile, systemEntropy),
    bindingAt(vaultKeyFile),
  );
}

function bindingAt(vaultKeyFile: string): MachineBinding {
  return {
    read: () => readMark(vaultKeyFile),
    write: (mark) => writeMark(vaultKeyFile, mark),
  };
}

function userName(): string | null {
  try {
    return userInfo().username;
  } catch {
    // A user without an entry in the system's list has no name.
    return null;
  }
}

async function readText(path: string): Promise<string | null> {
  try {
    return await Deno.readTextFile(path);
  } catch {
    // It does not exist or may not be read; the next source is tried.
    return null;
  }
}

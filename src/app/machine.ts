/**
 * The machine and user that the vault is bound to, read on the main thread.
 *
 * @module
 */

import { userInfo } from "node:os";
import { readMachineSecret } from "../store/machine_secret.ts";
import type { MachineSecret } from "../store/vault_cipher.ts";
import { systemRunner } from "./command_runner.ts";

/** The vault's key material. Not from USER: a service may run without it. */
export function machineSecret(): Promise<MachineSecret> {
  return readMachineSecret({
    os: Deno.build.os,
    runner: systemRunner,
    readText,
    userName: userName(),
  });
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
    // Not there, or not for us: the next source is asked.
    return null;
  }
}

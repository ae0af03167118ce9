/**
 * What ties the vault to this machine and user. It is read where programs and
 * the system's files may be read, and handed to the server's worker.
 *
 * @module
 */

import type { CommandRunner } from "../../ports.ts";
import type { MachineSecret } from "./vault_cipher.ts";

/** Where a system tells no id; the vault then is bound to the user alone. */
export const NO_MACHINE_ID = "tc/no-machine-id";

const LINUX_FILES = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
const TOOL_TIMEOUT_MS = 5_000;

export interface MachinePorts {
  readonly os: typeof Deno.build.os;
  readonly runner: CommandRunner;
  /** The file's text, or null when it cannot be read. */
  readonly readText: (path: string) => Promise<string | null>;
  /** The system's name of the user, or null when it does not tell. */
  readonly userName: string | null;
}

/** The id of this machine as its system gives it, or null. */
export async function readMachineId(
  ports: MachinePorts,
): Promise<string | null> {
  switch (ports.os) {
    case "darwin":
      return await fromTool(
        ports.runner,
        ["ioreg", "-rd1", "-c", "IOPlatformExpertDevice"],
        /"IOPlatformUUID"\s*=\s*"([^"]+)"/,
      );
    case "windows":
      return await fromTool(
        ports.runner,
        [
          "reg",
          "query",
          "HKLM\\SOFTWARE\\Microsoft\\Cryptography",
          "/v",
          "MachineGuid",
        ],
        /MachineGuid\s+REG_SZ\s+(\S+)/,
      );
    default:
      return await fromFiles(ports.readText);
  }
}

/** The vault's key material; never fails, since a vault must open anywhere. */
export async function readMachineSecret(
  ports: MachinePorts,
  vaultKey: string,
): Promise<MachineSecret> {
  return {
    machineId: await readMachineId(ports) ?? NO_MACHINE_ID,
    userName: ports.userName ?? "user",
    vaultKey,
  };
}

async function fromFiles(
  readText: MachinePorts["readText"],
): Promise<string | null> {
  for (const path of LINUX_FILES) {
    const text = (await readText(path))?.trim() ?? "";
    if (text !== "") return text;
  }
  return null;
}

async function fromTool(
  runner: CommandRunner,
  [command = "", ...args]: readonly string[],
  pattern: RegExp,
): Promise<string | null> {
  const outcome = await runner.run(command, args, {
    stdin: "",
    timeoutMs: TOOL_TIMEOUT_MS,
  });
  if (outcome.kind !== "exited") return null;
  return pattern.exec(outcome.stdout)?.[1] ?? null;
}

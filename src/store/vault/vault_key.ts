/**
 * The vault's own secret: random, made once, in a private file outside the
 * vault's folder. A copy of the vault alone, in a backup or in a repository of
 * settings, does not open without it.
 *
 * @module
 */

import { VaultError } from "../../errors.ts";
import type { CommandRunner, Entropy } from "../../ports.ts";
import { folderOf } from "../files/file_target.ts";
import {
  openOwnSync,
  refuseForeignPlace,
  tightenSecret,
  writeNew,
} from "../files/own_files.ts";
import type { MachineSecret } from "./vault_cipher.ts";

const KEY_BYTES = 32;
const SHAPE = /^[A-Za-z0-9_-]{43}$/;

/**
 * Returns the secret in `file`, base64url. Where there is none it makes one;
 * processes that find none agree on one under a lock. Throws VaultError where
 * the file is damaged: a new secret would lock out every entry.
 */
export function vaultKey(file: string, entropy: Entropy): string {
  return readVaultKey(file) ?? madeKey(file, entropy);
}

/** Returns the secret in `file`, or null where there is none yet. */
export function readVaultKey(file: string): string | null {
  refuseForeignPlace(file);
  try {
    tightenSecret(file);
    const text = Deno.readTextFileSync(file).trim();
    if (SHAPE.test(text)) return text;
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return null;
    throw cause;
  }
  throw new VaultError(
    `Cannot read the vault's key in ${file}: it is damaged`,
    {
      code: "vault_key_damaged",
      hint: "Bring the file back from a backup. Without it, remove it and " +
        "log in anew: tc login",
    },
  );
}

function madeKey(file: string, entropy: Entropy): string {
  Deno.mkdirSync(folderOf(file), { recursive: true, mode: 0o700 });
  using lock = openOwnSync(`${file}.lock`, { write: true });
  lock.lockSync(true);
  const found = readVaultKey(file);
  if (found !== null) return found;
  const fresh = entropy.bytes(KEY_BYTES)
    .toBase64({ alphabet: "base64url", omitPadding: true });
  // Whole or not there: others read it without the lock.
  writeNew(`${file}.next`, `${fresh}\n`);
  syncFile(`${file}.next`);
  Deno.renameSync(`${file}.next`, file);
  return fresh;
}

/** An entry that outlives its key through a power cut would be lost. */
function syncFile(path: string): void {
  using file = Deno.openSync(path, { write: true });
  file.syncSync();
}

// What ties the vault to this machine and user. It is read where programs and
// the system's files may be read, and handed to the server's worker.

/** Where a system tells no id; the vault then is bound to the user alone. */
const NO_MACHINE_ID = "tc/no-machine-id";

const LINUX_FILES = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
const TOOL_TIMEOUT_MS = 5_000;

interface MachinePorts {
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

/**
 * What ties the vault to this machine and user. It is read where programs and
 * the system's files may be read, and handed to the server's worker.
 *
 * @module
 */

import { EXIT, VaultError } from "../../errors.ts";
import type { CommandOutcome, CommandRunner } from "../../ports.ts";
import { NO_MACHINE_ID, NO_USER_NAME } from "./vault_cipher.ts";
import type { MachineFacts, MachineSecret } from "./vault_cipher.ts";
import type { System } from "../../variables.ts";

const LINUX_FILES = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
/** Right after a log-on such a program may take its time: it is asked again. */
const TOOL_TRIES_MS = [5_000, 20_000];

/** The program of a system that tells the id. */
interface IdTool {
  readonly command: readonly [string, ...string[]];
  readonly pattern: RegExp;
}

const ID_TOOLS: Readonly<Record<string, IdTool>> = {
  darwin: {
    command: ["ioreg", "-rd1", "-c", "IOPlatformExpertDevice"],
    pattern: /"IOPlatformUUID"\s*=\s*"([^"]+)"/,
  },
  windows: {
    command: [
      "reg",
      "query",
      "HKLM\\SOFTWARE\\Microsoft\\Cryptography",
      "/v",
      "MachineGuid",
    ],
    pattern: /MachineGuid\s+REG_SZ\s+(\S+)/,
  },
};

interface MachinePorts {
  readonly os: System;
  readonly runner: CommandRunner;
  /** The file's text, or null when it cannot be read. */
  readonly readText: (path: string) => Promise<string | null>;
  /** The system's name of the user, or null when it does not tell. */
  readonly userName: string | null;
}

type MachineIdReading =
  | { readonly kind: "told"; readonly id: string }
  /** The system has none, or its files do not tell it. */
  | { readonly kind: "none" }
  /** The system has one, and its program did not tell it. */
  | { readonly kind: "untold"; readonly reason: string };

/** Returns the id of this machine as its system gives it. */
export async function readMachineId(
  { os, runner, readText }: MachinePorts,
): Promise<MachineIdReading> {
  const tool = ID_TOOLS[os];
  return tool === undefined
    ? await fromFiles(readText)
    : await fromTool(runner, tool);
}

/** Whether the vault has been sealed for a machine, and for which. */
export interface MachineBinding {
  /** The mark of the machine and user; null where none was noted. */
  read(): string | null;
  write(mark: string): void;
}

/**
 * Returns the vault's key material. Throws VaultError `machine_untold` where
 * the system does not tell the id now that it has or had: a vault sealed
 * without it would be another one.
 */
export async function readMachineSecret(
  ports: MachinePorts,
  vaultKey: string,
  binding: MachineBinding,
): Promise<MachineSecret> {
  const { os, userName } = ports;
  const reading = await readMachineId(ports);
  if (reading.kind === "untold") throw untold(os, reading.reason);
  const secret = {
    machineId: reading.kind === "told" ? reading.id : NO_MACHINE_ID,
    userName: userName ?? NO_USER_NAME,
    vaultKey,
  };
  const mark = await markOf(secret);
  const noted = binding.read();
  if (noted === mark) return secret;
  if (reading.kind === "told" && userName !== null) binding.write(mark);
  else if (noted !== null) {
    const what = userName === null ? "the name of this user" : "the id of it";
    throw untold(
      os,
      `it was sealed for a machine, and ${what} is not told now`,
    );
  }
  return secret;
}

/** Tells one machine and user from another, and nobody which. */
async function markOf(
  { vaultKey, machineId, userName }: MachineFacts & { vaultKey: string },
): Promise<string> {
  const text = `tc/vault/machine\0${vaultKey}\0${machineId}\0${userName}`;
  const bytes = new TextEncoder().encode(text);
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

function untold(os: string, reason: string): VaultError {
  const [program, ...words] = ID_TOOLS[os]?.command ?? [];
  return new VaultError(`Cannot open the vault now: ${reason}`, {
    code: "machine_untold",
    exitCode: EXIT.tryLater,
    hint: program === undefined
      ? "cat /etc/machine-id   must show it; systemd-machine-id-setup makes one"
      : `${[program, ...words].join(" ")}   must show it; then try again`,
  });
}

async function fromFiles(
  readText: MachinePorts["readText"],
): Promise<MachineIdReading> {
  for (const path of LINUX_FILES) {
    const text = (await readText(path))?.trim() ?? "";
    if (text !== "") return { kind: "told", id: text };
  }
  return { kind: "none" };
}

async function fromTool(
  runner: CommandRunner,
  { command: [program, ...args], pattern }: IdTool,
): Promise<MachineIdReading> {
  let reason = "";
  for (const timeoutMs of TOOL_TRIES_MS) {
    const outcome = await runner.run(program, args, { stdin: "", timeoutMs });
    const id = outcome.kind === "exited"
      ? pattern.exec(outcome.stdout)?.[1]
      : undefined;
    if (id !== undefined) return { kind: "told", id };
    reason = `${program} does not tell this machine's id (${why(outcome)})`;
  }
  return { kind: "untold", reason };
}

function why(outcome: CommandOutcome): string {
  switch (outcome.kind) {
    case "exited":
      return outcome.code === 0
        ? "its answer has none"
        : `it ended with ${outcome.code}`;
    case "missing":
      return "there is no such program";
    case "timed_out":
      return "it did not answer in time";
  }
}

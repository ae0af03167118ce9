/**
 * The keychains of three systems, used through the programs that come with
 * them. A secret goes in by standard input and never by an argument.
 *
 * @module
 */

import { VaultError } from "../../errors.ts";
import type { CommandOutcome, CommandRunner } from "../../ports.ts";
import type { System } from "../../variables.ts";

/** The service name of all items of tc. */
const SERVICE = "tc";
/** `security -i` cuts a command line at 4,096 bytes. */
const SECURITY_LINE_MAX = 4_000;
const SECURITY_NOT_FOUND = 44;
/**
 * An item that never exists: asking for it shows whether the keychain answers.
 */
const PROBE = "probe";

/**
 * One keychain. An `id` is an account's and holds no blank and no quote. `note`
 * is what must be kept in a file beside the item.
 */
export interface KeychainTool {
  readonly text: string;
  /** Rejects with the reason if the keychain does not answer. */
  check(): Promise<void>;
  store(id: string, secret: string): Promise<string>;
  load(id: string, note: string): Promise<string | null>;
  erase(id: string): Promise<void>;
}

interface ToolPorts {
  readonly runner: CommandRunner;
  /** How long a program may take; short if nobody can answer a prompt. */
  readonly timeoutMs: number;
}

/** Returns the keychain of `os`, or null if none is known. */
export function keychainTool(
  os: System,
  ports: ToolPorts,
): KeychainTool | null {
  switch (os) {
    case "darwin":
      return new MacKeychain(ports);
    case "windows":
      return new WindowsProtection(ports);
    case "linux":
    case "freebsd":
      return new SecretService(ports);
    default:
      return null;
  }
}

/** Returns the name of the keychain of `os`, or null if there is none. */
export function keychainText(os: System): string | null {
  const runner: CommandRunner = {
    run: () => Promise.resolve({ kind: "missing" }),
  };
  return keychainTool(os, { runner, timeoutMs: 0 })?.text ?? null;
}

/** Runs `command`. Throws VaultError if it is missing or does not end. */
async function run(
  { runner, timeoutMs }: ToolPorts,
  [command = "", ...args]: readonly string[],
  stdin: string,
): Promise<Extract<CommandOutcome, { kind: "exited" }>> {
  const outcome = await runner.run(command, args, { stdin, timeoutMs });
  switch (outcome.kind) {
    case "exited":
      return outcome;
    case "missing":
      throw new VaultError(
        `Cannot use the keychain: ${command} is not installed`,
        { code: "keychain_absent" },
      );
    case "timed_out":
      throw new VaultError(
        `Cannot use the keychain: ${command} did not answer, it may be locked`,
        { code: "keychain_locked", hint: unlockHint(command) },
      );
  }
}

/**
 * Returns how the keychain behind `command` is unlocked, preferably as a
 * command.
 */
function unlockHint(command: string): string {
  switch (command) {
    case "security":
      return "security unlock-keychain   unlocks it; tc then goes on by itself";
    case "secret-tool":
      return "secret-tool lookup unlock it   asks for its password; " +
        "tc then goes on by itself";
    default:
      return "Log in to Windows as the user who stored it, then try again";
  }
}

function refused(command: string, code: number): VaultError {
  return new VaultError(
    `Cannot use the keychain: ${command} ended with ${code}, it may be locked or denied`,
    { code: "keychain_locked", hint: unlockHint(command) },
  );
}

class MacKeychain implements KeychainTool {
  readonly text = "macOS Keychain";
  readonly #ports: ToolPorts;

  constructor(ports: ToolPorts) {
    this.#ports = ports;
  }

  async check(): Promise<void> {
    await this.load(PROBE);
  }

  async store(id: string, secret: string): Promise<string> {
    // `-i` reads it from standard input, so the secret is in no argument list.
    const line =
      `add-generic-password -U -a ${id} -s ${SERVICE} -l "tc ${id}" -w ${secret}\n`;
    if (line.length > SECURITY_LINE_MAX) {
      throw new VaultError("Cannot use the keychain: the entry is too long", {
        code: "keychain_refused",
      });
    }
    const { code } = await run(this.#ports, ["security", "-i"], line);
    if (code !== 0) throw refused("security", code);
    return this.text;
  }

  async load(id: string): Promise<string | null> {
    const { code, stdout } = await run(this.#ports, [
      "security",
      "find-generic-password",
      "-a",
      id,
      "-s",
      SERVICE,
      "-w",
    ], "");
    if (code === SECURITY_NOT_FOUND) return null;
    if (code !== 0) throw refused("security", code);
    return stdout.trim();
  }

  async erase(id: string): Promise<void> {
    const { code } = await run(this.#ports, [
      "security",
      "delete-generic-password",
      "-a",
      id,
      "-s",
      SERVICE,
    ], "");
    if (code === 0 || code === SECURITY_NOT_FOUND) return;
    throw refused("security", code);
  }
}

class SecretService implements KeychainTool {
  readonly text = "Secret Service";
  readonly #ports: ToolPorts;

  constructor(ports: ToolPorts) {
    this.#ports = ports;
  }

  async check(): Promise<void> {
    await this.load(PROBE);
  }

  async store(id: string, secret: string): Promise<string> {
    const { code } = await run(this.#ports, [
      "secret-tool",
      "store",
      `--label=tc ${id}`,
      ...attributes(id),
    ], secret);
    if (code !== 0) throw refused("secret-tool", code);
    return this.text;
  }

  async load(id: string): Promise<string | null> {
    const { code, stdout, stderr } = await run(this.#ports, [
      "secret-tool",
      "lookup",
      ...attributes(id),
    ], "");
    if (code === 0) return stdout.trim();
    // It exits with 1 for an unknown item as for a failure, but explains only
    // the failure.
    if (stderr.trim() === "") return null;
    throw refused("secret-tool", code);
  }

  async erase(id: string): Promise<void> {
    const { code, stderr } = await run(this.#ports, [
      "secret-tool",
      "clear",
      ...attributes(id),
    ], "");
    if (code === 0 || stderr.trim() === "") return;
    throw refused("secret-tool", code);
  }
}

function attributes(id: string): readonly string[] {
  return ["application", SERVICE, "account", id];
}

/**
 * Windows' own protection of data for one user; the sealed text is the note.
 */
class WindowsProtection implements KeychainTool {
  readonly text = "Windows data protection";
  readonly #ports: ToolPorts;

  constructor(ports: ToolPorts) {
    this.#ports = ports;
  }

  async check(): Promise<void> {
    await this.#protect("Protect", btoa("probe"));
  }

  async store(_id: string, secret: string): Promise<string> {
    return await this.#protect("Protect", btoa(secret));
  }

  async load(_id: string, note: string): Promise<string | null> {
    return atob(await this.#protect("Unprotect", note.trim()));
  }

  erase(): Promise<void> {
    return Promise.resolve();
  }

  async #protect(verb: string, base64: string): Promise<string> {
    const { code, stdout } = await run(this.#ports, [
      "powershell.exe",
      "-NoProfile",
      "-NonInteractive",
      "-Command",
      "Add-Type -AssemblyName System.Security;" +
      "$in=[Convert]::FromBase64String([Console]::In.ReadToEnd().Trim());" +
      `$out=[Security.Cryptography.ProtectedData]::${verb}($in,$null,'CurrentUser');` +
      "[Console]::Out.Write([Convert]::ToBase64String($out))",
    ], base64);
    if (code !== 0) throw refused("powershell.exe", code);
    return stdout.trim();
  }
}

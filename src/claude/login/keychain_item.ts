/**
 * One generic password of the macOS Keychain through `security`. The secret
 * goes in by standard input, in hex, and never by an argument.
 *
 * @module
 */

import { TcError } from "../../errors.ts";
import type { CommandOutcome, CommandRunner } from "../../ports.ts";

const NOT_FOUND = 44;
/** `security -i` cuts a command line at 4,096 bytes. */
const LINE_BYTES_MAX = 4_000;
const TIMEOUT_MS = 10_000;
/** Why an item with the logins of many MCP servers is not written. */
export const TOO_LONG = "the entry is too long for security -i";

export class KeychainItem {
  readonly #service: string;
  readonly #account: string;
  readonly #runner: CommandRunner;

  constructor(
    { service, account }: {
      readonly service: string;
      readonly account: string;
    },
    runner: CommandRunner,
  ) {
    this.#service = service;
    this.#account = account;
    this.#runner = runner;
  }

  /** Returns the password, or null if there is no such item. */
  async read(): Promise<string | null> {
    const { code, stdout } = await this.#run([
      "find-generic-password",
      "-a",
      this.#account,
      "-s",
      this.#service,
      "-w",
    ], "");
    if (code === NOT_FOUND) return null;
    if (code !== 0) throw refused(`it ended with ${code}`);
    const text = stdout.trim();
    return isHex(text) ? fromHex(text) : text;
  }

  /** Returns whether there is such an item, without asking for its secret. */
  async isThere(): Promise<boolean> {
    const outcome = await this.#runner.run("security", [
      "find-generic-password",
      "-a",
      this.#account,
      "-s",
      this.#service,
    ], { stdin: "", timeoutMs: TIMEOUT_MS });
    return outcome.kind === "exited" && outcome.code === 0;
  }

  /** Returns whether `text` can be written: a longer one would show in `ps`. */
  fits(text: string): boolean {
    return this.#writing(text).length <= LINE_BYTES_MAX;
  }

  /** Makes the item, or replaces its password. */
  async write(text: string): Promise<void> {
    const line = this.#writing(text);
    if (line.length > LINE_BYTES_MAX) throw refused(TOO_LONG);
    const { code } = await this.#run(["-i"], line);
    if (code !== 0) throw refused(`it ended with ${code}`);
    // `-i` exits with 0 whatever its commands reported.
    if (await this.read() !== text) throw refused("it kept something else");
  }

  /** Returns the line for `security -i`, in ASCII. */
  #writing(text: string): string {
    const hex = new TextEncoder().encode(text).toHex();
    return `add-generic-password -U -a "${this.#account}" -s "${this.#service}" -X "${hex}"\n`;
  }

  async #run(
    args: readonly string[],
    stdin: string,
  ): Promise<Extract<CommandOutcome, { kind: "exited" }>> {
    const outcome = await this.#runner.run("security", args, {
      stdin,
      timeoutMs: TIMEOUT_MS,
    });
    switch (outcome.kind) {
      case "exited":
        return outcome;
      case "missing":
        throw refused("there is no program named security");
      case "timed_out":
        throw refused("it did not answer, it may be locked");
    }
  }
}

/** `-w` prints a password in hex if it is not plain text. */
function isHex(text: string): boolean {
  return text.length % 2 === 0 && /^[0-9a-f]+$/i.test(text);
}

function fromHex(text: string): string {
  return new TextDecoder().decode(Uint8Array.fromHex(text));
}

function refused(reason: string): TcError {
  return new TcError(`Cannot use Claude Code's keychain item: ${reason}`, {
    code: "keychain_refused",
    hint: "Unlock the keychain and allow the access, then try again",
  });
}

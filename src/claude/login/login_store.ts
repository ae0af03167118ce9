/**
 * Claude Code's own login: read, and replaced only if it still is what was
 * read. Everything else that stands beside the login stays.
 *
 * @module
 */

import { TcError } from "../../errors.ts";
import type {
  Clock,
  CommandOutcome,
  CommandRunner,
  HeldLock,
} from "../../ports.ts";
import {
  type ClaudeLogin,
  type ClaudeLoginReading,
  readClaudeText,
  writeClaudeLogin,
} from "../../wire/claude_credential.ts";
import {
  type ClaudeFolder,
  locationOf,
  type LoginPlace,
} from "../claude_folder.ts";
import { lockRefresh } from "./refresh_lock.ts";

/** What the store held at one moment. */
interface StoredLogin {
  readonly reading: ClaudeLoginReading;
  /** The whole text; null where there is nothing. */
  readonly text: string | null;
}

interface LoginStorePorts {
  readonly files: TextFiles;
  /** Needed for the keychain alone. */
  readonly runner: CommandRunner | null;
  readonly clock: Clock;
}

const LOCK_WAIT_MS = 20_000;
/** So many unreadable files beside each other have a cause to be mended. */
const COPIES_MAX = 100;

export class ClaudeLoginStore {
  readonly place: LoginPlace;
  readonly #folder: string;
  readonly #clock: Clock;
  readonly #files: TextFiles;
  readonly #keychain: KeychainItem | null;

  constructor(
    { folder, login }: Pick<ClaudeFolder, "folder" | "login">,
    { files, runner, clock }: LoginStorePorts,
  ) {
    this.place = login;
    this.#folder = folder;
    this.#clock = clock;
    this.#files = files;
    this.#keychain = login.kind === "keychain" && runner !== null
      ? new KeychainItem(login, runner)
      : null;
  }

  /** As accounts remember it: {@linkcode locationOf}. */
  get location(): string {
    return locationOf(this.place);
  }

  /** Throws TcError where the place cannot be read. */
  async read(): Promise<StoredLogin> {
    const text = await this.#readText();
    return { text, reading: readClaudeText(text) };
  }

  /**
   * Writes `login` if the store is still as it was at `before`; whether it was.
   * Of the login before nothing stays: its notes are another account's.
   */
  async replace(before: StoredLogin, login: ClaudeLogin): Promise<boolean> {
    if (before.reading.kind === "unreadable") await this.#keepCopy(before);
    const document = asObject(parsed(before.text));
    const { claudeAiOauth: _old, ...others } = document;
    const isFlat = _old === undefined && "accessToken" in document;
    const next = writeClaudeLogin(isFlat ? {} : others, login);
    return await this.#replaceText(before.text, JSON.stringify(next));
  }

  /** As {@linkcode replace}, for a successor of the same account's login. */
  async renew(before: StoredLogin, login: ClaudeLogin): Promise<boolean> {
    const next = writeClaudeLogin(parsed(before.text), login);
    return await this.#replaceText(before.text, JSON.stringify(next));
  }

  /**
   * Returns why a successor could not be written now, or null. The file is
   * opened for writing and left as it is; whether its folder can be written
   * says the lock, which is made in it.
   */
  async obstacle(): Promise<string | null> {
    if (this.place.kind !== "file") return null;
    return await this.#files.obstacle(this.place.path);
  }

  /** The lock under which Claude Code renews this login. */
  lock(): Promise<HeldLock> {
    return lockRefresh(this.#folder, this.#clock, LOCK_WAIT_MS);
  }

  /**
   * What nobody could read may hold a login still: it is kept beside, each in
   * a file of its own, because a copy written over would be a login lost.
   */
  async #keepCopy({ text }: StoredLogin): Promise<void> {
    if (this.place.kind !== "file" || text === null) {
      throw new TcError(
        `Cannot replace what is in ${this.location}: it cannot be read`,
        { code: "unreadable_login", hint: "claude /login" },
      );
    }
    const first = `${this.place.path}.unreadable`;
    for (let number = 1; number <= COPIES_MAX; number++) {
      const copy = number === 1 ? first : `${first}.${number}`;
      if (await this.#files.read(copy) === text) return;
      if (await this.#files.replace(copy, null, text)) return;
    }
    throw new TcError(
      `Cannot keep a copy of ${this.place.path}: there are ${COPIES_MAX} already`,
      {
        code: "file_busy",
        hint: `Look at ${first}* and delete what is of no use`,
      },
    );
  }

  async #readText(): Promise<string | null> {
    if (this.place.kind === "file") {
      return await this.#files.read(this.place.path);
    }
    return await this.#item().read();
  }

  async #replaceText(before: string | null, text: string): Promise<boolean> {
    if (this.place.kind === "file") {
      return await this.#files.replace(this.place.path, before, text);
    }
    const item = this.#item();
    // The keychain has no compare-and-set; the refresh lock covers the gap.
    if (await item.read() !== before) return false;
    await item.write(text);
    return true;
  }

  #item(): KeychainItem {
    if (this.#keychain !== null) return this.#keychain;
    throw new TcError("Cannot use the keychain: no program may be run here", {
      code: "keychain_absent",
    });
  }
}

/** Half-written text is as good as none. */
function parsed(text: string | null): unknown {
  if (text === null) return null;
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value)
    ? value as Readonly<Record<string, unknown>>
    : {};
}

// The port to files that belong to Claude Code. It may write them at any
// moment, so nothing is replaced that is not what was read.

interface TextFiles {
  /** The text of `path`, or null where there is no such file. */
  read(path: string): Promise<string | null>;
  /**
   * Puts `text` in place of `before` (null: no file), whole or not at all and
   * readable by its owner alone. False when the file is something else by now.
   * Follows links and keeps them.
   */
  replace(path: string, before: string | null, text: string): Promise<boolean>;
  /** Returns why `path` could not be replaced now, or null; changes nothing. */
  obstacle(path: string): Promise<string | null>;
}

// One generic password of the macOS Keychain through `security`. The secret
// goes in by standard input, in hex, and never by an argument.

const NOT_FOUND = 44;
/** `security -i` cuts a command line at 4,096 bytes. */
const LINE_BYTES_MAX = 4_000;
const TIMEOUT_MS = 10_000;

class KeychainItem {
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

  /** The password, or null where there is no such item. */
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

  /** Makes the item or replaces its password. */
  async write(text: string): Promise<void> {
    const hex = new TextEncoder().encode(text).toHex();
    const line =
      `add-generic-password -U -a "${this.#account}" -s "${this.#service}" -X "${hex}"\n`;
    if (line.length > LINE_BYTES_MAX) {
      throw refused("the entry is too long for security -i");
    }
    const { code } = await this.#run(["-i"], line);
    if (code !== 0) throw refused(`it ended with ${code}`);
    // `-i` ends with 0 whatever its commands said.
    if (await this.read() !== text) throw refused("it kept something else");
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

/** `-w` prints a password in hex when it is not plain text. */
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

/**
 * Claude Code's own login: read, and replaced only if it still is what was
 * read. Everything else that stands beside the login stays.
 *
 * @module
 */

import { TcError } from "../../errors.ts";
import type { Clock, CommandRunner, HeldLock } from "../../ports.ts";
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
import { KeychainItem, TOO_LONG } from "./keychain_item.ts";
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
/** A successor may be a little longer than what it follows. */
const GROWTH_BYTES_MAX = 64;
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
   * says the lock, which is made in it. The keychain takes what it gives out,
   * up to a length: logins of MCP servers stand in the same item.
   */
  async obstacle(): Promise<string | null> {
    if (this.place.kind === "file") {
      return await this.#files.obstacle(this.place.path);
    }
    try {
      const { text, reading } = await this.read();
      if (reading.kind !== "found") return null;
      const alike = writeClaudeLogin(parsed(text), reading.login);
      const longer = JSON.stringify(alike) + " ".repeat(GROWTH_BYTES_MAX);
      return this.#item().fits(longer) ? null : TOO_LONG;
    } catch (cause) {
      if (cause instanceof TcError) return cause.message;
      throw cause;
    }
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

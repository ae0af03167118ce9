/**
 * Claude Code's own login: read, and replaced only if the store still holds
 * what was read. Everything else beside the login stays.
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

/** The content of the store at one moment. */
interface StoredLogin {
  readonly reading: ClaudeLoginReading;
  /** The whole text; null if there is nothing. */
  readonly text: string | null;
}

interface LoginStorePorts {
  readonly files: TextFiles;
  /** Needed only for the keychain. */
  readonly runner: CommandRunner | null;
  readonly clock: Clock;
}

const LOCK_WAIT_MS = 20_000;
/** A successor may be slightly longer than its predecessor. */
const GROWTH_BYTES_MAX = 64;
/** More unreadable copies than this have a cause that must be fixed. */
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

  /** The place as accounts remember it: {@linkcode locationOf}. */
  get location(): string {
    return locationOf(this.place);
  }

  /** Reads the store. Throws TcError if the place cannot be read. */
  async read(): Promise<StoredLogin> {
    const text = await this.#readText();
    return { text, reading: readClaudeText(text) };
  }

  /**
   * Writes `login` if the store is still as it was at `before`, and returns
   * whether it was. Nothing of the previous login stays, because its notes
   * belong to another account.
   */
  async replace(before: StoredLogin, login: ClaudeLogin): Promise<boolean> {
    if (before.reading.kind === "unreadable") await this.#keepCopy(before);
    const document = asObject(parsed(before.text));
    const { claudeAiOauth: _old, ...others } = document;
    const isFlat = _old === undefined && "accessToken" in document;
    const next = writeClaudeLogin(isFlat ? {} : others, login);
    return await this.#replaceText(before.text, JSON.stringify(next));
  }

  /** Like {@linkcode replace}, for a successor of the same account's login. */
  async renew(before: StoredLogin, login: ClaudeLogin): Promise<boolean> {
    const next = writeClaudeLogin(parsed(before.text), login);
    return await this.#replaceText(before.text, JSON.stringify(next));
  }

  /**
   * Returns why a successor could not be written now, or null. The file is
   * opened for writing and left unchanged; making the lock shows whether its
   * folder is writable. The keychain accepts what it has given out, up to a
   * length: logins of MCP servers are in the same item.
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

  /** Takes the lock under which Claude Code renews this login. */
  lock(): Promise<HeldLock> {
    return lockRefresh(this.#folder, this.#clock, LOCK_WAIT_MS);
  }

  /**
   * Keeps unreadable content, which may still hold a login, in a file of its
   * own beside the store. Overwriting an earlier copy could lose a login.
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

/** Half-written text counts as none. */
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

// Files that belong to Claude Code. It may write them at any moment, so a file
// is replaced only if it still holds what was read.

interface TextFiles {
  /** Returns the text of `path`, or null if there is no such file. */
  read(path: string): Promise<string | null>;
  /**
   * Replaces `before` (null: no file) by `text`, whole or not at all and
   * readable by its owner only. Returns false if the file has changed. Follows
   * links and keeps them.
   */
  replace(path: string, before: string | null, text: string): Promise<boolean>;
  /** Returns why `path` could not be replaced now, or null; changes nothing. */
  obstacle(path: string): Promise<string | null>;
}

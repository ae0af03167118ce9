/**
 * The vault's entries in the system's keychain. A file per account says that
 * its entry is there, because keychains cannot be listed without prompts.
 *
 * @module
 */

import { type AccountId, accountId } from "../../core/account.ts";
import { VaultError } from "../../errors.ts";
import {
  ensurePrivateFolder,
  pendingPath,
  readIfThere,
  removeIfThere,
  syncFolder,
  writeAtomic,
} from "../files/atomic.ts";
import { fileError, folderOf } from "../files/file_target.ts";
import type { KeychainTool } from "./keychain_tools.ts";
import type { VaultBackend } from "./vault.ts";

const SUFFIX = ".keychain";
/** How long a keychain that was locked is assumed to stay locked. */
const LOCKED_MS = 1_000;

export class VaultKeychain implements VaultBackend {
  readonly kind = "keychain";
  readonly text: string;
  readonly #folder: string;
  readonly #tool: KeychainTool;
  #locked: { readonly error: VaultError; readonly untilMs: number } | null =
    null;

  constructor(folder: string, tool: KeychainTool) {
    this.#folder = folder;
    this.#tool = tool;
    this.text = tool.text;
  }

  /** Rejects with the reason if the keychain does not answer. */
  async check(): Promise<void> {
    await this.#unlessLocked(() => this.#tool.check());
  }

  async ids(): Promise<readonly AccountId[]> {
    const ids: AccountId[] = [];
    try {
      for await (const { name } of Deno.readDir(this.#folder)) {
        if (!name.endsWith(SUFFIX)) continue;
        const id = accountId(name.slice(0, -SUFFIX.length));
        if (id !== null) ids.push(id);
      }
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw fileError(`read ${this.#folder}`, error);
    }
    return ids.sort();
  }

  async load(id: AccountId): Promise<string | null> {
    const note = await readIfThere(this.#path(id));
    if (note === null) return null;
    const text = new TextDecoder().decode(note);
    const secret = await this.#unlessLocked(() => this.#tool.load(id, text));
    if (secret !== null) return fromBase64(secret);
    throw new VaultError(
      `Cannot read the vault entry ${id}: it is gone from the keychain`,
      { code: "vault_damaged", hint: "Log in anew: tc login" },
    );
  }

  /**
   * Asks a locked keychain once and not for each entry, because one that waits
   * for a prompt takes its whole time limit.
   */
  async #unlessLocked<Answer>(ask: () => Promise<Answer>): Promise<Answer> {
    const locked = this.#locked;
    if (locked !== null && performance.now() < locked.untilMs) {
      throw locked.error;
    }
    try {
      return await ask();
    } catch (error) {
      if (error instanceof VaultError && error.code === "keychain_locked") {
        this.#locked = { error, untilMs: performance.now() + LOCKED_MS };
      }
      throw error;
    }
  }

  async save(id: AccountId, json: string): Promise<void> {
    await ensurePrivateFolder(this.#folder);
    const note = await this.#tool.store(id, toBase64(json));
    await writeAtomic(this.#path(id), new TextEncoder().encode(note));
  }

  async erase(id: AccountId): Promise<boolean> {
    const path = this.#path(id);
    const wasThere = await removeIfThere(path);
    if (!wasThere) return false;
    await syncFolder(folderOf(path));
    await this.#tool.erase(id).catch(() => {
      // Without its file the item no longer counts; a later save replaces it.
    });
    return true;
  }

  async setAside(id: AccountId): Promise<void> {
    await removeIfThere(this.#path(id));
  }

  async isUnsettled(id: AccountId): Promise<boolean> {
    return await readIfThere(pendingPath(this.#path(id))) !== null;
  }

  async settle(id: AccountId): Promise<void> {
    await removeIfThere(pendingPath(this.#path(id)));
  }

  #path(id: AccountId): string {
    return `${this.#folder}/${id}${SUFFIX}`;
  }
}

/** Plain ASCII, which every keychain program returns unchanged. */
function toBase64(text: string): string {
  return btoa(String.fromCharCode(...new TextEncoder().encode(text)));
}

function fromBase64(base64: string): string {
  try {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0));
    return new TextDecoder().decode(bytes);
  } catch (cause) {
    throw new VaultError("Cannot read the keychain: the entry is damaged", {
      code: "vault_damaged",
      cause,
    });
  }
}

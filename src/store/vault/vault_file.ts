/**
 * The vault's own files: one sealed file per account in a private folder, so
 * that damage to one file loses no other entry.
 *
 * @module
 */

import { type AccountId, accountId } from "../../core/account.ts";
import {
  ensurePrivateFolder,
  pendingPath,
  readIfThere,
  removeIfThere,
  renameOver,
  type StepObserver,
  syncFolder,
  tightenFile,
  writeAtomic,
} from "../files/atomic.ts";
import { fileError, folderOf } from "../files/file_target.ts";
import type { VaultBackend } from "./vault.ts";
import type { VaultCipher } from "./vault_cipher.ts";
import { decodeEntry } from "./vault_entry.ts";

const SUFFIX = ".vault";
const OPENING_BRACE = 0x7b;

interface VaultFileOptions {
  /** Called for each step of each write. */
  readonly onStep?: StepObserver | undefined;
}

export class VaultFiles implements VaultBackend {
  readonly kind = "file";
  readonly #folder: string;
  readonly #cipher: VaultCipher;
  readonly #onStep: StepObserver | undefined;

  constructor(
    folder: string,
    cipher: VaultCipher,
    options: VaultFileOptions = {},
  ) {
    this.#folder = folder;
    this.#cipher = cipher;
    this.#onStep = options.onStep;
  }

  get text(): string {
    return `encrypted files in ${this.#folder}`;
  }

  async ids(): Promise<readonly AccountId[]> {
    const ids = new Set<AccountId>();
    try {
      for await (const { name } of Deno.readDir(this.#folder)) {
        // An interrupted first write is an entry too, because it can be
        // finished.
        const stem = /^(.+)\.vault(?:\.next)?$/.exec(name)?.[1];
        const id = stem === undefined ? null : accountId(stem);
        if (id !== null) ids.add(id);
      }
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return [];
      throw fileError(`read ${this.#folder}`, error);
    }
    return [...ids].sort();
  }

  async load(id: AccountId): Promise<string | null> {
    const path = this.#path(id);
    const bytes = await readIfThere(path);
    if (bytes === null) return null;
    await tightenFile(path).catch(() => {
      // It is sealed, and reading it matters more than its mode.
    });
    return await this.#open(id, bytes);
  }

  async save(id: AccountId, json: string): Promise<void> {
    await ensurePrivateFolder(this.#folder);
    const bytes = await this.#cipher.seal(id, new TextEncoder().encode(json));
    await writeAtomic(this.#path(id), bytes, { onStep: this.#onStep });
  }

  async erase(id: AccountId): Promise<boolean> {
    const path = this.#path(id);
    await removeIfThere(pendingPath(path));
    const wasThere = await removeIfThere(path);
    if (wasThere) await syncFolder(folderOf(path));
    return wasThere;
  }

  async setAside(id: AccountId): Promise<void> {
    const path = this.#path(id);
    for (let count = 1;; count++) {
      const aside = `${path}.damaged-${count}`;
      if (await readIfThere(aside) !== null) continue;
      try {
        await renameOver(path, aside);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return;
        throw fileError(`set ${path} aside`, error);
      }
      return;
    }
  }

  async isUnsettled(id: AccountId): Promise<boolean> {
    return await readIfThere(pendingPath(this.#path(id))) !== null ||
      await this.#isOld(id);
  }

  /**
   * Settles interrupted writes. A write cut off before its rename may hold the
   * only copy of a fresh token. The seal shows whether it is complete, its
   * revision whether it is newer; then the rename is done. A file in clear, or
   * one sealed by an older tc, is sealed again.
   */
  async settle(id: AccountId): Promise<void> {
    await this.#finishPending(id);
    const bytes = await readIfThere(this.#path(id));
    if (bytes === null) return;
    if (bytes[0] === OPENING_BRACE) {
      const json = await this.#open(id, bytes);
      decodeEntry(id, json);
      await this.save(id, json);
    } else if (await this.#cipher.isStale(bytes)) {
      // A file that cannot be opened stays; reading it reports why.
      const json = await this.#open(id, bytes).catch(() => null);
      if (json !== null) await this.save(id, json);
    }
  }

  async #finishPending(id: AccountId): Promise<void> {
    const path = this.#path(id);
    const bytes = await readIfThere(pendingPath(path));
    if (bytes === null) return;
    const pending = await this.#revision(id, bytes);
    const present = await this.#revision(id, await readIfThere(path));
    if (pending === null || pending <= (present ?? -1)) {
      await removeIfThere(pendingPath(path));
      return;
    }
    if (present === null) await this.setAside(id);
    await tightenFile(pendingPath(path));
    await renameOver(pendingPath(path), path);
    await syncFolder(folderOf(path));
  }

  /**
   * Returns the revision in `bytes`, or null if they are not a complete entry.
   */
  async #revision(
    id: AccountId,
    bytes: Uint8Array<ArrayBuffer> | null,
  ): Promise<number | null> {
    if (bytes === null) return null;
    try {
      return decodeEntry(id, await this.#open(id, bytes)).revision;
    } catch {
      // It is not complete, which answers the question.
      return null;
    }
  }

  async #isOld(id: AccountId): Promise<boolean> {
    const bytes = await readIfThere(this.#path(id));
    if (bytes === null) return false;
    return bytes[0] === OPENING_BRACE || await this.#cipher.isStale(bytes);
  }

  async #open(
    id: AccountId,
    bytes: Uint8Array<ArrayBuffer>,
  ): Promise<string> {
    const text = bytes[0] === OPENING_BRACE
      ? bytes
      : await this.#cipher.open(id, bytes);
    return new TextDecoder().decode(text);
  }

  #path(id: AccountId): string {
    return `${this.#folder}/${id}${SUFFIX}`;
  }
}

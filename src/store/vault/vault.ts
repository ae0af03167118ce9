/**
 * The vault: every account's credential, one entry each, changed under one lock
 * and never by a snapshot.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";
import { TcError, VaultError } from "../../errors.ts";
import type {
  HeldLock,
  Locks,
  Vault,
  VaultDescription,
  VaultEntry,
  VaultListing,
} from "../../ports.ts";
import { decodeEntry, encodeEntry, type StoredEntry } from "./vault_entry.ts";

/**
 * The name of the lock around every write; no account id can be equal to it.
 */
const VAULT_LOCK = "vault.write";
const LOCK_WAIT_MS = 10_000;

interface VaultPorts {
  /** In the vault's folder, shared by every process that uses it. */
  readonly locks: Locks;
  /** Where entries are kept. */
  readonly main: VaultBackend;
  /** Where entries go if `main` refuses them; also read. Null for none. */
  readonly spare: VaultBackend | null;
  /**
   * `reading`: another process may keep entries there; this one writes none.
   */
  readonly spareFor?: "reading" | "all";
  /** Why `main` is not the wanted backend, or null. */
  readonly fallback?: string | null;
}

/** The one implementation of {@linkcode Vault}, over one backend or two. */
export class StoredVault implements Vault {
  readonly #ports: VaultPorts;
  #fallback: string | null;
  /** The backend of the last write. */
  #landed: VaultBackend;

  constructor(ports: VaultPorts) {
    this.#ports = ports;
    this.#fallback = ports.fallback ?? null;
    this.#landed = ports.main;
  }

  async list(): Promise<VaultListing> {
    const ids = new Set<AccountId>();
    for (const backend of this.#backends()) {
      for (const id of await backend.ids()) ids.add(id);
    }
    const entries: VaultEntry[] = [];
    const damaged: VaultListing["damaged"][number][] = [];
    for (const id of [...ids].sort()) {
      try {
        const entry = await this.get(id);
        if (entry !== null) entries.push(entry);
      } catch (error) {
        damaged.push({
          id,
          reason: reasonWithoutText(error),
          unlock: unlockHint(error),
        });
      }
    }
    return { entries, damaged };
  }

  async get(id: AccountId): Promise<VaultEntry | null> {
    if (await this.#isUnsettled(id)) await this.#trySettle(id);
    return (await this.#find(id))?.entry ?? null;
  }

  async put(entry: VaultEntry): Promise<void> {
    using _lock = await this.#lock();
    await this.#settle(entry.id);
    const before = await this.#findOrSetAside(entry.id);
    await this.#save({
      entry,
      revision: (before?.revision ?? 0) + 1,
      rest: before?.rest ?? {},
    });
  }

  async remove(id: AccountId): Promise<boolean> {
    using _lock = await this.#lock();
    let wasThere = false;
    for (const backend of this.#backends()) {
      if (await backend.erase(id)) wasThere = true;
    }
    return wasThere;
  }

  async update(
    id: AccountId,
    change: (entry: VaultEntry) => VaultEntry,
  ): Promise<VaultEntry | null> {
    using _lock = await this.#lock();
    await this.#settle(id);
    const found = await this.#find(id);
    if (found === null) return null;
    const { entry: before, revision, rest } = found;
    const entry = change(before);
    if (entry === before) return before;
    if (entry.id !== id) {
      throw new VaultError(`Cannot change the id of the account ${id}`, {
        code: "id_changed",
      });
    }
    await this.#save({ entry, revision: revision + 1, rest });
    return entry;
  }

  describe(): VaultDescription {
    const { kind, text } = this.#landed;
    return { backend: kind, text, fallback: this.#fallback };
  }

  /**
   * Moves every entry to the main backend: it is written there and read back
   * before the other copy is removed. Returns the ids that could not be moved.
   */
  async migrate(): Promise<readonly AccountId[]> {
    const { spare } = this.#ports;
    if (spare === null) return [];
    const left: AccountId[] = [];
    for (const id of await spare.ids()) {
      using _lock = await this.#lock();
      try {
        await this.#settle(id);
        const stored = await this.#find(id);
        if (stored !== null) await this.#save(stored);
        if (await spare.load(id) !== null) left.push(id);
      } catch {
        // An entry that cannot be read cannot be moved; `list` says why.
        left.push(id);
      }
    }
    return left;
  }

  async #save(stored: StoredEntry): Promise<void> {
    const { main, spare } = this.#ports;
    const { id } = stored.entry;
    const json = encodeEntry(stored);
    try {
      await main.save(id, json);
      if (await main.load(id) !== json) throw unsaved(id);
    } catch (error) {
      if (spare === null || this.#ports.spareFor === "reading") throw error;
      await spare.save(id, json);
      this.#fallback = reasonWithoutText(error);
      this.#landed = spare;
      await main.erase(id);
      return;
    }
    await spare?.erase(id).catch(() => {
      // It is saved; the other copy is older, which its revision shows.
    });
  }

  /**
   * Returns the newer copy if a crash left two. If the main backend has the
   * entry but cannot return it, that is an error: the other copy is older, and
   * its refresh token is spent.
   */
  async #find(id: AccountId): Promise<StoredEntry | null> {
    const { main, spare } = this.#ports;
    const first = await read(main, id);
    if (spare === null) return first;
    try {
      const second = await read(spare, id);
      if (first === null || second === null) return first ?? second;
      return second.revision > first.revision ? second : first;
    } catch (error) {
      if (first === null) throw error;
      return first;
    }
  }

  async #findOrSetAside(id: AccountId): Promise<StoredEntry | null> {
    try {
      return await this.#find(id);
    } catch {
      // A new login replaces an entry that cannot be read; the old one is kept
      // aside.
      for (const backend of this.#backends()) await backend.setAside(id);
      return null;
    }
  }

  #backends(): readonly VaultBackend[] {
    const { main, spare } = this.#ports;
    return spare === null ? [main] : [main, spare];
  }

  async #isUnsettled(id: AccountId): Promise<boolean> {
    for (const backend of this.#backends()) {
      if (await backend.isUnsettled(id)) return true;
    }
    return false;
  }

  async #settle(id: AccountId): Promise<void> {
    for (const backend of this.#backends()) await backend.settle(id);
  }

  async #trySettle(id: AccountId): Promise<void> {
    try {
      using _lock = await this.#lock();
      await this.#settle(id);
    } catch {
      // A disk that cannot be written can still be read.
    }
  }

  #lock(): Promise<HeldLock> {
    return this.#ports.locks.acquire(VAULT_LOCK, { waitMs: LOCK_WAIT_MS });
  }
}

async function read(
  backend: VaultBackend,
  id: AccountId,
): Promise<StoredEntry | null> {
  const json = await backend.load(id);
  return json === null ? null : decodeEntry(id, json);
}

/** Whether the keychain is locked; its content is not damaged. */
/** Returns what unlocks the keychain, alike in every shell, or null. */
function unlockHint(error: unknown): string | null {
  return isLocked(error) && typeof error.hint === "string" ? error.hint : null;
}

function isLocked(error: unknown): error is TcError {
  return error instanceof TcError && error.code === "keychain_locked";
}

function unsaved(id: AccountId): VaultError {
  return new VaultError(
    `Cannot store the account ${id}: the keychain gave something else back`,
    { code: "keychain_refused" },
  );
}

/**
 * Returns a reason without any part of the entry, because an error may quote
 * it.
 */
function reasonWithoutText(error: unknown): string {
  if (error instanceof TcError) return error.message;
  return error instanceof Error ? error.name : "unknown reason";
}

export interface VaultBackend {
  readonly kind: "file" | "keychain";
  /** What it is and where, for `tc status`. */
  readonly text: string;
  ids(): Promise<readonly AccountId[]>;
  /** Returns the entry's JSON, or null if there is none. Throws VaultError. */
  load(id: AccountId): Promise<string | null>;
  /** Durable when it resolves; otherwise throws and keeps the old text. */
  save(id: AccountId, json: string): Promise<void>;
  /** Returns whether there was one. */
  erase(id: AccountId): Promise<boolean>;
  /**
   * Moves an entry that cannot be read aside, so that a new one can be stored.
   */
  setAside(id: AccountId): Promise<void>;
  /** Returns whether an interrupted write of this entry is unfinished. */
  isUnsettled(id: AccountId): Promise<boolean>;
  /** Finishes or discards an interrupted write of this entry. */
  settle(id: AccountId): Promise<void>;
}

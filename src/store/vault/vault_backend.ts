/**
 * Where the vault keeps the JSON texts of its entries. The vault holds its
 * lock around every call that writes.
 *
 * @module
 */

import type { AccountId } from "../../core/account.ts";

export interface VaultBackend {
  readonly kind: "file" | "keychain";
  /** For `tc status`: what it is and where. */
  readonly text: string;
  ids(): Promise<readonly AccountId[]>;
  /** The entry's JSON, or null when there is none; throws VaultError. */
  load(id: AccountId): Promise<string | null>;
  /** Durable when it resolves; throws and keeps the old text otherwise. */
  save(id: AccountId, json: string): Promise<void>;
  /** Whether there was one. */
  erase(id: AccountId): Promise<boolean>;
  /** Puts an entry that cannot be read out of the way of a new one. */
  setAside(id: AccountId): Promise<void>;
  /** Whether an interrupted write of this entry waits to be settled. */
  isUnsettled(id: AccountId): Promise<boolean>;
  /** Finishes or drops an interrupted write of this entry. */
  settle(id: AccountId): Promise<void>;
}

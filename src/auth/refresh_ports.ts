/**
 * What keeping credentials alive needs of the outside.
 *
 * @module
 */

import type { AccountId } from "../core/account.ts";
import type {
  Clock,
  Journal,
  Locks,
  OAuthCredential,
  Vault,
  VaultEntry,
} from "../ports.ts";
import type { FamilyOwners } from "./shared/family_owners.ts";
import type { JsonClient } from "./json_client.ts";
import type { OAuthProvider } from "./provider.ts";

export interface RefreshPorts {
  readonly vault: Vault;
  /** One lock an account id, shared by every process on the vault. */
  readonly locks: Locks;
  readonly client: JsonClient;
  readonly provider: OAuthProvider;
  readonly clock: Clock;
  readonly journal: Journal;
  /** The stores of programs whose logins were imported; null for none. */
  readonly owners: FamilyOwners | null;
  /** Told when the token endpoint has answered and nothing is stored yet. */
  readonly onAnswer?: (id: AccountId) => void | Promise<void>;
}

/** An entry whose credential can be renewed. */
export type OAuthEntry = VaultEntry & { readonly credential: OAuthCredential };

export function isOAuth(entry: VaultEntry): entry is OAuthEntry {
  return entry.credential.kind === "oauth";
}

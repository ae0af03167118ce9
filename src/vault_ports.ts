/**
 * What a vault holds, and its interface.
 *
 * @module
 */

import type { AccountId, AccountKind, Tier } from "./core/account.ts";
import type { Instant } from "./core/time.ts";
import type { RefreshToken } from "./refresh_token.ts";
import type { Secret } from "./secret.ts";

/**
 * Whom the provider says an account belongs to. One person may own several
 * organisations.
 */
export interface AccountIdentity {
  readonly accountUuid: string;
  readonly organizationUuid: string;
}

/** A login with a refresh token that is spent by its first use. */
export interface OAuthCredential {
  readonly kind: "oauth";
  readonly accessToken: Secret;
  readonly refreshToken: RefreshToken;
  /** When the access token ends. */
  readonly expiresAt: Instant;
  /** Empty if unknown. */
  readonly scopes: readonly string[];
  /** When the sign-in ends, however often it is renewed; null if unknown. */
  readonly signInEndsAt: Instant | null;
}

export type Credential =
  | OAuthCredential
  /** `claude setup-token`: no refresh, no profile; its end is seldom known. */
  | {
    readonly kind: "setup_token";
    readonly token: Secret;
    readonly expiresAt: Instant | null;
  }
  /** Goes as `x-api-key`. */
  | { readonly kind: "api_key"; readonly token: Secret }
  /** Goes as `Authorization: Bearer`; backends only. */
  | { readonly kind: "bearer"; readonly token: Secret };

/** Another program that holds the same refresh token family. */
export interface SharedFamily {
  readonly tool:
    | "claude_code"
    | "teamclaude"
    | "maxpool"
    | "nextclaude"
    | "claude_pool";
  /** Its file, or the name of its keychain item. */
  readonly location: string;
}

/** One account in the vault: enough to rebuild the account list from. */
export interface VaultEntry {
  readonly id: AccountId;
  readonly label: string;
  readonly kind: AccountKind;
  /** Null if the provider does not tell: keys, setup tokens. */
  readonly identity: AccountIdentity | null;
  readonly email: string | null;
  readonly organization: string | null;
  readonly tier: Tier;
  readonly credential: Credential;
  /** When tc itself got the credential; the epoch for an imported one. */
  readonly savedAt: Instant;
  readonly sharedWith: SharedFamily | null;
  /**
   * SHA-256 in hex of the ancestors of the present refresh token, newest first.
   * Whoever shows one of them is behind.
   */
  readonly ancestors: readonly string[];
  /** SHA-256 in hex of a refresh token that the provider refused, or null. */
  readonly refusedTokenHash: string | null;
}

export interface VaultListing {
  readonly entries: readonly VaultEntry[];
  /** Entries that exist and cannot be read; nothing overwrites them. */
  readonly damaged: readonly {
    readonly id: AccountId;
    readonly reason: string;
    /** The command that unlocks its keychain; null if it is damaged. */
    readonly unlock: string | null;
  }[];
}

/** The store of credentials. Every method may throw VaultError. */
export interface Vault {
  list(): Promise<VaultListing>;
  /** Returns null if there is no such entry; throws if it cannot be read. */
  get(id: AccountId): Promise<VaultEntry | null>;
  /** Adds the entry or replaces it. Durable when it resolves. */
  put(entry: VaultEntry): Promise<void>;
  /** Returns whether there was one. */
  remove(id: AccountId): Promise<boolean>;
  /**
   * Reads the entry again under the vault's lock, lets `change` replace it and
   * writes the result. Returns what is then stored; null if there is none, and
   * `change` was not called. Durable when it resolves.
   */
  update(
    id: AccountId,
    change: (entry: VaultEntry) => VaultEntry,
  ): Promise<VaultEntry | null>;
  /** Returns where the secrets are and what is wrong, for `tc status`. */
  describe(): VaultDescription;
}

export interface VaultDescription {
  readonly backend: "file" | "keychain";
  readonly text: string;
  /** Why the wanted backend is not used, or null. */
  readonly fallback: string | null;
}

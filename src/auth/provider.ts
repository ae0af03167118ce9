/**
 * The provider's sign-in endpoints, and what renewal needs from outside.
 * Endpoints have moved before, so each of them can be set in the config.
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

export interface OAuthProvider {
  /** The page on which the person grants access. */
  readonly authorizeUrl: string;
  /** Receives codes and refresh tokens. */
  readonly tokenUrl: string;
  /** Returns whose a token is. */
  readonly profileUrl: string;
  /** Returns how much quota is used; costs nothing. */
  readonly usageUrl: string;
  /** Lists models; costs nothing, and accepts keys as well as logins. */
  readonly modelsUrl: string;
  readonly clientId: string;
  readonly scopes: readonly string[];
  /** The page that shows a code to paste, if no listener can be reached. */
  readonly manualRedirectUri: string;
}

/** The beta that a request with an OAuth token must name. */
export const OAUTH_BETA = "oauth-2025-04-20";

/** Anthropic's endpoints with Claude Code's public client. */
export const ANTHROPIC: OAuthProvider = {
  authorizeUrl: "https://claude.ai/oauth/authorize",
  tokenUrl: "https://platform.claude.com/v1/oauth/token",
  profileUrl: "https://api.anthropic.com/api/oauth/profile",
  usageUrl: "https://api.anthropic.com/api/oauth/usage",
  modelsUrl: "https://api.anthropic.com/v1/models?limit=1",
  clientId: "9d1c250a-e61b-44d9-88ed-5944d1962f5e",
  scopes: [
    "user:profile",
    "user:inference",
    "user:sessions:claude_code",
    "user:mcp_servers",
    "user:file_upload",
  ],
  manualRedirectUri: "https://platform.claude.com/oauth/code/callback",
};

export interface RefreshPorts {
  readonly vault: Vault;
  /** One lock per account id, shared by every process that uses the vault. */
  readonly locks: Locks;
  readonly client: JsonClient;
  readonly provider: OAuthProvider;
  readonly clock: Clock;
  readonly journal: Journal;
  /** The stores of programs whose logins were imported; null for none. */
  readonly owners: FamilyOwners | null;
  /** Called when the token endpoint has answered and nothing is stored yet. */
  readonly onAnswer?: (id: AccountId) => void | Promise<void>;
}

/** An entry whose credential can be renewed. */
export type OAuthEntry = VaultEntry & { readonly credential: OAuthCredential };

export function isOAuth(entry: VaultEntry): entry is OAuthEntry {
  return entry.credential.kind === "oauth";
}

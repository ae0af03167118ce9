/**
 * Accounts by a secret that a person pastes: API keys, setup tokens, keys of
 * third-party backends. They come by prompt, standard input or file, never by
 * an argument.
 *
 * @module
 */

import type { AccountId, AccountKind } from "../../core/account.ts";
import { UsageError } from "../../errors.ts";
import {
  type Clock,
  type Credential,
  Secret,
  type Vault,
  type VaultEntry,
} from "../../ports.ts";
import { freeName, idOfSecret } from "./account_id.ts";
import type { JsonClient } from "../json_client.ts";
import { OAUTH_BETA, type OAuthProvider } from "../provider.ts";

const API_VERSION = "2023-06-01";
const VISIBLE = /^[\x21-\x7e]{8,4096}$/;
const API_KEY = /^sk-ant-api\d{2}-[\w-]{8,}$/;
const SETUP_TOKEN = /^sk-ant-oat\d{2}-[\w-]{8,}$/;

export interface KeyOptions {
  /** The name for the account, or null for one that is free. */
  readonly name: string | null;
  /** The account whose secret is replaced, or null to add one. */
  readonly account: AccountId | null;
  /** How a backend wants its key; null for Anthropic's own. */
  readonly backend: "api_key" | "bearer" | null;
  /** Names that other accounts have. */
  readonly taken: ReadonlySet<string>;
}

/** What `text` is: by its prefix an API key or a setup token; else UsageError. */
export function readKey(
  text: string,
  backend: KeyOptions["backend"],
): Credential {
  const key = text.trim();
  if (!VISIBLE.test(key)) {
    throw new UsageError(
      "Cannot use the key: it must be one line of 8 to 4096 visible characters",
      "Paste the whole key and nothing else",
    );
  }
  const token = new Secret(key);
  if (backend !== null) return { kind: backend, token };
  if (API_KEY.test(key)) return { kind: "api_key", token };
  if (SETUP_TOKEN.test(key)) {
    return { kind: "setup_token", token, expiresAt: null };
  }
  throw refusal(key);
}

function refusal(key: string): UsageError {
  if (key.startsWith("sk-ant-ort")) {
    return new UsageError(
      "Cannot use a refresh token as a key: it is spent by its first use",
      "tc login",
    );
  }
  if (key.startsWith("sk-ant-admin")) {
    return new UsageError(
      "Cannot use an admin key: it does not serve messages",
      "Create an API key in the console",
    );
  }
  return new UsageError(
    "Cannot use the key: an API key starts with sk-ant-api, a setup token with sk-ant-oat",
    "For another provider's key add a backend account",
  );
}

/** What the provider says of a key. */
export type KeyCheck =
  | "accepted"
  /** It knows no such key, or the key may do nothing. */
  | "refused"
  /** It did not say. */
  | "unknown";

/**
 * Asks the provider once, free of charge, whether it knows the key: its list
 * of models costs nothing.
 */
export async function checkKey(
  credential: Exclude<Credential, { kind: "oauth" }>,
  { client, provider }: {
    readonly client: JsonClient;
    readonly provider: OAuthProvider;
  },
): Promise<KeyCheck> {
  const isKey = credential.kind === "api_key";
  const answer = await client.ask({
    url: provider.modelsUrl,
    method: "GET",
    bearer: isKey ? null : credential.token,
    headers: [
      ["anthropic-version", API_VERSION],
      isKey
        ? ["x-api-key", credential.token.reveal()]
        : ["anthropic-beta", OAUTH_BETA],
    ],
    body: null,
  }, new AbortController().signal);
  if (answer.kind === "none") return "unknown";
  if (answer.status === 401) return "refused";
  return answer.kind === "json" && answer.status === 200
    ? "accepted"
    : "unknown";
}

/** Stores `credential` as an account, new or given. Returns its entry. */
export async function addKey(
  credential: Exclude<Credential, { kind: "oauth" }>,
  options: KeyOptions,
  { vault, clock }: { readonly vault: Vault; readonly clock: Clock },
): Promise<VaultEntry> {
  const id = options.account ?? await idOfSecret(credential.token);
  const replaced = await vault.update(id, (entry) => ({
    ...entry,
    label: options.name ?? entry.label,
    kind: kindOf(credential, options.backend),
    credential,
    savedAt: clock.now(),
    ancestors: [],
    refusedTokenHash: null,
  }));
  if (replaced !== null) return replaced;
  if (options.account !== null) {
    throw new UsageError(
      `Cannot replace the key of ${options.account}: there is no such account`,
      "tc accounts",
    );
  }
  const kind = kindOf(credential, options.backend);
  const entry: VaultEntry = {
    id,
    label: options.name ?? freeName(NAMES[kind], options.taken),
    kind,
    identity: null,
    email: null,
    organization: null,
    tier: "unknown",
    credential,
    savedAt: clock.now(),
    sharedWith: null,
    ancestors: [],
    refusedTokenHash: null,
  };
  await vault.put(entry);
  return entry;
}

/** What an account without a name is called. */
const NAMES: Readonly<Record<AccountKind, string>> = {
  subscription: "account",
  setup_token: "setup-token",
  api_key: "api-key",
  backend: "backend",
};

function kindOf(
  credential: Exclude<Credential, { kind: "oauth" }>,
  backend: KeyOptions["backend"],
): AccountKind {
  if (backend !== null) return "backend";
  return credential.kind === "setup_token" ? "setup_token" : "api_key";
}

/**
 * Accounts by a secret that a person pastes: API keys, setup tokens, keys of
 * third-party backends. They arrive by prompt, standard input or file, never by
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

interface KeyOptions {
  /** The name for the account; null picks a free one. */
  readonly name: string | null;
  /** The account whose secret is replaced; null adds an account. */
  readonly account: AccountId | null;
  /** How a backend expects its key; null for Anthropic's own API. */
  readonly backend: "api_key" | "bearer" | null;
  /** Names that other accounts have. */
  readonly taken: ReadonlySet<string>;
}

/**
 * Returns what `text` is by its prefix: an API key or a setup token. Throws
 * UsageError otherwise.
 */
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
  if (/^sk-ant-(api|oat)/.test(key)) {
    return new UsageError(
      "Cannot use the key: it is too short, or contains a character that keys do not have",
      "Copy the whole key once more",
    );
  }
  return new UsageError(
    "Cannot use the key: an API key starts with sk-ant-api, a setup token with sk-ant-oat",
    "tc login --backend URL   adds a third-party backend with its key",
  );
}

/** What the provider says about a key. */
type KeyCheck =
  | { readonly kind: "accepted" }
  /** The provider does not know the key, or the key may do nothing. */
  | { readonly kind: "refused" }
  /** The question was not answered; `why` ends "the provider …". */
  | { readonly kind: "unknown"; readonly why: string };

/**
 * Asks the provider once whether it knows the key. Its list of models costs
 * nothing.
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
  if (answer.kind === "none") return { kind: "unknown", why: "did not answer" };
  const { status } = answer;
  if (status === 401) return { kind: "refused" };
  return answer.kind === "json" && status === 200
    ? { kind: "accepted" }
    : { kind: "unknown", why: `answered ${status}` };
}

/** Stores `credential` as a new or given account, and returns its entry. */
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

/** Names for accounts that were given none. */
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

/**
 * A vault entry as JSON text, before it is sealed. Keys that this version does
 * not know are kept, so that an older tc loses nothing of a newer one.
 *
 * @module
 */

import * as v from "valibot";
import { accountName } from "../../core/plain_text.ts";
import { accountId } from "../../core/account.ts";
import { instantFromMs } from "../../core/time.ts";
import { VaultError } from "../../errors.ts";
import {
  type Credential,
  RefreshToken,
  Secret,
  type VaultEntry,
} from "../../ports.ts";

/** An entry with the fields that only the vault uses. */
export interface StoredEntry {
  readonly entry: VaultEntry;
  /** Number of writes of this entry: of two copies the higher one is newer. */
  readonly revision: number;
  /** Keys of the stored JSON that this version does not know. */
  readonly rest: Readonly<Record<string, unknown>>;
}

const text = v.pipe(v.string(), v.minLength(1));
const nullableText = v.optional(v.nullable(v.string()), null);
const secret = v.pipe(text, v.transform((value) => new Secret(value)));
const instant = v.pipe(v.number(), v.finite(), v.transform(instantFromMs));

const credential = v.variant("kind", [
  v.object({
    kind: v.literal("oauth"),
    accessToken: secret,
    refreshToken: v.pipe(
      text,
      v.transform((value) => new RefreshToken(value)),
    ),
    expiresAt: instant,
    scopes: v.array(v.string()),
    signInEndsAt: v.optional(v.nullable(instant), null),
  }),
  v.object({
    kind: v.literal("setup_token"),
    token: secret,
    expiresAt: v.nullable(instant),
  }),
  v.object({ kind: v.literal("api_key"), token: secret }),
  v.object({ kind: v.literal("bearer"), token: secret }),
]);

const known = {
  id: v.pipe(
    v.string(),
    v.rawTransform(({ dataset, addIssue, NEVER }) => {
      const id = accountId(dataset.value);
      if (id !== null) return id;
      addIssue({ message: "no account id" });
      return NEVER;
    }),
  ),
  label: v.pipe(
    v.string(),
    v.transform((label) => accountName(label, "account")),
  ),
  kind: v.picklist(["subscription", "setup_token", "api_key", "backend"]),
  identity: v.nullable(
    v.object({ accountUuid: text, organizationUuid: text }),
  ),
  email: nullableText,
  organization: nullableText,
  tier: v.fallback(
    v.picklist(["pro", "max_5x", "max_20x", "team", "unknown"]),
    "unknown",
  ),
  credential,
  savedAt: instant,
  sharedWith: v.optional(
    v.nullable(v.object({
      tool: v.picklist([
        "claude_code",
        "teamclaude",
        "maxpool",
        "nextclaude",
        "claude_pool",
      ]),
      location: v.string(),
    })),
    null,
  ),
  ancestors: v.optional(v.array(v.string()), []),
  refusedTokenHash: nullableText,
};

const stored = v.looseObject({
  ...known,
  revision: v.optional(v.pipe(v.number(), v.integer(), v.minValue(0)), 0),
});

const OWN_KEYS = new Set([...Object.keys(known), "revision"]);

/**
 * Returns the entry in `json`. Throws VaultError without any value of the
 * entry.
 */
export function decodeEntry(name: string, json: string): StoredEntry {
  let value: unknown = null;
  try {
    value = JSON.parse(json);
  } catch {
    throw unreadable(name, "it is no JSON");
  }
  const result = v.safeParse(stored, value);
  if (!result.success) {
    const where = v.getDotPath(result.issues[0]) ?? "the whole entry";
    throw unreadable(name, `${where} is missing or wrong`);
  }
  const { revision, ...fields } = result.output;
  return { entry: pickKnown(fields), revision, rest: pickRest(fields) };
}

function pickKnown(fields: VaultEntry): VaultEntry {
  const {
    id,
    label,
    kind,
    identity,
    email,
    organization,
    tier,
    credential,
    savedAt,
    sharedWith,
    ancestors,
    refusedTokenHash,
  } = fields;
  return {
    id,
    label,
    kind,
    identity,
    email,
    organization,
    tier,
    credential,
    savedAt,
    sharedWith,
    ancestors,
    refusedTokenHash,
  };
}

function pickRest(fields: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(([key]) => !OWN_KEYS.has(key)),
  );
}

/** Returns the JSON of `stored` with its secrets in clear, only for sealing. */
export function encodeEntry({ entry, revision, rest }: StoredEntry): string {
  return JSON.stringify({
    ...rest,
    ...entry,
    credential: encodeCredential(entry.id, entry.credential),
    revision,
  });
}

function encodeCredential(
  name: string,
  credential: Credential,
): Record<string, unknown> {
  switch (credential.kind) {
    case "oauth":
      return {
        ...credential,
        accessToken: filled(name, credential.accessToken),
        refreshToken: filled(name, credential.refreshToken),
      };
    case "setup_token":
    case "api_key":
    case "bearer":
      return { ...credential, token: filled(name, credential.token) };
  }
}

/**
 * Returns a token's text. A blank one is an incomplete login and never stored.
 */
function filled(name: string, token: Secret | RefreshToken): string {
  const value = token instanceof RefreshToken
    ? RefreshToken.toStore(token)
    : token.reveal();
  if (value.trim() !== "") return value;
  throw new VaultError(`Cannot store the account ${name}: its token is blank`, {
    code: "blank_credential",
  });
}

function unreadable(name: string, reason: string): VaultError {
  return new VaultError(`Cannot read the vault entry ${name}: ${reason}`, {
    code: "vault_damaged",
    hint: "Log in anew: tc login; the damaged file is kept aside",
  });
}

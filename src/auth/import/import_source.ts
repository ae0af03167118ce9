/**
 * Reads what other tools' files hold, as accounts to import. The format is
 * recognised by itself; blank, incomplete or unknown logins are named and left
 * alone.
 *
 * @module
 */

import * as v from "valibot";
import {
  type ClaudeLogin,
  type ClaudeLoginReading,
  readClaudeLogin,
  tierOf,
} from "../../wire/claude_credential.ts";
import {
  BLANK,
  type ImportCandidate,
  type ImportReading,
  inPool,
  keyCandidate,
  keyOf,
  NO_SETTINGS,
  readConfigPool,
} from "./import_rows.ts";

const poolStore = v.looseObject({
  accounts: v.fallback(
    v.array(v.looseObject({
      id: v.fallback(v.nullish(v.string()), null),
      email: v.fallback(v.nullish(v.string()), null),
      blob: v.fallback(v.unknown(), null),
    })),
    [],
  ),
  api_keys: v.fallback(
    v.array(v.looseObject({
      id: v.fallback(v.nullish(v.string()), null),
      key: v.fallback(v.nullish(v.string()), null),
    })),
    [],
  ),
});

/**
 * Returns what `json` of the file at `location` holds; null if the format is
 * unknown.
 */
export function readImport(
  json: unknown,
  location: string,
): ImportReading | null {
  if (!isRecord(json)) return null;
  const { accounts } = json;
  if (Array.isArray(accounts)) {
    return isPoolStore(json, accounts)
      ? readPoolStore(json, location)
      : readConfigPool(json, accounts, location);
  }
  return readClaudeFile(json, location);
}

/** Reads Claude Code's own login, from its file or its keychain item. */
function readClaudeFile(
  json: unknown,
  location: string,
): ImportReading | null {
  const reading = readClaudeLogin(json);
  const empty = {
    tool: "claude_code",
    location,
    candidates: [],
    skipped: [],
    elsewhere: [],
    left: [],
  } as const;
  switch (reading.kind) {
    case "absent":
      return null;
    case "unreadable":
      return { ...empty, skipped: [unreadable(reading.reason)] };
    case "blank":
      return { ...empty, skipped: [{ name: "Claude Code", reason: BLANK }] };
    case "token":
      return { ...empty, candidates: [tokenCandidate(reading)] };
    case "found":
      return {
        ...empty,
        candidates: [claudeCandidate(reading.login, location)],
      };
  }
}

/** Returns the reading for a login store that cannot be read. */
export function unreadable(
  reason: string,
): { readonly name: string; readonly reason: string } {
  return {
    name: "Claude Code",
    reason: `${reason}; Claude Code cannot read it either`,
  };
}

/** Returns a token that nothing renews, from Claude Code's own store. */
export function tokenCandidate(
  { token, expiresAt }: Extract<
    ClaudeLoginReading,
    { readonly kind: "token" }
  >,
): ImportCandidate {
  const credential = { kind: "setup_token", token, expiresAt } as const;
  return keyCandidate(null, credential, NO_SETTINGS);
}

/** Returns a login from Claude Code's own store at `location`. */
export function claudeCandidate(
  { credential, identity, rateLimitTier, subscriptionType }: ClaudeLogin,
  location: string,
): ImportCandidate {
  return {
    name: null,
    email: null,
    identity,
    tier: tierOf(rateLimitTier, subscriptionType),
    credential,
    sharedWith: { tool: "claude_code", location },
    settings: NO_SETTINGS,
  };
}

function isPoolStore(
  json: Record<string, unknown>,
  accounts: readonly unknown[],
): boolean {
  return "api_keys" in json || json["mode"] === "account" ||
    json["mode"] === "apikey" ||
    accounts.some((account) => isRecord(account) && "blob" in account);
}

function readPoolStore(json: unknown, location: string): ImportReading {
  const store = v.parse(poolStore, json);
  const candidates: ImportCandidate[] = [];
  const skipped: { name: string; reason: string }[] = [];
  for (const { id, email, blob } of store.accounts) {
    const reading = readClaudeLogin(asJson(blob));
    if (reading.kind !== "found") {
      skipped.push({ name: id ?? email ?? "?", reason: BLANK });
      continue;
    }
    const { credential, rateLimitTier, subscriptionType } = reading.login;
    candidates.push({
      name: id ?? null,
      email: email ?? null,
      identity: null,
      tier: tierOf(rateLimitTier, subscriptionType),
      credential,
      sharedWith: {
        tool: "claude_pool",
        location: inPool(location, id ?? email ?? null),
      },
      settings: NO_SETTINGS,
    });
  }
  for (const { id, key } of store.api_keys) {
    const credential = keyOf(key ?? null, null);
    if (credential === null) {
      skipped.push({ name: id ?? "?", reason: "its key is blank or no key" });
    } else candidates.push(keyCandidate(id ?? null, credential, NO_SETTINGS));
  }
  const left = Object.keys(json as object)
    .filter((key) => key !== "accounts" && key !== "api_keys");
  return {
    tool: "claude_pool",
    location,
    candidates,
    skipped,
    elsewhere: [],
    left,
  };
}

function asJson(blob: unknown): unknown {
  if (typeof blob !== "string") return blob;
  try {
    return JSON.parse(blob);
  } catch {
    return null;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

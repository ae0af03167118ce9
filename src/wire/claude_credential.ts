/**
 * The login that Claude Code keeps, as JSON. Its file, its keychain item and the
 * stores of tools that copy it have the same shape.
 *
 * @module
 */

import * as v from "valibot";
import type { Tier } from "../core/account.ts";
import { type Instant, instantFromMs } from "../core/time.ts";
import {
  type AccountIdentity,
  type OAuthCredential,
  RefreshToken,
  Secret,
} from "../ports.ts";
import { readInstant } from "./outside_time.ts";

/** A login and what Claude Code stores with it. */
export interface ClaudeLogin {
  readonly credential: OAuthCredential;
  /** Its owner as the file says (claude-code 2.1.329); null if it does not say. */
  readonly identity: AccountIdentity | null;
  readonly subscriptionType: string | null;
  readonly rateLimitTier: string | null;
}

/** What a login store holds. */
export type ClaudeLoginReading =
  | { readonly kind: "found"; readonly login: ClaudeLogin }
  /** An access token that cannot be renewed, as `claude setup-token` makes. */
  | {
    readonly kind: "token";
    readonly token: Secret;
    readonly expiresAt: Instant | null;
  }
  /** Claude Code blanks its tokens for a moment at login, and at logout. */
  | { readonly kind: "blank" }
  | { readonly kind: "absent" }
  /** It cannot be understood; `reason` says why: "it is …". */
  | { readonly kind: "unreadable"; readonly reason: string };

/**
 * The scopes that the client requests when it renews a login (claude-code
 * 2.1.332). Written if the scopes of a login are unknown: the client takes a
 * login without scopes as "not logged in" (facts, section 9).
 */
const CLIENT_SCOPES: readonly string[] = [
  "user:profile",
  "user:inference",
  "user:sessions:claude_code",
  "user:mcp_servers",
  "user:file_upload",
  "user:plugins",
];

const KEY = "claudeAiOauth";

/** The end of an access token whose stated end cannot be read. */
const ENDED = instantFromMs(0);

const stored = v.looseObject({
  accessToken: v.fallback(v.string(), ""),
  refreshToken: v.fallback(v.string(), ""),
  expiresAt: v.optional(v.unknown()),
  refreshTokenExpiresAt: v.optional(v.unknown()),
  scopes: v.fallback(v.array(v.string()), []),
  accountUuid: v.fallback(v.nullish(v.string()), null),
  organizationUuid: v.fallback(v.nullish(v.string()), null),
  subscriptionType: v.fallback(v.nullable(v.string()), null),
  rateLimitTier: v.fallback(v.nullable(v.string()), null),
});

const anObject = v.looseObject({});

/**
 * Reads the text of a login store; null means that the store does not exist.
 * Text that Claude Code cannot read either is `unreadable`: with a byte order
 * mark, incomplete, or with a trailing comma.
 */
export function readClaudeText(text: string | null): ClaudeLoginReading {
  if (text === null) return { kind: "absent" };
  if (text.trim() === "") return { kind: "blank" };
  if (text.startsWith("\uFEFF")) {
    return { kind: "unreadable", reason: "it begins with a byte order mark" };
  }
  try {
    return readClaudeLogin(JSON.parse(text));
  } catch {
    return { kind: "unreadable", reason: "it is not valid JSON" };
  }
}

/**
 * Returns the login in `json`, nested under `claudeAiOauth` or flat. A login
 * whose token or end is missing is half-written: `blank`, never stored. An end
 * that cannot be read counts as past, so that the provider is asked.
 */
export function readClaudeLogin(json: unknown): ClaudeLoginReading {
  if (!v.is(anObject, json)) return { kind: "absent" };
  const body = json[KEY] ?? json;
  if (!v.is(anObject, body) || !("accessToken" in body)) {
    return { kind: "absent" };
  }
  const fields = v.parse(stored, body);
  const isHalf = fields.expiresAt === undefined || fields.expiresAt === null;
  if (fields.accessToken.trim() === "" || isHalf) return { kind: "blank" };
  const expiresAt = readInstant(fields.expiresAt);
  if (fields.refreshToken.trim() === "") {
    // With scopes Claude Code treats it as a setup token (facts, 10.6).
    return fields.scopes.length === 0
      ? { kind: "blank" }
      : { kind: "token", token: new Secret(fields.accessToken), expiresAt };
  }
  const { accountUuid, organizationUuid } = fields;
  return {
    kind: "found",
    login: {
      credential: {
        kind: "oauth",
        accessToken: new Secret(fields.accessToken),
        refreshToken: new RefreshToken(fields.refreshToken),
        expiresAt: expiresAt ?? ENDED,
        scopes: fields.scopes,
        signInEndsAt: readInstant(fields.refreshTokenExpiresAt),
      },
      identity: accountUuid && organizationUuid
        ? { accountUuid, organizationUuid }
        : null,
      subscriptionType: fields.subscriptionType,
      rateLimitTier: fields.rateLimitTier,
    },
  };
}

/**
 * Returns `json` with `login` in it, nested or flat as before. All other keys
 * stay, also those that Claude Code stores with the tokens.
 */
export function writeClaudeLogin(
  json: unknown,
  login: ClaudeLogin,
): Readonly<Record<string, unknown>> {
  const outer = v.is(anObject, json) ? json : {};
  const isFlat = !(KEY in outer) && "accessToken" in outer;
  const before = isFlat ? outer : outer[KEY];
  const { credential, identity, subscriptionType, rateLimitTier } = login;
  const { signInEndsAt, scopes } = credential;
  const fields = {
    ...v.is(anObject, before) ? before : {},
    accessToken: credential.accessToken.reveal(),
    refreshToken: RefreshToken.toStore(credential.refreshToken),
    expiresAt: credential.expiresAt,
    scopes: scopes.length === 0 ? CLIENT_SCOPES : scopes,
    // Without this the client does not warn before the sign-in ends.
    ...(signInEndsAt === null ? {} : { refreshTokenExpiresAt: signInEndsAt }),
    ...(identity ?? {}),
    ...(subscriptionType === null ? {} : { subscriptionType }),
    ...(rateLimitTier === null ? {} : { rateLimitTier }),
  };
  return isFlat ? fields : { ...outer, [KEY]: fields };
}

/**
 * Returns the plan size by the provider's names for it, such as
 * `default_claude_max_20x` and `claude_team`; else `unknown`.
 */
export function tierOf(
  rateLimitTier: string | null,
  plan: string | null,
): Tier {
  const size = /max_(5x|20x)/.exec(rateLimitTier ?? "")?.[1];
  if (size === "20x") return "max_20x";
  if (size === "5x") return "max_5x";
  const words = `${rateLimitTier ?? ""} ${plan ?? ""}`;
  if (/\bpro\b|_pro\b/.test(words)) return "pro";
  if (/team|enterprise/.test(words)) return "team";
  return "unknown";
}

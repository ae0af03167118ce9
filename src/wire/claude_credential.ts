/**
 * Wire room: the login that Claude Code keeps, as JSON. The same shape stands in
 * its file, its keychain item and the stores of tools that copy it.
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

/** A login and what Claude Code notes beside it. */
export interface ClaudeLogin {
  readonly credential: OAuthCredential;
  /** Whose it is by the file's own word (claude-code 2.1.329); null where unsaid. */
  readonly identity: AccountIdentity | null;
  readonly subscriptionType: string | null;
  readonly rateLimitTier: string | null;
}

export type ClaudeLoginReading =
  | { readonly kind: "found"; readonly login: ClaudeLogin }
  /** An access token that nothing renews, as `claude setup-token` makes it. */
  | {
    readonly kind: "token";
    readonly token: Secret;
    readonly expiresAt: Instant | null;
  }
  /** Claude Code empties its tokens for a moment at login, and at log-out. */
  | { readonly kind: "blank" }
  | { readonly kind: "absent" }
  /** There is something that no reader understands; `reason` completes "it …". */
  | { readonly kind: "unreadable"; readonly reason: string };

/**
 * What the client asks for when it renews a login (claude-code 2.1.332): what
 * is written where the scopes of a login are not known. A login without any is
 * "not logged in" to the client (facts, section 9).
 */
export const CLIENT_SCOPES: readonly string[] = [
  "user:profile",
  "user:inference",
  "user:sessions:claude_code",
  "user:mcp_servers",
  "user:file_upload",
  "user:plugins",
];

const KEY = "claudeAiOauth";

/** Marks the end of an access token whose stated end makes no sense. */
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
 * Reads the text of a login store; null is a store that does not exist. What
 * Claude Code cannot read either is `unreadable`: a byte order mark, a cut
 * text, a trailing comma.
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
 * Returns the login in `json`, nested under `claudeAiOauth` or flat. One whose
 * token or end is missing is half-written: `blank`, never stored. The clock decides
 * nothing here: an end that makes no sense is long past, and the provider is
 * asked.
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
    // With scopes Claude Code takes it for a setup token (facts, 10.6).
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
 * Returns `json` with `login` in it, nested or flat as it was; every other key,
 * and what Claude Code notes beside the tokens, stays.
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
    // Without it the client does not warn before the sign-in ends.
    ...(signInEndsAt === null ? {} : { refreshTokenExpiresAt: signInEndsAt }),
    ...(identity ?? {}),
    ...(subscriptionType === null ? {} : { subscriptionType }),
    ...(rateLimitTier === null ? {} : { rateLimitTier }),
  };
  return isFlat ? fields : { ...outer, [KEY]: fields };
}

/**
 * The plan size behind the provider's names for it, such as
 * `default_claude_max_20x` and `claude_team`; `unknown` where none is known.
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

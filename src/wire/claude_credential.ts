/**
 * Wire room: the login that Claude Code keeps, as JSON. The same shape stands in
 * its file, its keychain item and the stores of tools that copy it.
 *
 * @module
 */

import * as v from "valibot";
import type { Tier } from "../core/account.ts";
import { instantFromMs } from "../core/time.ts";
import { type OAuthCredential, Secret } from "../ports.ts";

/** A login and what Claude Code notes beside it. */
export interface ClaudeLogin {
  readonly credential: OAuthCredential;
  readonly subscriptionType: string | null;
  readonly rateLimitTier: string | null;
}

export type ClaudeLoginReading =
  | { readonly kind: "found"; readonly login: ClaudeLogin }
  /** Claude Code empties its tokens for a moment at login, and at log-out. */
  | { readonly kind: "blank" }
  | { readonly kind: "absent" };

const KEY = "claudeAiOauth";

/** Below this a time is in seconds: 1e12 ms is in the year 2001. */
const SECONDS_BELOW = 1e12;

const stored = v.looseObject({
  accessToken: v.fallback(v.string(), ""),
  refreshToken: v.fallback(v.string(), ""),
  expiresAt: v.fallback(v.pipe(v.number(), v.finite(), v.minValue(0)), 0),
  scopes: v.fallback(v.array(v.string()), []),
  subscriptionType: v.fallback(v.nullable(v.string()), null),
  rateLimitTier: v.fallback(v.nullable(v.string()), null),
});

const anObject = v.looseObject({});

/**
 * The login in `json`, nested under `claudeAiOauth` or flat. One with a token
 * or the expiry missing is half-written: `blank`, never stored.
 */
export function readClaudeLogin(json: unknown): ClaudeLoginReading {
  if (!v.is(anObject, json)) return { kind: "absent" };
  const body = json[KEY] ?? json;
  if (!v.is(anObject, body) || !("accessToken" in body)) {
    return { kind: "absent" };
  }
  const fields = v.parse(stored, body);
  const isWhole = fields.accessToken.trim() !== "" &&
    fields.refreshToken.trim() !== "" && fields.expiresAt > 0;
  if (!isWhole) return { kind: "blank" };
  return {
    kind: "found",
    login: {
      credential: {
        kind: "oauth",
        accessToken: new Secret(fields.accessToken),
        refreshToken: new Secret(fields.refreshToken),
        expiresAt: instantFromMs(milliseconds(fields.expiresAt)),
        scopes: fields.scopes,
      },
      subscriptionType: fields.subscriptionType,
      rateLimitTier: fields.rateLimitTier,
    },
  };
}

/** A time that may be in seconds or milliseconds, in milliseconds. */
export function milliseconds(time: number): number {
  return time < SECONDS_BELOW ? time * 1_000 : time;
}

/**
 * `json` with `login` in it, nested or flat as it was; every other key, and
 * what Claude Code notes beside the tokens, stays.
 */
export function writeClaudeLogin(
  json: unknown,
  login: ClaudeLogin,
): Readonly<Record<string, unknown>> {
  const outer = v.is(anObject, json) ? json : {};
  const isFlat = !(KEY in outer) && "accessToken" in outer;
  const before = isFlat ? outer : outer[KEY];
  const { credential, subscriptionType, rateLimitTier } = login;
  const fields = {
    ...v.is(anObject, before) ? before : {},
    accessToken: credential.accessToken.reveal(),
    refreshToken: credential.refreshToken.reveal(),
    expiresAt: credential.expiresAt,
    scopes: credential.scopes,
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

/**
 * What the token endpoint gave for a code or a refresh token.
 *
 * @module
 */

import * as v from "valibot";
import { after, DAY_MS, type Instant, instantFromMs } from "../../core/time.ts";
import {
  type AccountIdentity,
  type OAuthCredential,
  RefreshToken,
  Secret,
} from "../../ports.ts";
import { milliseconds } from "../../wire/outside_time.ts";

/** Where the provider does not tell, or tells what cannot be. */
const LIFE_DEFAULT_MS = 3_600_000;
/** A token that ended at once would be renewed without end. */
const LIFE_MIN_MS = 60_000;
const LIFE_MAX_MS = 366 * DAY_MS;
const TOKEN_LENGTH_MAX = 16_384;

export interface TokenAnswer {
  readonly credential: OAuthCredential;
  /** Whose it is, where the answer says so. */
  readonly identity: AccountIdentity | null;
  readonly email: string | null;
  readonly organization: string | null;
}

const token = v.pipe(
  v.string(),
  v.regex(/^[\x21-\x7e]+$/),
  v.maxLength(TOKEN_LENGTH_MAX),
);
const optionalText = v.fallback(v.nullish(v.string()), null);

const answer = v.looseObject({
  access_token: token,
  refresh_token: v.nullish(token),
  expires_in: v.optional(v.unknown()),
  expires_at: v.optional(v.unknown()),
  refresh_token_expires_in: v.optional(v.unknown()),
  scope: optionalText,
  account: v.fallback(
    v.nullish(
      v.looseObject({ uuid: optionalText, email_address: optionalText }),
    ),
    null,
  ),
  organization: v.fallback(
    v.nullish(v.looseObject({ uuid: optionalText, name: optionalText })),
    null,
  ),
});

/**
 * The credential in `body`, or null when it is none: nothing half is taken. An
 * answer without a refresh token keeps that of `previous`; a senseless lifetime
 * becomes an hour, an endless one a year.
 */
export function readTokenAnswer(
  body: unknown,
  now: Instant,
  previous: OAuthCredential | null,
): TokenAnswer | null {
  const result = v.safeParse(answer, body);
  if (!result.success) return null;
  const { output } = result;
  const refreshToken = refreshTokenOf(output.refresh_token ?? null, previous);
  if (refreshToken === null) return null;
  const accountUuid = output.account?.uuid ?? null;
  const organizationUuid = output.organization?.uuid ?? null;
  return {
    credential: {
      kind: "oauth",
      accessToken: new Secret(output.access_token),
      refreshToken,
      expiresAt: endOf(output.expires_in, output.expires_at, now),
      scopes: output.scope?.split(" ").filter((scope) => scope !== "") ??
        previous?.scopes ?? [],
      signInEndsAt: signInEnd(output.refresh_token_expires_in, now) ??
        previous?.signInEndsAt ?? null,
    },
    identity: accountUuid === null || organizationUuid === null
      ? null
      : { accountUuid, organizationUuid },
    email: output.account?.email_address ?? null,
    organization: output.organization?.name ?? null,
  };
}

function refreshTokenOf(
  token: string | null,
  previous: OAuthCredential | null,
): RefreshToken | null {
  return token === null
    ? previous?.refreshToken ?? null
    : new RefreshToken(token);
}

/** The stated life counts before the stated end: our clock may be a day off. */
function endOf(expiresIn: unknown, expiresAt: unknown, now: Instant): Instant {
  const lifeMs = positive(expiresIn) * 1_000;
  if (lifeMs > 0) return after(now, clamped(lifeMs));
  const endMs = milliseconds(positive(expiresAt));
  const leftMs = endMs - now;
  return endMs > 0 && leftMs > 0
    ? after(now, clamped(leftMs))
    : instantFromMs(now + LIFE_DEFAULT_MS);
}

/** Only an answer that says it moves the sign-in's end (facts, 10.2). */
function signInEnd(expiresIn: unknown, now: Instant): Instant | null {
  const lifeMs = positive(expiresIn) * 1_000;
  return lifeMs > 0 ? after(now, Math.min(lifeMs, LIFE_MAX_MS)) : null;
}

function clamped(lifeMs: number): number {
  return Math.min(Math.max(lifeMs, LIFE_MIN_MS), LIFE_MAX_MS);
}

/** A number, or a text of digits, above zero; else 0. */
function positive(value: unknown): number {
  const number = typeof value === "string" && /^\d+(\.\d+)?$/.test(value)
    ? Number(value)
    : value;
  return typeof number === "number" && number > 0 ? number : 0;
}

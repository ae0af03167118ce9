/**
 * Exchanges a code for tokens, and finds out who owns them.
 *
 * @module
 */

import {
  after,
  DAY_MS,
  type Instant,
  instantFromMs,
  SECOND_MS,
} from "../../core/time.ts";
import {
  type AccountIdentity,
  type Clock,
  type OAuthCredential,
  RefreshToken,
  Secret,
} from "../../ports.ts";
import type { JsonAnswer, JsonClient } from "../json_client.ts";
import type { LoginResult } from "./login_result.ts";
import { type LoginAttempt, shown, tokenQuestion } from "./oauth.ts";
import {
  type AccountProfile,
  fetchProfile,
  profileQuestion,
} from "./profile.ts";
import type { OAuthProvider } from "../provider.ts";
import * as v from "valibot";
import { milliseconds } from "../../wire/outside_time.ts";

const UNSENT_TRIES_MAX = 3;
const PROFILE_TRIES_MAX = 3;
const PAUSE_MS = SECOND_MS;

/** A credential and its owner, not stored yet. */
export interface Grant {
  readonly kind: "granted";
  readonly credential: OAuthCredential;
  readonly profile: AccountProfile;
}

interface ExchangePorts {
  readonly provider: OAuthProvider;
  readonly client: JsonClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

type Failure = Extract<LoginResult, { readonly kind: "exchange_failed" }>;

/** Exchanges `code`. It is sent again only if it provably was not sent. */
export async function exchangeCode(
  attempt: LoginAttempt,
  code: Secret,
  ports: ExchangePorts,
): Promise<Grant | Failure> {
  const { provider, clock } = ports;
  const question = tokenQuestion(provider, attempt, code);
  const answer = await askUntilSent(ports, question);
  if (answer.kind !== "json" || answer.status !== 200) {
    const isCodeUnknown = answer.kind === "json" &&
      oauthError(answer.body) === "invalid_grant";
    return failed(failureOf(answer), isCodeUnknown);
  }
  const tokens = readTokenAnswer(answer.body, clock.now(), null);
  if (tokens === null) {
    return failed("the token endpoint gave no usable tokens");
  }
  const profile = await profileOf(tokens, ports);
  return profile === null
    ? failed("the provider did not tell whose account it is")
    : { kind: "granted", credential: tokens.credential, profile };
}

function failed(reason: string, isCodeUnknown = false): Failure {
  return { kind: "exchange_failed", reason, isCodeUnknown };
}

async function askUntilSent(
  { client, clock, signal }: ExchangePorts,
  question: Parameters<JsonClient["ask"]>[0],
): Promise<JsonAnswer> {
  for (let tries = 1;; tries++) {
    const answer = await client.ask(question, signal);
    const isUnsent = answer.kind === "none" && !answer.isSent;
    if (!isUnsent || tries === UNSENT_TRIES_MAX) return answer;
    await clock.sleep(PAUSE_MS * tries, signal);
  }
}

/**
 * Returns the profile, or what the token answer itself says if that is enough.
 */
async function profileOf(
  tokens: TokenAnswer,
  { provider, client, clock, signal }: ExchangePorts,
): Promise<AccountProfile | null> {
  const { accessToken } = tokens.credential;
  const question = profileQuestion(provider, accessToken);
  for (let tries = 1; tries <= PROFILE_TRIES_MAX; tries++) {
    const outcome = await fetchProfile(client, question, signal);
    if (outcome.kind === "known") return outcome.profile;
    if (outcome.kind === "refused") break;
    if (tries < PROFILE_TRIES_MAX) await clock.sleep(PAUSE_MS * tries, signal);
  }
  const { identity, email, organization } = tokens;
  return identity === null
    ? null
    : { identity, email, organization, tier: "unknown" };
}

/** Returns why an exchange failed, in words that hold no secret. */
export function failureOf(answer: JsonAnswer): string {
  switch (answer.kind) {
    case "none":
      return answer.isSent
        ? "the token endpoint did not answer"
        : "the token endpoint cannot be reached";
    case "garbled":
      return answer.status >= 300 && answer.status < 400
        ? `the token endpoint answers ${answer.status}: it has moved`
        : `the token endpoint answers ${answer.status} without JSON`;
    case "json":
      return `the token endpoint answers ${answer.status}${
        errorWord(answer.body)
      }`;
  }
}

/**
 * Returns the OAuth error code of an answer as ` invalid_grant`, or an empty
 * text.
 */
function errorWord(body: unknown): string {
  const error = oauthError(body);
  return error === null ? "" : ` ${shown(error)}`;
}

/**
 * Returns `error` of an OAuth answer, or `error.type` of an API answer; else
 * null.
 */
export function oauthError(body: unknown): string | null {
  if (typeof body !== "object" || body === null || !("error" in body)) {
    return null;
  }
  const { error } = body;
  if (typeof error === "string") return error;
  if (typeof error !== "object" || error === null || !("type" in error)) {
    return null;
  }
  return typeof error.type === "string" ? error.type : null;
}

/** Assumed life of a token if the provider states none or an impossible one. */
const LIFE_DEFAULT_MS = 3_600_000;
/**
 * Shortest accepted life: a token that ended at once would be renewed without
 * end.
 */
const LIFE_MIN_MS = 60_000;
const LIFE_MAX_MS = 366 * DAY_MS;
const TOKEN_LENGTH_MAX = 16_384;

interface TokenAnswer {
  readonly credential: OAuthCredential;
  /** Whose it is, if the answer says so. */
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
 * Returns the credential in `body`, or null if it is incomplete. An answer
 * without a refresh token keeps the one of `previous`. An impossible lifetime
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

/**
 * The stated life counts before the stated end, because our clock may be a day
 * off.
 */
function endOf(expiresIn: unknown, expiresAt: unknown, now: Instant): Instant {
  const lifeMs = positive(expiresIn) * 1_000;
  if (lifeMs > 0) return after(now, clamped(lifeMs));
  const endMs = milliseconds(positive(expiresAt));
  const leftMs = endMs - now;
  return endMs > 0 && leftMs > 0
    ? after(now, clamped(leftMs))
    : instantFromMs(now + LIFE_DEFAULT_MS);
}

/** Only an answer that states it moves the sign-in's end (facts, 10.2). */
function signInEnd(expiresIn: unknown, now: Instant): Instant | null {
  const lifeMs = positive(expiresIn) * 1_000;
  return lifeMs > 0 ? after(now, Math.min(lifeMs, LIFE_MAX_MS)) : null;
}

function clamped(lifeMs: number): number {
  return Math.min(Math.max(lifeMs, LIFE_MIN_MS), LIFE_MAX_MS);
}

/** Returns a positive number, or a text of digits as a number; else 0. */
function positive(value: unknown): number {
  const number = typeof value === "string" && /^\d+(\.\d+)?$/.test(value)
    ? Number(value)
    : value;
  return typeof number === "number" && number > 0 ? number : 0;
}

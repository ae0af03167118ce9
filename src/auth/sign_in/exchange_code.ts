/**
 * A code for tokens, and the tokens' owner.
 *
 * @module
 */

import { SECOND_MS } from "../../core/time.ts";
import type { Clock, OAuthCredential, Secret } from "../../ports.ts";
import type { JsonAnswer, JsonClient } from "../json_client.ts";
import type { LoginResult } from "./login_result.ts";
import { type LoginAttempt, shown, tokenQuestion } from "./oauth.ts";
import {
  type AccountProfile,
  fetchProfile,
  profileQuestion,
} from "./profile.ts";
import type { OAuthProvider } from "../provider.ts";
import { readTokenAnswer, type TokenAnswer } from "./token_answer.ts";

const UNSENT_TRIES_MAX = 3;
const PROFILE_TRIES_MAX = 3;
const PAUSE_MS = SECOND_MS;

/** A credential and whose it is, not stored yet. */
export interface Grant {
  readonly kind: "granted";
  readonly credential: OAuthCredential;
  readonly profile: AccountProfile;
}

export interface ExchangePorts {
  readonly provider: OAuthProvider;
  readonly client: JsonClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

type Failure = Extract<LoginResult, { readonly kind: "exchange_failed" }>;

/** Exchanges `code`; it is sent again only if it provably was not sent. */
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

/** The profile, or what the token answer itself says where that is enough. */
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

/** Why an exchange failed, in words that hold no secret. */
export function failureOf(answer: JsonAnswer): string {
  switch (answer.kind) {
    case "none":
      return answer.isSent
        ? "the token endpoint did not answer"
        : "the token endpoint cannot be reached";
    case "garbled":
      return answer.status >= 300 && answer.status < 400
        ? `the token endpoint answers ${answer.status}: it has moved`
        : `the token endpoint answers ${answer.status} and no JSON`;
    case "json":
      return `the token endpoint answers ${answer.status}${
        errorWord(answer.body)
      }`;
  }
}

/** The OAuth error code of an answer, as ` invalid_grant`, or nothing. */
function errorWord(body: unknown): string {
  const error = oauthError(body);
  return error === null ? "" : ` ${shown(error)}`;
}

/** `error` of an OAuth answer, or `error.type` of an API answer; else null. */
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

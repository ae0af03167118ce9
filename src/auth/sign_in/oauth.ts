/**
 * The exchanges of a sign-in, each as a request to send and an answer to judge.
 * Pure except for {@linkcode beginAttempt}, which draws and hashes random
 * bytes.
 *
 * @module
 */

import { type Clock, type Entropy, Secret } from "../../ports.ts";
import type { Instant } from "../../core/time.ts";
import type { JsonQuestion } from "../json_client.ts";
import type { OAuthProvider } from "../provider.ts";

/** 32 bytes make 43 characters; the provider refuses a shorter state. */
const RANDOM_BYTES = 32;
const CODE = /^[!#-;=?-_a-~]{1,2048}$/;
const REASON_LENGTH_MAX = 120;

/** One sign-in in progress. It exists only in memory. */
export interface LoginAttempt {
  readonly state: Secret;
  readonly codeVerifier: Secret;
  /** S256 of the verifier (RFC 7636). */
  readonly codeChallenge: string;
  readonly redirectUri: string;
  readonly startedAt: Instant;
}

/** What a callback, or a paste in its place, says. */
export type CallbackReading =
  | { readonly kind: "code"; readonly code: Secret }
  /** The person or the provider refused; `reason` is the provider's word. */
  | { readonly kind: "denied"; readonly reason: string }
  | { readonly kind: "state_mismatch" }
  | { readonly kind: "malformed" };

/** Returns a new attempt with a state and a verifier that nobody can guess. */
export async function beginAttempt(
  { clock, entropy }: { readonly clock: Clock; readonly entropy: Entropy },
  redirectUri: string,
): Promise<LoginAttempt> {
  const codeVerifier = base64url(entropy.bytes(RANDOM_BYTES));
  return {
    state: new Secret(base64url(entropy.bytes(RANDOM_BYTES))),
    codeVerifier: new Secret(codeVerifier),
    codeChallenge: await codeChallenge(codeVerifier),
    redirectUri,
    startedAt: clock.now(),
  };
}

/** Returns base64url(SHA-256(verifier)): RFC 7636, section 4.2. */
export async function codeChallenge(codeVerifier: string): Promise<string> {
  const digest = await crypto.subtle.digest(
    "SHA-256",
    new TextEncoder().encode(codeVerifier),
  );
  return base64url(new Uint8Array(digest));
}

/**
 * Returns the page to open. `loginHint` is an e-mail to offer first, or null.
 */
export function authorizationUrl(
  provider: OAuthProvider,
  attempt: LoginAttempt,
  loginHint: string | null,
): URL {
  const url = new URL(provider.authorizeUrl);
  const query = {
    // Required by the provider, although no standard names it.
    code: "true",
    client_id: provider.clientId,
    response_type: "code",
    redirect_uri: attempt.redirectUri,
    scope: provider.scopes.join(" "),
    code_challenge: attempt.codeChallenge,
    code_challenge_method: "S256",
    state: attempt.state.reveal(),
    ...(loginHint === null ? {} : { login_hint: loginHint }),
  };
  for (const [name, value] of Object.entries(query)) {
    url.searchParams.set(name, value);
  }
  return url;
}

/**
 * Judges the query of a callback. Its state is checked before anything else.
 */
export function readCallback(
  query: URLSearchParams,
  attempt: LoginAttempt,
): CallbackReading {
  const names = ["state", "code", "error"];
  if (names.some((name) => query.getAll(name).length > 1)) {
    return { kind: "malformed" };
  }
  const state = query.get("state");
  if (state === null || !isState(attempt, state)) {
    return { kind: "state_mismatch" };
  }
  const error = query.get("error");
  if (error !== null) {
    const words = query.get("error_description") ?? error;
    return { kind: "denied", reason: shown(words) };
  }
  return codeReading(query.get("code") ?? "");
}

/**
 * Judges what a person pasted: the whole callback address, `code#state` as the
 * provider's page shows it, or the code alone. If there is a state, it must
 * match.
 */
export function readPasted(
  text: string,
  attempt: LoginAttempt,
): CallbackReading {
  const pasted = text.trim();
  const url = /^https?:/i.test(pasted) ? URL.parse(pasted) : null;
  if (url !== null) {
    return url.searchParams.has("state") || url.searchParams.has("error")
      ? readCallback(url.searchParams, attempt)
      : codeReading(url.searchParams.get("code") ?? "");
  }
  const [code = "", state, ...rest] = pasted.split("#");
  if (rest.length > 0) return { kind: "malformed" };
  if (state !== undefined && !isState(attempt, state)) {
    return { kind: "state_mismatch" };
  }
  return codeReading(code);
}

/**
 * Returns the question that buys tokens for `code`. The provider takes JSON and
 * wants the state again.
 */
export function tokenQuestion(
  provider: OAuthProvider,
  attempt: LoginAttempt,
  code: Secret,
): JsonQuestion {
  return tokenPost(provider, {
    grant_type: "authorization_code",
    code: code.reveal(),
    state: attempt.state.reveal(),
    client_id: provider.clientId,
    redirect_uri: attempt.redirectUri,
    code_verifier: attempt.codeVerifier.reveal(),
  });
}

/** Returns a question to the token endpoint. */
export function tokenPost(
  provider: OAuthProvider,
  body: Readonly<Record<string, string>>,
): JsonQuestion {
  const { tokenUrl: url } = provider;
  return { url, method: "POST", bearer: null, headers: [], body };
}

function codeReading(code: string): CallbackReading {
  return CODE.test(code)
    ? { kind: "code", code: new Secret(code) }
    : { kind: "malformed" };
}

/**
 * Compares in constant time, so that the duration does not show how much was
 * right.
 */
function isState(attempt: LoginAttempt, state: string): boolean {
  const expected = attempt.state.reveal();
  let difference = expected.length ^ state.length;
  for (let at = 0; at < expected.length; at++) {
    difference |= expected.charCodeAt(at) ^ state.charCodeAt(at);
  }
  return difference === 0;
}

/**
 * Returns words from outside fit for a terminal: short, without control
 * characters and tokens.
 */
export function shown(words: string): string {
  return words
    .replace(/\p{C}+/gu, " ")
    .replace(/[\w.~+/=-]{32,}/g, "[cut]")
    .slice(0, REASON_LENGTH_MAX)
    .trim();
}

function base64url(bytes: Uint8Array): string {
  return btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

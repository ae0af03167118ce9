/**
 * Exchanges one refresh token for its successor: when it may be sent again, and
 * what each answer of the endpoint means.
 *
 * @module
 */

import { MINUTE_MS, SECOND_MS } from "../core/time.ts";
import { type Clock, type OAuthCredential, RefreshToken } from "../ports.ts";
import {
  failureOf,
  oauthError,
  readTokenAnswer,
} from "./sign_in/exchange_code.ts";
import { headerOf, type JsonAnswer, type JsonClient } from "./json_client.ts";
import { tokenPost } from "./sign_in/oauth.ts";
import type { OAuthProvider } from "./provider.ts";

const PAUSE_MS = 500;
/** Sends that provably never left may be repeated this often. */
const UNSENT_TRIES_MAX = 3;
const RETRY_AFTER_MAX_MS = 15 * MINUTE_MS;

interface SpendPorts {
  readonly provider: OAuthProvider;
  readonly client: JsonClient;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  /**
   * Returns whether another holder of the family has written a newer token
   * meanwhile.
   */
  readonly isSuperseded: () => Promise<boolean>;
}

type Spent =
  | { readonly kind: "tokens"; readonly credential: OAuthCredential }
  /** Another process already has the successor: read it. */
  | { readonly kind: "superseded" }
  /** The provider no longer knows the token; it must never be sent again. */
  | { readonly kind: "dead" }
  | {
    readonly kind: "failed";
    readonly reason: string;
    /** The pause that the endpoint asks for, or null. */
    readonly retryAfterMs: number | null;
  };

/**
 * Spends the refresh token of `credential`. If the answer was lost, cut, or a
 * server failure, nobody knows whether the token is spent: the stores are read
 * again, and only then is it sent a second and last time.
 */
export async function spendRefreshToken(
  credential: OAuthCredential,
  ports: SpendPorts,
): Promise<Spent> {
  const first = await send(credential, ports);
  if (!isAmbiguous(first)) return await judged(first, ports);
  await ports.clock.sleep(PAUSE_MS, ports.signal);
  if (await ports.isSuperseded()) return { kind: "superseded" };
  return await judged(await send(credential, ports), ports);
}

type Reply =
  | { readonly kind: "tokens"; readonly credential: OAuthCredential }
  | { readonly kind: "other"; readonly answer: JsonAnswer };

async function send(
  credential: OAuthCredential,
  { provider, client, clock, signal }: SpendPorts,
): Promise<Reply> {
  const question = tokenPost(provider, {
    grant_type: "refresh_token",
    refresh_token: RefreshToken.toSpend(credential.refreshToken),
    client_id: provider.clientId,
  });
  for (let tries = 1;; tries++) {
    const answer = await client.ask(question, signal);
    if (answer.kind === "json" && answer.status === 200) {
      const tokens = readTokenAnswer(answer.body, clock.now(), credential);
      return tokens === null
        ? { kind: "other", answer: { ...answer, kind: "garbled" } }
        : { kind: "tokens", credential: tokens.credential };
    }
    const isUnsent = answer.kind === "none" && !answer.isSent;
    if (!isUnsent || tries === UNSENT_TRIES_MAX) {
      return { kind: "other", answer };
    }
    await clock.sleep(PAUSE_MS * tries, signal);
  }
}

/** Returns whether the token may be spent although we have no successor. */
function isAmbiguous(reply: Reply): boolean {
  if (reply.kind === "tokens") return false;
  const { answer } = reply;
  switch (answer.kind) {
    case "none":
      return answer.isSent;
    case "garbled":
      return answer.status === 200 || answer.status >= 500;
    case "json":
      return answer.status >= 500;
  }
}

async function judged(reply: Reply, ports: SpendPorts): Promise<Spent> {
  if (reply.kind === "tokens") return reply;
  const { answer } = reply;
  if (isDead(answer)) {
    const isSuperseded = await ports.isSuperseded();
    return { kind: isSuperseded ? "superseded" : "dead" };
  }
  return {
    kind: "failed",
    reason: failureOf(answer),
    retryAfterMs: retryAfterMs(answer),
  };
}

/**
 * Only the endpoint's own word kills a token. A captive portal's 403 does not,
 * nor does a refusal of our client id.
 */
function isDead(answer: JsonAnswer): boolean {
  return answer.kind === "json" &&
    [400, 401, 403].includes(answer.status) &&
    oauthError(answer.body) === "invalid_grant";
}

function retryAfterMs(answer: JsonAnswer): number | null {
  if (answer.kind === "none") return null;
  const text = headerOf(answer.headers, "retry-after") ?? "";
  if (!/^\d{1,9}$/.test(text)) return null;
  return Math.min(Number(text) * SECOND_MS, RETRY_AFTER_MAX_MS);
}

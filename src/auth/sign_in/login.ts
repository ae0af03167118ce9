/**
 * The whole sign-in for one subscription: the page, the way back, the exchange,
 * the profile, and the account in the vault.
 *
 * @module
 */

import type { LoginResult } from "./login_result.ts";
import type { AccountId } from "../../core/account.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { LoginError } from "../../errors.ts";
import type { Clock, Entropy, Secret, Vault, VaultEntry } from "../../ports.ts";
import { exchangeCode, type Grant } from "./exchange_code.ts";
import type { JsonClient } from "../json_client.ts";
import { type CallbackDecision, listenForCallback } from "./loopback.ts";
import {
  authorizationUrl,
  beginAttempt,
  type CallbackReading,
  type LoginAttempt,
  readCallback,
  readPasted,
} from "./oauth.ts";
import type { OAuthProvider } from "../provider.ts";
import { saveGrant } from "./save_grant.ts";

/** How long a person has for the whole sign-in. */
const LOGIN_LIMIT_MS = 10 * MINUTE_MS;

export interface LoginOptions {
  /**
   * `paste`: without a browser here, the provider shows a code and the person
   * pastes it.
   */
  readonly method: "browser" | "paste";
  /** The account to renew; another identity is refused. */
  readonly account: AccountId | null;
  /** A name for a new account, or null for its e-mail. */
  readonly name: string | null;
  /** The e-mail to offer first, or null. */
  readonly loginHint: string | null;
  /** Names that other accounts have. */
  readonly taken: ReadonlySet<string>;
}

export interface LoginPorts {
  readonly provider: OAuthProvider;
  readonly client: JsonClient;
  readonly vault: Vault;
  readonly clock: Clock;
  readonly entropy: Entropy;
  /**
   * Opens the page and returns false if it could not. Null if there is no
   * browser.
   */
  readonly openBrowser: ((url: URL) => Promise<boolean>) | null;
  /** Shows the page's address, which a person can always open by hand. */
  readonly show: (
    page: { readonly url: URL; readonly isOpened: boolean },
  ) => void;
  /**
   * Returns what a person pastes; null if they give up. `wrong` says what was
   * wrong with the previous paste, or is null. Null if nobody can paste.
   */
  readonly paste:
    | ((
      wrong: WrongPaste | null,
      signal: AbortSignal,
    ) => Promise<string | null>)
    | null;
}

/**
 * Why another paste is asked for: it is not a code, it belongs to another
 * sign-in, or the provider does not know it.
 */
export type WrongPaste = "no_code" | "other_sign_in" | "unknown_code";

type Way =
  | {
    readonly kind: "code";
    readonly code: Secret;
    readonly by: LoginAttempt;
    readonly isPasted: boolean;
  }
  | Extract<
    LoginResult,
    { kind: "cancelled" | "timeout" | "denied" }
  >;

/** Signs one account in. Aborting `signal` cancels; nothing is left open. */
export async function login(
  options: LoginOptions,
  ports: LoginPorts,
  signal: AbortSignal,
): Promise<LoginResult> {
  const expected = await expectedEntry(options.account, ports.vault);
  const stop = new AbortController();
  const either = AbortSignal.any([signal, stop.signal]);
  const late = ports.clock.sleep(LOGIN_LIMIT_MS, either).then(
    () => ({ kind: "timeout" }) as const,
    () => ({ kind: "cancelled" }) as const,
  );
  try {
    const limits = { late, signal: either };
    let way = await (options.method === "browser"
      ? byBrowser(options, ports, limits)
      : byPaste(options, ports, limits));
    for (;;) {
      if (way.kind !== "code") {
        return way;
      }
      const grant = await Promise.race([
        exchangeCode(way.by, way.code, { ...ports, signal: either }),
        late,
      ]);
      if (isGrant(grant)) {
        return await saveGrant(grant, { ...options, expected }, ports);
      }
      const isWrong = grant.kind === "exchange_failed" &&
        grant.isCodeUnknown && way.isPasted;
      if (!isWrong) {
        return grant;
      }
      way = await pasted(way.by, ports, { ...limits, wrong: "unknown_code" });
    }
  } catch (error) {
    if (signal.aborted) return { kind: "cancelled" };
    throw error;
  } finally {
    stop.abort();
    await late;
  }
}

function isGrant(value: Grant | LoginResult): value is Grant {
  return value.kind === "granted";
}

async function expectedEntry(
  account: AccountId | null,
  vault: Vault,
): Promise<VaultEntry | null> {
  if (account === null) return null;
  const { entries, damaged } = await vault.list();
  const entry = entries.find(({ id }) => id === account);
  if (entry !== undefined) return entry;
  // A login repairs an entry that cannot be read, whose owner is therefore
  // unknown.
  if (damaged.some(({ id }) => id === account)) return null;
  throw new LoginError(`Cannot log in: there is no account ${account}`, {
    code: "no_such_account",
    source: "user",
    hint: "tc accounts",
  });
}

interface Limits {
  readonly late: Promise<
    { readonly kind: "timeout" } | { readonly kind: "cancelled" }
  >;
  readonly signal: AbortSignal;
}

async function byBrowser(
  options: LoginOptions,
  ports: LoginPorts,
  limits: Limits,
): Promise<Way> {
  // The attempt names the listener's port, and the listener asks the attempt.
  const begun: { attempt: LoginAttempt | null } = { attempt: null };
  const loopback = listenForCallback((query) => decide(query, begun.attempt));
  try {
    const attempt = await beginAttempt(ports, loopback.redirectUri);
    begun.attempt = attempt;
    const url = authorizationUrl(ports.provider, attempt, options.loginHint);
    const isOpened = await ports.openBrowser?.(url) ?? false;
    ports.show({ url, isOpened });
    const ways = [loopback.result, limits.late];
    return await Promise.race([...ways, pasted(attempt, ports, limits)]);
  } finally {
    await loopback.close();
  }
}

/**
 * Only an answer to our own question ends the wait; everything else is refused.
 */
function decide(
  query: URLSearchParams,
  attempt: LoginAttempt | null,
): CallbackDecision<Way> {
  if (attempt === null) return { kind: "wait", page: "not_ours" };
  const reading = readCallback(query, attempt);
  switch (reading.kind) {
    case "code":
      return {
        kind: "end",
        page: "received",
        result: { ...reading, by: attempt, isPasted: false },
      };
    case "denied":
      return { kind: "end", page: "denied", result: reading };
    case "state_mismatch":
    case "malformed":
      return { kind: "wait", page: "not_ours" };
  }
}

async function byPaste(
  options: LoginOptions,
  ports: LoginPorts,
  limits: Limits,
): Promise<Way> {
  const { provider } = ports;
  const attempt = await beginAttempt(ports, provider.manualRedirectUri);
  const url = authorizationUrl(provider, attempt, options.loginHint);
  ports.show({ url, isOpened: false });
  return await Promise.race([limits.late, pasted(attempt, ports, limits)]);
}

/** Reads pastes until one is an answer; anything else is asked for again. */
async function pasted(
  attempt: LoginAttempt,
  { paste }: LoginPorts,
  { late, signal, wrong: first }: Limits & { readonly wrong?: WrongPaste },
): Promise<Way> {
  for (let wrong: WrongPaste | null = first ?? null;;) {
    if (paste === null) return await late;
    const text = await paste(wrong, signal);
    if (text === null) return { kind: "cancelled" };
    const reading: CallbackReading = readPasted(text, attempt);
    switch (reading.kind) {
      case "code":
        return { ...reading, by: attempt, isPasted: true };
      case "denied":
        return reading;
      case "state_mismatch":
        wrong = "other_sign_in";
        continue;
      case "malformed":
        wrong = "no_code";
        continue;
    }
  }
}

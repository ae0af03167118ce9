/**
 * Decides whose credential a request shows.
 *
 * @module
 */

import type { DemoAccount } from "./account.ts";
import type { Exchange } from "./exchange.ts";
import { type Refusal, type RefusalName, REFUSALS } from "./refusal.ts";
import type { AccessState } from "../token_book.ts";

type Authentication =
  | {
    readonly kind: "account";
    readonly account: DemoAccount;
    readonly scopes: readonly string[];
  }
  | { readonly kind: "refused"; readonly refusal: Refusal };

/** Without this beta the real API refuses OAuth tokens for inference. */
const OAUTH_BETA = "oauth-2025-04-20";

const STATE_REFUSALS: Readonly<
  Record<Exclude<AccessState, "live">, RefusalName>
> = { expired: "expired", superseded: "revoked", revoked: "revoked" };

/** Authenticates inference: an API key, or an OAuth token with its beta. */
export function authenticate(exchange: Exchange): Authentication {
  const found = identify(exchange);
  if (found.kind === "refused" || found.account.kind === "api_key") {
    return found;
  }
  const betas = (exchange.header("anthropic-beta") ?? "").split(",");
  return betas.some((beta) => beta.trim() === OAUTH_BETA)
    ? found
    : refused("oauth_unsupported");
}

/**
 * Identifies the credential. The record notes its owner even if it is no longer
 * valid.
 */
export function identify(exchange: Exchange): Authentication {
  const bearer = /^bearer (.+)$/i.exec(exchange.header("authorization") ?? "")
    ?.[1];
  const key = exchange.header("x-api-key");
  if (bearer !== undefined && !bearer.startsWith("sk-ant-api")) {
    return byAccessToken(exchange, bearer);
  }
  const shown = key ?? bearer;
  return shown === undefined
    ? refused("no_credential")
    : byKey(exchange, shown);
}

function byAccessToken(exchange: Exchange, token: string): Authentication {
  const { world, record } = exchange;
  const found = world.tokens.find(token, world.clock.now());
  const account = world.accounts.get(found?.account ?? "");
  if (found === null || account === undefined) return refused("invalid_bearer");
  record.account = account.name;
  record.token = token;
  return found.state === "live"
    ? { kind: "account", account, scopes: found.scopes }
    : refused(STATE_REFUSALS[found.state]);
}

function byKey(exchange: Exchange, key: string): Authentication {
  const { world, record } = exchange;
  const account = world.accounts.values().find((each) =>
    each.kind === "api_key" && each.apiKey === key
  );
  if (account === undefined) return refused("invalid_key");
  record.account = account.name;
  record.token = key;
  return { kind: "account", account, scopes: [] };
}

function refused(name: RefusalName): Authentication {
  return { kind: "refused", refusal: REFUSALS[name] };
}

/**
 * `POST /v1/oauth/token` at the fake provider: exchanges codes for tokens, and
 * refresh tokens for their successors.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { SECOND_MS } from "../../core/time.ts";
import type { Exchange } from "./exchange.ts";
import { type JsonObject, objectOf, textOf } from "../json.ts";
import { CLIENT_ID } from "./oauth_sign_in.ts";
import { streamBody, type StreamPlan } from "../answer/stream_body.ts";
import type { OAuthTokens } from "../token_book.ts";
import type { ScriptedToken } from "./scripted.ts";

/** What was asked of the endpoint, as far as it was understood. */
type Grant =
  | {
    readonly kind: "tokens";
    readonly account: string;
    readonly tokens: OAuthTokens;
  }
  | {
    readonly kind: "refused";
    readonly error: string;
    readonly description: string;
  };

export async function answerToken(exchange: Exchange): Promise<Response> {
  const { record, world } = exchange;
  const body = objectOf(exchange.json());
  const isJson = /^application\/json\b/.test(
    exchange.header("content-type") ?? "",
  );
  if (body === null || !isJson) {
    return await refuse(exchange, "invalid_request", "Invalid request format");
  }
  if (body["client_id"] !== CLIENT_ID) {
    return await refuse(exchange, "invalid_client", "Client not found");
  }
  record.account = ownerOf(exchange, body);
  record.token = textOf(body["refresh_token"]);
  const scripted = world.script?.token(record.account) ?? null;
  if (scripted?.act.kind === "reply") {
    await exchange.wait(scripted.delayMs);
    const { status, headers, body } = scripted.act;
    return await exchange.send(status, body, headers);
  }
  // A client that leaves meanwhile has spent nothing.
  await exchange.wait(world.settings.renewalMs);
  const granted = grant(exchange, body, scripted?.act ?? null);
  await exchange.wait(scripted?.delayMs ?? 0);
  if (granted.kind === "refused") {
    return await refuse(exchange, granted.error, granted.description);
  }
  record.account = granted.account;
  if (scripted?.act.kind === "drop") return dropped(exchange);
  return await exchange.sendJson(
    tokenJson(exchange, granted, scripted?.act ?? null),
  );
}

function ownerOf(exchange: Exchange, body: JsonObject): string | null {
  const { codes, tokens } = exchange.world;
  return tokens.ownerOf(textOf(body["refresh_token"]) ?? "") ??
    codes.get(textOf(body["code"]) ?? "")?.account ?? null;
}

function grant(
  exchange: Exchange,
  body: JsonObject,
  act: ScriptedToken["act"] | null,
): Grant {
  switch (body["grant_type"]) {
    case "authorization_code":
      return exchangeCode(exchange, body);
    case "refresh_token":
      return refresh(exchange, body, act);
    default:
      return refused("unsupported_grant_type", "Unsupported grant type");
  }
}

/** The first use of a code spends it, even a wrong use. */
function exchangeCode(exchange: Exchange, body: JsonObject): Grant {
  const { clock, codes, settings, tokens } = exchange.world;
  const code = textOf(body["code"]) ?? "";
  const granted = codes.get(code);
  codes.delete(code);
  const isGood = granted !== undefined && clock.now() < granted.expiresAt &&
    body["redirect_uri"] === granted.redirectUri &&
    body["state"] === granted.state &&
    challengeOf(textOf(body["code_verifier"]) ?? "") === granted.challenge;
  if (!isGood) {
    return refused("invalid_grant", "Invalid 'code' in request.");
  }
  return {
    kind: "tokens",
    account: granted.account,
    tokens: tokens.mint(granted.account, granted.scopes, {
      expiresAt: clock.inMs(settings.accessTokenMs),
      signInEndsAt: clock.inMs(settings.signInMs),
    }),
  };
}

/** Returns the S256 challenge of a PKCE verifier (RFC 7636, 4.2). */
export function challengeOf(verifier: string): string {
  return createHash("sha256").update(verifier).digest("base64url");
}

function refresh(
  exchange: Exchange,
  body: JsonObject,
  act: ScriptedToken["act"] | null,
): Grant {
  const { clock, settings, tokens } = exchange.world;
  const result = tokens.rotate(textOf(body["refresh_token"]) ?? "", {
    now: clock.now(),
    expiresAt: clock.inMs(settings.accessTokenMs),
    signInEndsAt: settings.renewalSaysEnd === "moved"
      ? clock.inMs(settings.signInMs)
      : null,
    keepsRefresh: act?.kind === "answer" && act.keepsRefresh,
  });
  return result.kind === "rotated"
    ? { kind: "tokens", account: result.account, tokens: result.tokens }
    : refused("invalid_grant", "Refresh token not found or invalid");
}

function refused(error: string, description: string): Grant {
  return { kind: "refused", error, description };
}

function refuse(
  exchange: Exchange,
  error: string,
  description: string,
): Promise<Response> {
  return exchange.send(
    400,
    JSON.stringify({ error, error_description: description }),
    [["content-type", "application/json"]],
  );
}

/**
 * Answers `POST /v1/oauth/token/revoke`: the family of the shown token dies.
 */
export async function answerRevocation(exchange: Exchange): Promise<Response> {
  const { record, world } = exchange;
  const body = objectOf(exchange.json());
  record.account = world.tokens.revokeToken(textOf(body?.["token"]) ?? "");
  // RFC 7009, 2.2: revoking an unknown token succeeds as well.
  return await exchange.sendJson({});
}

function tokenJson(
  exchange: Exchange,
  granted: Extract<Grant, { readonly kind: "tokens" }>,
  act: ScriptedToken["act"] | null,
): JsonObject {
  const { tokens, account } = granted;
  const { accounts, clock, settings } = exchange.world;
  const isLogin =
    objectOf(exchange.json())?.["grant_type"] === "authorization_code";
  const saysEnd = isLogin || settings.renewalSaysEnd !== "never";
  const identity = accounts.get(account)?.identity;
  const keepsRefresh = act?.kind === "answer" && act.keepsRefresh;
  return {
    token_type: "Bearer",
    access_token: tokens.accessToken,
    expires_in: Math.round((tokens.expiresAt - clock.now()) / SECOND_MS),
    ...(keepsRefresh ? {} : { refresh_token: tokens.refreshToken }),
    ...(saysEnd
      ? {
        refresh_token_expires_in: Math.round(
          (tokens.signInEndsAt - clock.now()) / SECOND_MS,
        ),
      }
      : {}),
    scope: tokens.scopes.join(" "),
    organization: {
      uuid: identity?.organizationUuid,
      name: identity?.organizationName,
    },
    account: {
      uuid: identity?.accountUuid,
      email_address: identity?.email,
    },
    ...(act?.kind === "answer" ? act.fields : {}),
  };
}

/** Sends the head and never the body. */
function dropped(exchange: Exchange): Response {
  exchange.begin(200);
  const plan: StreamPlan = {
    exchange,
    emissions: [{ kind: "cut" } as const].values(),
    onEvent: () => {},
    onEnd: (ending) => exchange.end(ending),
  };
  return new Response(streamBody(plan), {
    headers: exchange.headers([["content-type", "application/json"]]),
  });
}

/**
 * The paths of the fake provider.
 *
 * @module
 */

import type { Exchange } from "./exchange.ts";
import { answerMessages, countTokens } from "./messages.ts";
import { answerProfile, answerUsage } from "./oauth_account.ts";
import {
  decideSignIn,
  MANUAL_PATH,
  showCode,
  showSignIn,
  showSuccess,
} from "./oauth_sign_in.ts";
import { answerRevocation, answerToken } from "./oauth_token.ts";
import { REFUSALS } from "./refusal.ts";
import { authenticate } from "./authenticate.ts";

type Handler = (exchange: Exchange) => Promise<Response>;

const ROUTES: Readonly<Record<string, Handler>> = {
  "POST /v1/messages": answerMessages,
  "POST /v1/messages/count_tokens": countTokens,
  "GET /v1/models": answerModels,
  "GET /oauth/authorize": showSignIn,
  "GET /oauth/authorize/allow": decideSignIn,
  "GET /oauth/authorize/deny": decideSignIn,
  [`GET ${MANUAL_PATH}`]: showCode,
  "GET /oauth/code/success": showSuccess,
  "POST /v1/oauth/token": answerToken,
  "POST /v1/oauth/token/revoke": answerRevocation,
  "GET /api/oauth/profile": answerProfile,
  "GET /api/oauth/usage": answerUsage,
  "GET /": hello,
  "HEAD /": hello,
  "GET /health": hello,
  "GET /api/hello": hello,
  "HEAD /api/hello": hello,
  "GET /v1/oauth/hello": hello,
};

/** Telemetry and the like: accepted and discarded. */
const SINKS = ["/api/event_logging/", "/mcp-registry", "/api/eval/"];
/**
 * Paths on which the client's own credential counts; they answer what they
 * received.
 */
const ECHOES = ["/v1/code/", "/api/oauth/files/", "/api/oauth/file_upload"];

export async function handle(exchange: Exchange): Promise<Response> {
  const { pathname } = exchange.url;
  if (exchange.header("upgrade") !== null) {
    return await exchange.refuse({
      status: 426,
      type: "invalid_request_error",
      message: "WebSocket upgrades are not offered here",
    });
  }
  const handler = ROUTES[`${exchange.request.method} ${pathname}`];
  if (handler !== undefined) return await handler(exchange);
  if (pathname.startsWith("/v1/models/")) return await answerModel(exchange);
  if (SINKS.some((prefix) => pathname.startsWith(prefix))) {
    return await exchange.sendJson({});
  }
  if (ECHOES.some((prefix) => pathname.startsWith(prefix))) {
    return await echo(exchange);
  }
  return await exchange.refuse(REFUSALS.not_found);
}

function hello(exchange: Exchange): Promise<Response> {
  return exchange.request.method === "HEAD"
    ? exchange.send(200, "", [])
    : exchange.sendJson({ message: "hello" });
}

/** Returns what arrived, with the credential as its digest in the record. */
function echo(exchange: Exchange): Promise<Response> {
  const { record } = exchange;
  return exchange.sendJson({
    method: record.method,
    target: record.target,
    body_sha256: record.bodySha256,
    body_bytes: record.bodyBytes,
    header_names: record.headers.map(([name]) => name),
  });
}

const MODELS = [
  { id: "claude-fable-5", display_name: "Claude Fable 5" },
  { id: "claude-opus-5-5", display_name: "Claude Opus 5.5" },
  { id: "claude-sonnet-5-5", display_name: "Claude Sonnet 5.5" },
  { id: "claude-haiku-5-5", display_name: "Claude Haiku 5.5" },
].map((model) => ({
  type: "model",
  ...model,
  created_at: "2026-01-01T00:00:00Z",
}));

async function answerModels(exchange: Exchange): Promise<Response> {
  const found = authenticate(exchange);
  if (found.kind === "refused") return await exchange.refuse(found.refusal);
  return await exchange.sendJson({
    data: MODELS,
    has_more: false,
    first_id: MODELS.at(0)?.id ?? null,
    last_id: MODELS.at(-1)?.id ?? null,
  });
}

/** Answers `GET /v1/models/ID`. */
async function answerModel(exchange: Exchange): Promise<Response> {
  const found = authenticate(exchange);
  if (found.kind === "refused") return await exchange.refuse(found.refusal);
  const id = exchange.url.pathname.slice("/v1/models/".length);
  const model = MODELS.find((each) => each.id === id);
  return model === undefined
    ? await exchange.refuse({ ...REFUSALS.not_found, message: `model: ${id}` })
    : await exchange.sendJson(model);
}

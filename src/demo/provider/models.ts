/**
 * `GET /v1/models` at the fake provider.
 *
 * @module
 */

import { authenticate } from "./authenticate.ts";
import type { Exchange } from "./exchange.ts";
import { REFUSALS } from "./refusal.ts";

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

export async function answerModels(exchange: Exchange): Promise<Response> {
  const found = authenticate(exchange);
  if (found.kind === "refused") return await exchange.refuse(found.refusal);
  return await exchange.sendJson({
    data: MODELS,
    has_more: false,
    first_id: MODELS.at(0)?.id ?? null,
    last_id: MODELS.at(-1)?.id ?? null,
  });
}

/** `GET /v1/models/ID`. */
export async function answerModel(exchange: Exchange): Promise<Response> {
  const found = authenticate(exchange);
  if (found.kind === "refused") return await exchange.refuse(found.refusal);
  const id = exchange.url.pathname.slice("/v1/models/".length);
  const model = MODELS.find((each) => each.id === id);
  return model === undefined
    ? await exchange.refuse({ ...REFUSALS.not_found, message: `model: ${id}` })
    : await exchange.sendJson(model);
}

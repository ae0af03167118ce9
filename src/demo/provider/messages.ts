/**
 * `POST /v1/messages` at the fake provider: who asks, may they, and the answer.
 *
 * @module
 */

import { authenticate } from "./authenticate.ts";
import type { Exchange } from "./exchange.ts";
import { objectOf, parseJson, textOf } from "../json.ts";
import { judge, refuseAsScripted } from "../quota/judge.ts";
import { promptTokens, readPrompt } from "../answer/prompt.ts";
import { FRAMING_TOKENS } from "../quota/prompt_cache.ts";
import { REFUSALS } from "./refusal.ts";
import type { Scripted } from "../script/script.ts";
import { serveMessage } from "./serve_message.ts";

/**
 * Answers one message. A script or a drawn fault goes before the provider's
 * own judgement, but a scripted answer is served only if the quota allows it.
 */
export async function answerMessages(exchange: Exchange): Promise<Response> {
  const found = authenticate(exchange);
  if (found.kind === "refused") return await exchange.refuse(found.refusal);
  const { account } = found;
  const body = exchange.json();
  exchange.record.session ??= sessionOf(body);
  const reading = readPrompt(body, "answer");
  const prompt = reading.kind === "prompt" ? reading.prompt : null;
  exchange.record.model = prompt?.model ?? null;

  const scripted = await nextScripted(exchange, account.name);
  if (scripted?.act.kind === "refuse") {
    return await refuseAsScripted({ exchange, account, prompt }, scripted.act);
  }
  if (account.refusal !== null) {
    return await exchange.refuse(REFUSALS[account.refusal]);
  }
  if (reading.kind === "refused") {
    const { message } = reading;
    return await exchange.refuse({ ...REFUSALS.invalid_request, message });
  }
  const asked = { exchange, account, prompt: reading.prompt };
  const refused = judge(asked);
  return await (refused ?? serveMessage(asked, scripted?.act ?? null));
}

/** `POST /v1/messages/count_tokens`: costs nothing. */
export async function countTokens(exchange: Exchange): Promise<Response> {
  const found = authenticate(exchange);
  if (found.kind === "refused") return await exchange.refuse(found.refusal);
  const reading = readPrompt(exchange.json(), "count");
  if (reading.kind === "refused") {
    const { message } = reading;
    return await exchange.refuse({ ...REFUSALS.invalid_request, message });
  }
  exchange.record.model = reading.prompt.model;
  return await exchange.sendJson({
    input_tokens: promptTokens(reading.prompt) + FRAMING_TOKENS,
  });
}

/** The script's next answer, else a drawn fault, else null; waits its delay. */
async function nextScripted(
  exchange: Exchange,
  account: string,
): Promise<Scripted | null> {
  const { world, record } = exchange;
  const scripted = world.answers.take(account) ??
    world.faults?.draw(record.bodySha256) ?? null;
  if (scripted === null) return null;
  record.fault = scripted.label;
  await exchange.wait(scripted.delayMs);
  return scripted;
}

/** The session in `metadata.user_id`, which is JSON in a text, or null. */
function sessionOf(body: unknown): string | null {
  const userId = textOf(objectOf(objectOf(body)?.["metadata"])?.["user_id"]);
  return textOf(objectOf(parseJson(userId ?? ""))?.["session_id"]);
}

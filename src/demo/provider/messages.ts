/**
 * `POST /v1/messages` at the fake provider: who asks, whether they may, and the
 * answer.
 *
 * @module
 */

import { authenticate } from "./authenticate.ts";
import type { Exchange } from "./exchange.ts";
import { type JsonObject, objectOf, parseJson, textOf } from "../json.ts";
import {
  type Asked,
  judge,
  limitHeaders,
  refuseAsScripted,
} from "../quota/judge.ts";
import { promptTokens, readPrompt } from "../answer/prompt.ts";
import { FRAMING_TOKENS } from "../quota/prompt_cache.ts";
import { REFUSALS } from "./refusal.ts";
import type { Scripted, ScriptedBlock } from "./scripted.ts";
import type { HeaderList } from "../../ports.ts";
import {
  type Answer,
  type AnswerBlock,
  blockJson,
  outputTokens,
  planAnswer,
  toolUseBlock,
} from "../answer/answer.ts";
import {
  answerEmissions,
  type Emission,
  scriptedEmissions,
  type StreamStep,
} from "../answer/emission.ts";
import { encodingHeaders } from "../answer/encoding.ts";
import {
  EventWriter,
  type MessageEventOut,
  TOKENS_PER_DELTA,
  usageJson,
} from "../answer/event_writer.ts";
import { streamBody } from "../answer/stream_body.ts";
import { NO_USAGE, type TokenUsage } from "../../core/usage.ts";
import type { Ending } from "./records.ts";
import { quotaUnits } from "../quota/true_quota.ts";

/**
 * Answers one message. A script or a drawn fault precedes the provider's own
 * judgement, but a scripted answer is served only if the quota allows it.
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

/** Answers `POST /v1/messages/count_tokens`, which costs nothing. */
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

/**
 * Returns the script's next answer, else a drawn fault, else null, after its
 * delay.
 */
async function nextScripted(
  exchange: Exchange,
  account: string,
): Promise<Scripted | null> {
  const { world, record } = exchange;
  const scripted = world.script?.answer(account) ??
    world.faults?.draw(record.bodySha256) ?? null;
  if (scripted === null) return null;
  record.fault = scripted.label;
  await exchange.wait(scripted.delayMs);
  return scripted;
}

/**
 * Returns the session in `metadata.user_id`, which holds JSON as text, or null.
 */
function sessionOf(body: unknown): string | null {
  const userId = textOf(objectOf(objectOf(body)?.["metadata"])?.["user_id"]);
  return textOf(objectOf(parseJson(userId ?? ""))?.["session_id"]);
}

/** A served request and everything that its answer is made of. */
interface Service {
  readonly asked: Asked;
  readonly serving: Serving;
  readonly answer: Answer;
  /** The scripted stream; null for the whole answer in order. */
  readonly steps: readonly StreamStep[] | null;
  readonly limits: HeaderList;
  /** Pause between deltas at the configured speed. */
  readonly deltaPauseMs: number;
}

/** Serves `asked`. The limits in the head do not include its own cost. */
async function serveMessage(
  asked: Asked,
  act: Scripted["act"] | null,
): Promise<Response> {
  const { account, exchange, prompt } = asked;
  const { clock, dice, seed, settings } = exchange.world;
  const script = act?.kind === "serve" ? act : null;
  account.quota.open(prompt.family, clock.now());
  const limits = limitHeaders(asked, null);
  const { tokensPerSecond } = settings;
  const service: Service = {
    asked,
    serving: new Serving(asked),
    answer: planAnswer(prompt, seed, withIds(script?.blocks, dice.hex(24))),
    steps: script?.steps ?? null,
    limits,
    deltaPauseMs: tokensPerSecond === null
      ? 0
      : TOKENS_PER_DELTA / tokensPerSecond * 1_000,
  };
  return prompt.isStream ? streamed(service) : await whole(service);
}

function withIds(
  blocks: readonly ScriptedBlock[] | null | undefined,
  id: string,
): readonly AnswerBlock[] | null {
  return blocks?.map((block, index) =>
    block.kind === "tool_use"
      ? toolUseBlock({ name: block.name, input: block.input }, `${id}${index}`)
      : block
  ) ?? null;
}

function streamed(service: Service): Response {
  const { answer, asked, deltaPauseMs, steps } = service;
  const writer = new EventWriter(answer, asked.exchange.record.usage);
  const emissions = steps === null
    ? answerEmissions(writer, deltaPauseMs)
    : scriptedEmissions(writer, steps);
  return respond(service, emissions, [
    ["content-type", "text/event-stream; charset=utf-8"],
    ["cache-control", "no-cache"],
  ]);
}

async function whole(service: Service): Promise<Response> {
  const { answer, asked, deltaPauseMs, serving, steps } = service;
  const { exchange } = asked;
  const output = outputTokens(answer);
  try {
    await exchange.wait(output / TOKENS_PER_DELTA * deltaPauseMs);
  } catch (reason) {
    serving.end("client_gone");
    throw reason;
  }
  const usage = serving.generate(output);
  const text = JSON.stringify(messageJson(answer, usageJson(usage)));
  // A whole answer to a scripted stream without an end breaks off half-way.
  if (steps !== null && !steps.includes("message_stop")) {
    const half = text.slice(0, text.length / 2);
    const emissions: Emission[] = [{ kind: "raw", text: half }, {
      kind: "cut",
    }];
    return respond(service, emissions.values(), JSON_TYPE);
  }
  serving.report();
  serving.end("complete");
  return await exchange.send(200, text, [...JSON_TYPE, ...service.limits]);
}

const JSON_TYPE: HeaderList = [["content-type", "application/json"]];

function respond(
  service: Service,
  emissions: Iterator<Emission>,
  headers: HeaderList,
): Response {
  const { asked: { exchange }, limits, serving } = service;
  const encoding = exchange.encoding();
  exchange.begin(200);
  const body = streamBody({
    exchange,
    emissions,
    onEvent: (event) => serving.note(event),
    onEnd: (ending) => serving.end(ending),
  });
  return new Response(body, {
    status: 200,
    headers: exchange.headers([
      ...headers,
      ...(encoding === null ? [] : encodingHeaders(encoding)),
      ...limits,
    ]),
  });
}

function messageJson(answer: Answer, usage: JsonObject): JsonObject {
  return {
    id: answer.id,
    type: "message",
    role: "assistant",
    model: answer.model,
    content: answer.blocks.map(blockJson),
    stop_reason: answer.stopReason,
    stop_sequence: null,
    usage,
  };
}

class Serving {
  readonly #asked: Asked;

  /** Takes the permit and books what the prompt costs. */
  constructor(asked: Asked) {
    this.#asked = asked;
    const { account, exchange, prompt } = asked;
    const { record, world } = exchange;
    const now = world.clock.now();
    account.gate.enter(now);
    account.keyQuota?.requests.take(1, now);
    record.usage = account.cache.use(prompt, now);
    this.#charge(record.usage);
    world.records.accept(record);
  }

  /** Notes that one event of the stream was handed over. */
  note(event: MessageEventOut): void {
    const { record } = this.#asked.exchange;
    record.usage = { ...record.usage, output: event.output };
    if (event.states !== null) record.reported = event.states;
  }

  /**
   * Notes that the whole answer was generated at once, and returns what it
   * cost.
   */
  generate(output: number): TokenUsage {
    const { record } = this.#asked.exchange;
    record.usage = { ...record.usage, output };
    return record.usage;
  }

  /** Notes that the whole answer was handed over. */
  report(): void {
    const { record } = this.#asked.exchange;
    record.reported = record.usage;
  }

  /** Books the output and returns the permit, once. */
  end(ending: Ending): void {
    const { account, exchange } = this.#asked;
    const { record } = exchange;
    if (record.ending !== null) return;
    this.#charge({ ...NO_USAGE, output: record.usage.output });
    account.gate.leave();
    exchange.end(ending);
  }

  #charge(usage: TokenUsage): void {
    const { account, exchange, prompt } = this.#asked;
    const { clock, settings } = exchange.world;
    const now = clock.now();
    if (account.keyQuota !== null) return account.keyQuota.charge(usage, now);
    const units = quotaUnits(usage, settings.weights);
    account.quota.charge(units, prompt.family, now);
  }
}

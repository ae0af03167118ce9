/**
 * A request that is served: the answer planned, sent as a stream or whole.
 *
 * @module
 */

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
  TOKENS_PER_DELTA,
  usageJson,
} from "../answer/event_writer.ts";
import type { JsonObject } from "../json.ts";
import { type Asked, limitHeaders } from "../quota/judge.ts";
import type { Scripted, ScriptedBlock } from "../script/script.ts";
import { Serving } from "./serving.ts";
import { streamBody } from "../answer/stream_body.ts";

/** A served request with all that its answer is made of. */
interface Service {
  readonly asked: Asked;
  readonly serving: Serving;
  readonly answer: Answer;
  /** The scripted stream, or null for the whole answer in order. */
  readonly steps: readonly StreamStep[] | null;
  readonly limits: HeaderList;
  /** Wait between deltas, by the speed that is set. */
  readonly deltaPauseMs: number;
}

/** Serves `asked`; the limits in the head are those before its own cost. */
export async function serveMessage(
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
  // A scripted stream that never ends becomes a whole answer that breaks off.
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

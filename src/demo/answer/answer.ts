/**
 * The fake model's answer. It is planned completely before the first byte, from
 * the request alone, so that equal requests get equal answers.
 *
 * @module
 */

import { Dice, digest } from "../dice.ts";
import { readTurn, type ToolCall, type Turn } from "./directive.ts";
import { type JsonObject, listOf, objectOf } from "../json.ts";
import type { Prompt } from "./prompt.ts";
import { prose, sentence, tokenPieces } from "./prose.ts";

export type AnswerBlock =
  | { readonly kind: "thinking"; readonly text: string }
  | { readonly kind: "text"; readonly text: string }
  | {
    readonly kind: "tool_use";
    readonly id: string;
    readonly name: string;
    readonly input: JsonObject;
  };

type StopReason = "end_turn" | "max_tokens" | "tool_use";

export interface Answer {
  readonly id: string;
  readonly model: string;
  readonly blocks: readonly AnswerBlock[];
  readonly stopReason: StopReason;
}

/**
 * The request in which Claude Code asks its model to summarise a conversation.
 */
const COMPACTION = "CRITICAL: Respond with TEXT ONLY";
const QUOTED_RESULT_MAX = 120;
const TOKENS_MIN = 20;
const TOKENS_MAX = 90;

/**
 * Returns the answer to `prompt`. `blocks` from a script go before the prompt's
 * own directives.
 */
export function planAnswer(
  prompt: Prompt,
  seed: string,
  blocks: readonly AnswerBlock[] | null,
): Answer {
  const name = digest([seed, prompt.blocks.at(-1)?.chain ?? ""], 24);
  const dice = new Dice(name);
  const planned = blocks ?? planBlocks(prompt, dice);
  const fitting = fit(planned, prompt.tokensMax);
  return {
    id: `msg_${name}`,
    model: prompt.model,
    blocks: fitting,
    stopReason: stopReasonOf(planned, fitting),
  };
}

/** Returns the output tokens that `answer` counts as, at least one. */
export function outputTokens(answer: Answer): number {
  const pieces = answer.blocks.flatMap((block) => blockPieces(block));
  return Math.max(1, pieces.length);
}

/** Returns the pieces in which a block is streamed, one token each. */
export function blockPieces(block: AnswerBlock): readonly string[] {
  return tokenPieces(
    block.kind === "tool_use" ? JSON.stringify(block.input) : block.text,
  );
}

/** Returns a block of the `content` in the API's own format. */
export function blockJson(block: AnswerBlock): JsonObject {
  switch (block.kind) {
    case "thinking":
      return {
        type: "thinking",
        thinking: block.text,
        signature: signatureOf(block.text),
      };
    case "text":
      return { type: "text", text: block.text };
    case "tool_use":
      return {
        type: "tool_use",
        id: block.id,
        name: block.name,
        input: block.input,
      };
  }
}

/** Returns the signature of a thinking block; the demo checks none. */
export function signatureOf(text: string): string {
  return btoa(digest([text], 60));
}

/** Returns a tool call as a block with its own id. */
export function toolUseBlock(call: ToolCall, id: string): AnswerBlock {
  return { kind: "tool_use", id: `toolu_${id}`, ...call };
}

function planBlocks(prompt: Prompt, dice: Dice): readonly AnswerBlock[] {
  if (prompt.schema !== null) {
    const value = fillSchema(prompt.schema, dice);
    return [{ kind: "text", text: JSON.stringify(value) }];
  }
  const turn = readTurn(prompt);
  if (turn.promptText.startsWith(COMPACTION)) return [summary(dice)];
  const call = turn.calls[turn.resultCount];
  if (call === undefined) return [closingText(turn, dice)];
  if (!prompt.tools.includes(call.name)) {
    return [{
      kind: "text",
      text: `There is no tool named ${call.name} here.`,
    }];
  }
  return [
    { kind: "text", text: sentence(dice) },
    toolUseBlock(call, dice.hex(24)),
  ];
}

function closingText(turn: Turn, dice: Dice): AnswerBlock {
  if (turn.say !== null) return { kind: "text", text: turn.say };
  const tokens = turn.tokens ?? dice.integer(TOKENS_MIN, TOKENS_MAX);
  const text = prose(dice, tokens);
  if (turn.lastResult === null) return { kind: "text", text };
  // A quoted directive would be obeyed when it comes back.
  const quoted = turn.lastResult.replaceAll("demo:", "")
    .slice(0, QUOTED_RESULT_MAX).trim();
  return { kind: "text", text: `The tool said: ${quoted}\n\n${text}` };
}

function summary(dice: Dice): AnswerBlock {
  const text = `<analysis>\n${prose(dice, 60)}\n</analysis>\n\n` +
    `<summary>\n1. Primary Request and Intent:\n${
      prose(dice, 120)
    }\n</summary>`;
  return { kind: "text", text };
}

/**
 * Returns the smallest value that a JSON schema allows, with words for its
 * texts.
 */
function fillSchema(schema: JsonObject, dice: Dice): unknown {
  const choice = listOf(schema["enum"])[0];
  if (choice !== undefined) return choice;
  switch (schema["type"]) {
    case "string":
      return sentence(dice).split(",")[0];
    case "number":
    case "integer":
      return 0;
    case "boolean":
      return false;
    case "array":
      return [];
    default: {
      const properties = objectOf(schema["properties"]) ?? {};
      return Object.fromEntries(
        Object.entries(properties).map(([name, part]) => [
          name,
          fillSchema(objectOf(part) ?? {}, dice),
        ]),
      );
    }
  }
}

/** Cuts text where `max_tokens` ends it; a tool call is never cut. */
function fit(
  blocks: readonly AnswerBlock[],
  tokensMax: number,
): readonly AnswerBlock[] {
  let left = tokensMax;
  return blocks.flatMap((block) => {
    if (left <= 0) return [];
    const pieces = blockPieces(block);
    const room = left;
    left -= pieces.length;
    if (pieces.length <= room || block.kind === "tool_use") return [block];
    return [{ ...block, text: pieces.slice(0, room).join("") }];
  });
}

function stopReasonOf(
  planned: readonly AnswerBlock[],
  fitting: readonly AnswerBlock[],
): StopReason {
  const last = fitting.at(-1);
  if (last?.kind === "tool_use") return "tool_use";
  const isCut = planned.length !== fitting.length || planned.at(-1) !== last;
  return isCut ? "max_tokens" : "end_turn";
}

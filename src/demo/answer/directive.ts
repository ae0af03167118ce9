/**
 * What a prompt can ask of the demo, one line each:
 *
 * - `demo:say TEXT` answers with that text and nothing else.
 * - `demo:tool NAME ARGUMENT` calls a tool of the client. Several lines are
 *   called one after the other. The argument is the command of `Bash`, the path
 *   of `Read`, the prompt of `Agent`; or a JSON object, the whole input.
 * - `demo:tokens N` makes the answer N tokens long.
 *
 * @module
 */

import { type JsonObject, objectOf, parseJson, textOf } from "../json.ts";
import type { Message, Prompt } from "./prompt.ts";

export interface ToolCall {
  readonly name: string;
  readonly input: JsonObject;
}

/** What the turn asks for, and how far it has come. */
export interface Turn {
  readonly say: string | null;
  readonly calls: readonly ToolCall[];
  readonly tokens: number | null;
  /** Tool results since the prompt. */
  readonly resultCount: number;
  /** The text of the newest tool result, or null. */
  readonly lastResult: string | null;
  /** The last text of the prompt itself. */
  readonly promptText: string;
}

const DIRECTIVE = /^[ \t]*demo:(say|tool|tokens)[ \t]+(.*)$/gm;

/** Reads the turn that the newest user message belongs to. */
export function readTurn(prompt: Prompt): Turn {
  const asked = prompt.messages.findLastIndex((message) =>
    message.role === "user" && !message.blocks.some(isToolResult)
  );
  const texts = textsOf(prompt.messages[asked]);
  const results = prompt.messages.slice(asked + 1)
    .flatMap((message) => message.blocks.filter(isToolResult));
  const lines = [...texts.join("\n").matchAll(DIRECTIVE)]
    .map((match) => [match[1] ?? "", match[2] ?? ""] as const);
  const last = results.at(-1);
  return {
    say: lines.findLast(([word]) => word === "say")?.[1] ?? null,
    calls: lines.filter(([word]) => word === "tool")
      .map(([, rest]) => toolCall(rest)),
    tokens: countOf(lines.findLast(([word]) => word === "tokens")?.[1]),
    resultCount: results.length,
    lastResult: last === undefined ? null : resultText(last),
    promptText: texts.at(-1) ?? "",
  };
}

function isToolResult(block: JsonObject): boolean {
  return block["type"] === "tool_result";
}

function textsOf(message: Message | undefined): readonly string[] {
  return (message?.blocks ?? []).flatMap((block) =>
    textOf(block["text"]) ?? []
  );
}

function resultText(block: JsonObject): string {
  const { content } = block;
  if (!Array.isArray(content)) return textOf(content) ?? "";
  return content.flatMap((part) => textOf(objectOf(part)?.["text"]) ?? [])
    .join("\n");
}

function countOf(text: string | undefined): number | null {
  const count = Number(text);
  return Number.isInteger(count) && count > 0 ? count : null;
}

/**
 * Returns `NAME ARGUMENT` as the input that the client's tool of that name
 * takes.
 */
function toolCall(text: string): ToolCall {
  const name = /^\S*/.exec(text)?.[0] ?? "";
  const argument = text.slice(name.length).trim();
  const given = argument.startsWith("{") ? objectOf(parseJson(argument)) : null;
  return { name, input: given ?? plainInput(name, argument) };
}

function plainInput(name: string, argument: string): JsonObject {
  switch (name) {
    case "Bash":
      return { command: argument, description: "Run the demo command" };
    case "Read":
      return { file_path: argument };
    case "Agent":
    case "Task":
      return {
        description: "Demo sub-agent",
        prompt: argument,
        subagent_type: "general-purpose",
        run_in_background: false,
      };
    default:
      return argument === "" ? {} : { input: argument };
  }
}

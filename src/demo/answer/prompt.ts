/**
 * A Messages request as the fake provider reads it: the prompt as a chain of
 * blocks for the cache, and everything that the answer depends on.
 *
 * @module
 */

import { type ModelFamily, modelFamily } from "../../core/account.ts";
import { digest } from "../dice.ts";
import { type JsonObject, objectOf, objectsIn, textOf } from "../json.ts";

export type CacheTtl = "5m" | "1h";

/** One block of the prompt: a tool, a system block or a message's block. */
export interface PromptBlock {
  readonly tokens: number;
  /** Identifies everything up to and including this block. */
  readonly chain: string;
  /** Set if the client put a cache breakpoint here. */
  readonly breakpoint: CacheTtl | null;
}

export interface Message {
  readonly role: string;
  readonly blocks: readonly JsonObject[];
}

export interface Prompt {
  readonly model: string;
  readonly family: ModelFamily;
  readonly tokensMax: number;
  readonly isStream: boolean;
  readonly blocks: readonly PromptBlock[];
  readonly messages: readonly Message[];
  readonly tools: readonly string[];
  /** The schema of `output_config.format`, or null. */
  readonly schema: JsonObject | null;
}

type PromptReading =
  | { readonly kind: "prompt"; readonly prompt: Prompt }
  | { readonly kind: "refused"; readonly message: string };

/** Reads a body. To count tokens, `max_tokens` is not needed. */
export function readPrompt(
  body: unknown,
  purpose: "answer" | "count",
): PromptReading {
  const request = objectOf(body);
  if (request === null) return refused("The request body is not valid JSON");
  const model = textOf(request["model"]);
  if (model === null || model === "") return refused("model: Field required");
  if (!Array.isArray(request["messages"])) {
    return refused("messages: Field required");
  }
  if (request["messages"].length === 0) {
    return refused("messages: at least one message is required");
  }
  const tokensMax = request["max_tokens"];
  const isCounted = typeof tokensMax === "number" && tokensMax >= 1;
  if (purpose === "answer" && !isCounted) {
    return refused("max_tokens: Field required");
  }
  const tools = objectsIn(request["tools"]);
  const messages = request["messages"].map(readMessage);
  const format = objectOf(objectOf(request["output_config"])?.["format"]);
  return {
    kind: "prompt",
    prompt: {
      model,
      family: modelFamily(model),
      tokensMax: isCounted ? tokensMax : 1,
      isStream: request["stream"] === true,
      blocks: chainBlocks(model, tools, request["system"], messages),
      messages,
      tools: tools.flatMap((tool) => textOf(tool["name"]) ?? []),
      schema: objectOf(format?.["schema"]),
    },
  };
}

/** Returns all prompt tokens, cached or not. */
export function promptTokens(prompt: Prompt): number {
  return prompt.blocks.reduce((sum, block) => sum + block.tokens, 0);
}

function refused(message: string): PromptReading {
  return { kind: "refused", message };
}

function readMessage(message: unknown): Message {
  const object = objectOf(message);
  return {
    role: textOf(object?.["role"]) ?? "",
    blocks: contentBlocks(object?.["content"]),
  };
}

/** Returns the content blocks; a bare text is one text block. */
function contentBlocks(content: unknown): readonly JsonObject[] {
  const text = textOf(content);
  if (text !== null) return [{ type: "text", text }];
  return objectsIn(content);
}

/** Tools, then system, then messages: the order of the provider's cache. */
function chainBlocks(
  model: string,
  tools: readonly JsonObject[],
  system: unknown,
  messages: readonly Message[],
): readonly PromptBlock[] {
  const parts: (readonly [label: string, block: JsonObject])[] = [
    ...tools.map((tool) => ["tool", tool] as const),
    ...contentBlocks(system).filter((block) => !isBillingNote(block))
      .map((block) => ["system", block] as const),
    ...messages.flatMap((message) =>
      message.blocks.map((block) => [message.role, block] as const)
    ),
  ];
  let chain = model;
  return parts.map(([label, block]) => {
    const { cache_control: control, ...content } = block;
    const text = JSON.stringify(content);
    chain = digest([chain, label, text], 32);
    return {
      tokens: blockTokens(content, text),
      chain,
      breakpoint: breakpointOf(control),
    };
  });
}

/**
 * Claude Code's first system block changes with every request and is never
 * cached.
 */
function isBillingNote(block: JsonObject): boolean {
  return textOf(block["text"])?.startsWith("x-anthropic-billing-header:") ??
    false;
}

function breakpointOf(control: unknown): CacheTtl | null {
  const object = objectOf(control);
  if (object?.["type"] !== "ephemeral") return null;
  return object["ttl"] === "1h" ? "1h" : "5m";
}

const CHARACTERS_PER_TOKEN = 4;
const TOKENS_PER_PICTURE = 1_600;

function blockTokens(block: JsonObject, text: string): number {
  const type = block["type"];
  if (type === "image" || type === "document") return TOKENS_PER_PICTURE;
  return Math.ceil(text.length / CHARACTERS_PER_TOKEN);
}

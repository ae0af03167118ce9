/**
 * Bodies of simulated sessions, shaped like Claude Code's: tools, a long system
 * prompt, a growing history, and cache breakpoints.
 *
 * @module
 */

import { Dice } from "../dice.ts";
import type { JsonObject } from "../json.ts";
import type { CacheTtl } from "../answer/prompt.ts";
import { prose, sentence } from "../answer/prose.ts";

export interface TrafficMessage {
  readonly role: "user" | "assistant";
  readonly content: readonly JsonObject[];
}

/** The common beginning of all requests of one kind of session. */
export interface Prefix {
  readonly system: readonly JsonObject[];
  readonly tools: readonly JsonObject[];
}

interface BodyParts {
  readonly model: string;
  readonly prefix: Prefix;
  readonly messages: readonly TrafficMessage[];
  readonly ttl: CacheTtl;
  readonly session: string;
  readonly device: string;
}

const TOKENS_MAX = 8_000;
const TOOL_NAMES = ["Bash", "Read", "Edit", "Write", "Grep", "Glob", "Agent"];
const SUBAGENT_TOOLS = ["Bash", "Read", "Grep"];
const INTRODUCTION =
  "You are a simulated session of the tc demo. Nothing here reaches a person.";

/**
 * Returns the prefix of a main session or a sub-agent, of about `tokens`
 * tokens.
 */
export function prefixOf(
  kind: "main" | "subagent",
  tokens: number,
  ttl: CacheTtl,
): Prefix {
  const dice = new Dice(`prefix ${kind}`);
  const names = kind === "main" ? TOOL_NAMES : SUBAGENT_TOOLS;
  // A demo token is four characters in a prompt and up to five in an answer.
  const words = Math.max(1, Math.floor(tokens / (names.length + 2)));
  return {
    system: [
      { type: "text", text: INTRODUCTION },
      {
        type: "text",
        text: prose(dice, 2 * words),
        cache_control: cacheControl(ttl),
      },
    ],
    tools: names.map((name) => ({
      name,
      description: prose(dice, words),
      input_schema: { type: "object", properties: {}, required: [] },
    })),
  };
}

/** Returns the body as text; the last message carries the breakpoint. */
export function bodyText(parts: BodyParts): string {
  const last = parts.messages.length - 1;
  return JSON.stringify({
    model: parts.model,
    messages: parts.messages.map((message, index) =>
      index === last ? withBreakpoint(message, parts.ttl) : message
    ),
    system: parts.prefix.system,
    tools: parts.prefix.tools,
    metadata: {
      user_id: JSON.stringify({
        device_id: parts.device,
        account_uuid: "",
        session_id: parts.session,
      }),
    },
    max_tokens: TOKENS_MAX,
    stream: true,
  });
}

function withBreakpoint(
  message: TrafficMessage,
  ttl: CacheTtl,
): TrafficMessage {
  const content = message.content.map((block, index) =>
    index === message.content.length - 1
      ? { ...block, cache_control: cacheControl(ttl) }
      : block
  );
  return { ...message, content };
}

function cacheControl(ttl: CacheTtl): JsonObject {
  return ttl === "1h"
    ? { type: "ephemeral", ttl: "1h" }
    : { type: "ephemeral" };
}

/**
 * Returns a prompt that asks for `tools` tool calls, some of them sub-agents.
 */
export function promptText(
  dice: Dice,
  tools: number,
  subagentChance: number,
): string {
  const lines = Array.from(
    { length: tools },
    () => toolLine(dice, subagentChance),
  );
  return [...lines, `Please look into this: ${sentence(dice)}`].join("\n");
}

function toolLine(dice: Dice, subagentChance: number): string {
  if (dice.chance(subagentChance)) {
    const steps = Array.from(
      { length: dice.integer(1, 3) },
      () => `demo:tool Read src/${dice.hex(4)}.ts`,
    );
    const prompt = [...steps, sentence(dice)].join("\n");
    return `demo:tool Agent ${
      JSON.stringify({ description: "Look", prompt, subagent_type: "Explore" })
    }`;
  }
  return dice.chance(0.5)
    ? `demo:tool Bash grep -rn ${dice.hex(4)} src`
    : `demo:tool Read src/${dice.hex(4)}.ts`;
}

/** The request for a summary, as Claude Code words it. */
export const COMPACTION_TEXT =
  "CRITICAL: Respond with TEXT ONLY. Do NOT call any tools.\n\n" +
  "Your task is to create a detailed summary of the conversation so far.\n\n" +
  "REMINDER: Do NOT call any tools. Respond with plain text only — an " +
  "<analysis> block followed by a <summary> block.";

/** Returns the text with which a conversation goes on after its summary. */
export function continuationText(summary: string): string {
  return "This session is being continued from a previous conversation that " +
    "ran out of context. The summary below covers the earlier portion of the " +
    `conversation.\n\n${summary}`;
}

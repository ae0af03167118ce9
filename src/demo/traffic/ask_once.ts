/**
 * One streamed question for `tc demo --once`: the text as it arrives.
 *
 * @module
 */

import type { Entropy, HeaderList } from "../../ports.ts";
import { bodyText, prefixOf } from "./traffic_body.ts";
import { type ClientAnswer, TrafficClient } from "./traffic_client.ts";

export interface Question {
  /** Where tc listens, with its path if it has one. */
  readonly baseUrl: string;
  readonly headers: HeaderList;
  readonly text: string;
  readonly entropy: Entropy;
  readonly signal: AbortSignal;
  readonly onText: (text: string) => void;
}

const MODEL = "claude-sonnet-5-5";
const PREFIX_TOKENS = 1_500;

/** Asks once, without tries again; the session id is a new one. */
export async function askOnce(question: Question): Promise<ClientAnswer> {
  const { baseUrl, entropy, onText, signal, text } = question;
  const session = entropy.uuid();
  using client = new TrafficClient(baseUrl);
  return await client.send({
    body: bodyText({
      model: MODEL,
      prefix: prefixOf("subagent", PREFIX_TOKENS, "5m"),
      messages: [{ role: "user", content: [{ type: "text", text }] }],
      ttl: "5m",
      session,
      device: "",
    }),
    headers: [
      ["accept", "application/json"],
      ["content-type", "application/json"],
      ["user-agent", "tc-demo/1"],
      ["x-claude-code-session-id", session],
      ["anthropic-version", "2023-06-01"],
      ...question.headers,
    ],
    signal,
    leaveAfter: null,
    onText,
  });
}

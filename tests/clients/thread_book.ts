/**
 * Message threads as the provider keeps them: each under the account whose
 * credential began it, and unknown to every other.
 */

import type { OriginRequest } from "../fixtures/origin_answer.ts";

/** A thread that begins with these words is forgotten at once. */
const LOST = "begin and lose";

interface ThreadHead {
  readonly credential: string;
  readonly tools: readonly unknown[];
}

/** Returns the id of the reply to a request: the same for the same bytes. */
export function replyIdOf({ bodySha256 }: OriginRequest): string {
  return `msg_011${bodySha256.slice(0, 20)}`;
}

/** Returns the reply that a body goes on from, or null. */
export function previousOf(body: Record<string, unknown>): string | null {
  const { type, previous_message_id: id } = threadOf(body);
  return type === "continue" && typeof id === "string" ? id : null;
}

/** Returns the credential that a request shows. */
export function credentialOf({ headers }: OriginRequest): string {
  return headers
    .filter(([name]) => /^(authorization|x-api-key)$/i.test(name))
    .map(([, value]) => value.replace(/^Bearer /, "")).join(" ");
}

export class ThreadBook {
  readonly #heads = new Map<string, ThreadHead>();

  /**
   * Books one turn and returns the tools that hold for it. Returns null where
   * the turn goes on from a thread that the account does not have.
   */
  turn(
    request: OriginRequest,
    body: Record<string, unknown>,
  ): readonly unknown[] | null {
    const credential = credentialOf(request);
    const given = Array.isArray(body["tools"]) ? body["tools"] : [];
    const { type } = threadOf(body);
    const previous = previousOf(body);
    const head = previous === null ? undefined : this.#heads.get(previous);
    if (previous !== null && head?.credential !== credential) return null;
    const tools = head?.tools ?? given;
    const messages = Array.isArray(body["messages"]) ? body["messages"] : [];
    const isLost = messages.length === 1 &&
      JSON.stringify(messages).includes(LOST);
    if (type !== undefined && !isLost) {
      this.#heads.set(replyIdOf(request), { credential, tools });
    }
    return tools;
  }
}

function threadOf(body: Record<string, unknown>): Record<string, unknown> {
  const thread = body["thread"];
  return typeof thread === "object" && thread !== null ? { ...thread } : {};
}

/**
 * Wire room: what routing needs to know of a request, read off its headers and
 * off the bytes of its body without parsing or changing them.
 *
 * @module
 */

import type { SessionId } from "../../core/account.ts";
import type { HeaderList } from "../../ports.ts";
import { type BodyFacts, NO_BODY_FACTS, scanBody } from "./body_scan.ts";
import { headerIdentifier, headerValue } from "../header_list.ts";
import { isHoldTarget } from "./target.ts";

/** What a request shows of itself. Everything but the flags may be unknown. */
export interface RequestPeek extends Omit<BodyFacts, "metadataSession"> {
  /** By header, Claude Code's first, else by `metadata.user_id`. */
  readonly sessionId: SessionId | null;
  /** The sub-agent that asks, constant for its life; null for the main one. */
  readonly agentId: string | null;
  readonly parentAgentId: string | null;
  /** The values of `anthropic-beta`, in lower case, comma-separated. */
  readonly betas: string;
  /** The target without its query. */
  readonly path: string;
  /** The client's product by its User-Agent, `claude-cli`; empty if unnamed. */
  readonly client: string;
  /** How often an official SDK has sent this request before, by its own count. */
  readonly retryCount: number;
}

/** Claude Code's own, then ours and our neighbours' for other clients (M4). */
const SESSION_HEADERS = [
  "x-claude-code-session-id",
  "x-tc-session",
  "x-maxpool-session",
  "x-teamclaude-session",
  // opencode's own.
  "x-session-affinity",
  "x-session-id",
];

/**
 * Looks at a request. Only the body of `/v1/messages…` is walked. Never throws:
 * bytes that are no JSON give nulls and false. Of a repeated key the last
 * counts, as for JSON.parse; of a body that breaks off, what came before.
 */
export function peek(
  headers: HeaderList,
  target: string,
  body: Uint8Array,
): RequestPeek {
  const session = headerSession(headers);
  const facts = isHoldTarget(target) ? scanBody(body, session) : NO_BODY_FACTS;
  const { metadataSession, ...shown } = facts;
  return {
    ...shown,
    sessionId: session ?? metadataSession,
    agentId: headerIdentifier(headers, "x-claude-code-agent-id"),
    parentAgentId: headerIdentifier(headers, "x-claude-code-parent-agent-id"),
    betas: headerValue(headers, "anthropic-beta")?.toLowerCase() ?? "",
    path: target.split("?", 1)[0] ?? target,
    client: productOf(headerValue(headers, "user-agent")),
    retryCount: retryCountOf(headerValue(headers, "x-stainless-retry-count")),
  };
}

const PRODUCT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}/;

function productOf(agent: string | null): string {
  return PRODUCT.exec(agent ?? "")?.[0].toLowerCase() ?? "";
}

function retryCountOf(text: string | null): number {
  return text !== null && /^\d{1,4}$/.test(text) ? Number(text) : 0;
}

function headerSession(headers: HeaderList): SessionId | null {
  for (const name of SESSION_HEADERS) {
    const id = headerIdentifier(headers, name);
    if (id !== null) return id as SessionId;
  }
  return null;
}

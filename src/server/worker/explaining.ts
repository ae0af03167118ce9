/**
 * Finds the conversation that a person means by a session or request, and
 * explains its routing.
 *
 * @module
 */

import { type ExplainView, explainView } from "../../control/explain_view.ts";
import type { ActivityView } from "../../control/protocol.ts";
import { ANY_REQUEST } from "../../core/quota/capacity.ts";
import { explain } from "../../core/route/explanation.ts";
import type { PoolSnapshot } from "../../core/pool/pool.ts";
import type { RouteQuery } from "../../core/route/route.ts";
import type { Binding } from "../../core/pool/session.ts";
import { MINUTE_MS } from "../../core/time.ts";
import { TcError } from "../../errors.ts";

/** Claude Code asks for the short cache unless it says otherwise. */
const CACHE_TTL_MS = 5 * MINUTE_MS;

/** The parts of a request that name its conversation. */
interface Named {
  readonly id: string;
  readonly session: string | null;
  readonly agent: string | null;
}

/** The requests to look in: open ones and finished ones. */
export interface Looked {
  readonly open: readonly Named[];
  readonly ended: readonly ActivityView[];
}

/**
 * Explains the conversation that `wanted` names: a session, the start of one,
 * or a request; null takes the one used last, or any new conversation.
 */
export function explainFor(
  wanted: string | null,
  snapshot: PoolSnapshot,
  looked: Looked,
): ExplainView {
  const name = wanted === null ? null : nameFrom(wanted, looked);
  const binding = bindingOf(name, snapshot);
  if (binding === null && wanted !== null) {
    throw new TcError(`Cannot explain ${wanted}: no such session or request`, {
      code: "no_such_session",
      source: "user",
      hint: "tc status   lists them",
    });
  }
  const told = explain(snapshot, queryFor(binding));
  const conversation = binding?.conversation ?? null;
  const last = looked.ended.find((one) => {
    const named = conversationName(one);
    // The name of a conversation without tools ends in the digest of its system
    // texts.
    return named === conversation || conversation?.startsWith(`${named}~`);
  });
  return explainView(told, snapshot, { conversation, last: last ?? null });
}

function conversationName(
  { session, agent }: Omit<Named, "id">,
): string | null {
  if (session === null) return null;
  return agent === null ? session : `${session}/${agent}`;
}

/** Returns the conversation of a request's id, or `wanted` itself. */
function nameFrom(wanted: string, { open, ended }: Looked): string {
  const request = [...open, ...ended].find(({ id }) => id === wanted);
  return (request === undefined ? null : conversationName(request)) ?? wanted;
}

/**
 * Returns the binding of that name, or the last used one whose name begins with
 * it.
 */
function bindingOf(
  name: string | null,
  { bindings }: PoolSnapshot,
): Binding | null {
  let found: Binding | null = null;
  for (const binding of bindings.values()) {
    if (binding.conversation === name) return binding;
    if (name !== null && !binding.conversation.startsWith(name)) continue;
    if (found === null || binding.lastUsedAt > found.lastUsedAt) {
      found = binding;
    }
  }
  return found;
}

function queryFor(binding: Binding | null): RouteQuery {
  if (binding === null) return { ...ANY_REQUEST, cacheTtlMs: CACHE_TTL_MS };
  const { conversation, parent, family, contextTokens, policy } = binding;
  return {
    ...ANY_REQUEST,
    conversation,
    parent,
    families: family === null ? [] : [family],
    contextTokens,
    policy,
    cacheTtlMs: CACHE_TTL_MS,
  };
}

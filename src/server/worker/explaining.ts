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
import { durationText } from "../../control/words.ts";
import { EXIT, TcError } from "../../errors.ts";

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
  /** Returns the project of a session, where it is known. */
  readonly projectOf: (session: string) => string | null;
}

/** The most names that an answer lists. */
const LISTED_MAX = 6;

/** What a person meant. */
interface Meant {
  readonly binding: Binding | null;
  readonly request: Named | null;
}

/**
 * Explains the conversation that `wanted` names: a session, the start of one,
 * or a request; null takes the one used last, or any new conversation. Throws
 * TcError if the name fits several sessions, or none.
 */
export function explainFor(
  wanted: string | null,
  snapshot: PoolSnapshot,
  looked: Looked,
): ExplainView {
  const { binding, request } = wanted === null
    ? { binding: lastUsed([...snapshot.bindings.values()]), request: null }
    : meant(wanted, snapshot, looked);
  const session = request?.session ??
    (binding === null ? null : sessionOf(binding));
  const project = session === null ? null : looked.projectOf(session);
  const told = explain(snapshot, { ...queryFor(binding), project });
  const conversation = binding?.conversation ??
    (request === null ? null : conversationName(request));
  const last = looked.ended.find((one) => {
    if (request !== null) return one.id === request.id;
    const named = conversationName(one);
    // The name of a conversation without tools ends in the digest of its system
    // texts.
    return named === conversation || conversation?.startsWith(`${named}~`);
  });
  return explainView(told, snapshot, {
    conversation,
    project,
    request: request?.id ?? null,
    last: last ?? null,
  });
}

function conversationName(
  { session, agent }: Omit<Named, "id">,
): string | null {
  if (session === null) return null;
  return agent === null ? session : `${session}/${agent}`;
}

/** Returns the session of a conversation: its name up to the agent. */
function sessionOf({ conversation }: Binding): string {
  return /^[^/~]*/.exec(conversation)?.[0] ?? conversation;
}

function meant(
  wanted: string,
  { bindings, at }: PoolSnapshot,
  { open, ended }: Looked,
): Meant {
  const all = [...bindings.values()];
  const exact = all.find(({ conversation }) => conversation === wanted);
  if (exact !== undefined) return { binding: exact, request: null };
  const requests = new Map(
    [...open, ...ended].filter(({ id }) => id.startsWith(wanted))
      .map((one) => [one.id, one] as const),
  );
  const fitting = all.filter(({ conversation }) =>
    conversation.startsWith(wanted)
  );
  const sessions = Map.groupBy(fitting, sessionOf);
  const names = [...sessions.keys(), ...requests.keys()];
  if (names.length > 1) throw ambiguous(wanted, names, { sessions, at });
  // A client without tools binds no conversation: its last request stands for it.
  const ofSession = names.length === 0
    ? [...open, ...ended].find(({ session }) => session?.startsWith(wanted))
    : undefined;
  const request = [...requests.values()][0] ?? ofSession;
  if (request !== undefined) {
    const name = conversationName(request);
    const binding = all.find(({ conversation }) => conversation === name) ??
      lastUsed(
        all.filter(({ conversation }) =>
          name !== null && conversation.startsWith(`${name}~`)
        ),
      );
    return { binding, request };
  }
  const [session] = sessions.keys();
  if (session === undefined) throw unknown(wanted, all, at);
  const main = fitting.find(({ conversation }) => conversation === session);
  return { binding: main ?? lastUsed(fitting), request: null };
}

function lastUsed(bindings: readonly Binding[]): Binding | null {
  return bindings.reduce<Binding | null>(
    (last, one) =>
      last === null || one.lastUsedAt > last.lastUsedAt ? one : last,
    null,
  );
}

function ambiguous(
  wanted: string,
  names: readonly string[],
  { sessions, at }: {
    readonly sessions: ReadonlyMap<string, readonly Binding[]>;
    readonly at: number;
  },
): TcError {
  const listed = names.slice(0, LISTED_MAX).map((name) => {
    const last = lastUsed(sessions.get(name) ?? []);
    const age = last === null ? "" : `   ${usedText(last, at)}`;
    return `tc explain ${name}${age}`;
  });
  const more = names.length - listed.length;
  return new TcError(
    `Cannot explain ${wanted}: it fits ${names.length} sessions or requests. Which one?`,
    {
      code: "ambiguous_session",
      source: "user",
      exitCode: EXIT.usage,
      hint: [...listed, ...more > 0 ? [`and ${more} more`] : []].join("\n"),
    },
  );
}

/** Returns the error that lists the sessions whose names are nearest. */
function unknown(
  wanted: string,
  bindings: readonly Binding[],
  at: number,
): TcError {
  const bySession = Map.groupBy(bindings, sessionOf);
  const near = [...bySession].map(([name, group]) => ({
    name,
    last: lastUsed(group),
    shared: sharedStart(name, wanted),
  })).sort((a, b) =>
    b.shared - a.shared ||
    (b.last?.lastUsedAt ?? 0) - (a.last?.lastUsedAt ?? 0)
  ).slice(0, 3);
  const hint = near.length === 0
    ? "tc status   lists what the server has seen"
    : near.map(({ name, last }) =>
      `tc explain ${name}${last === null ? "" : `   ${usedText(last, at)}`}`
    ).join("\n");
  return new TcError(`Cannot explain ${wanted}: no such session or request`, {
    code: "no_such_session",
    source: "user",
    hint,
  });
}

function sharedStart(a: string, b: string): number {
  let length = 0;
  while (length < a.length && a[length] === b[length]) length++;
  return length;
}

function usedText({ lastUsedAt }: Binding, at: number): string {
  return `used ${durationText(at - lastUsedAt)} ago`;
}

function queryFor(binding: Binding | null): RouteQuery {
  if (binding === null) return { ...ANY_REQUEST, cacheTtlMs: CACHE_TTL_MS };
  const { conversation, parent, family, contextTokens, policy } = binding;
  // The next request is taken to ask for as long an answer as the last one.
  const { costNanoMax = 0 } = binding;
  return {
    ...ANY_REQUEST,
    conversation,
    parent,
    families: family === null ? [] : [family],
    contextTokens,
    policy,
    costNanoMax,
    cacheTtlMs: CACHE_TTL_MS,
  };
}

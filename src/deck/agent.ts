/**
 * An agent as the Deck shows it: a session on this machine joined with what the
 * server knows about it.
 *
 * @module
 */

import type { LocalSession } from "../claude/sessions/sessions.ts";
import type {
  RequestView,
  SessionView,
  StatusView,
} from "../control/protocol.ts";
import { MINUTE_MS } from "../core/time.ts";

export interface Agent {
  readonly id: string;
  readonly emoji: string | null;
  /** The issue's human id, the session's name, or the start of its id. */
  readonly label: string;
  readonly issue: string | null;
  readonly issueId: string | null;
  readonly parentId: string | null;
  readonly title: string | null;
  readonly intent: string | null;
  /** Whether it works on its own: its intent says `solo:`. */
  readonly isSolo: boolean;
  /**
   * The issue's own status: `in_progress`, `blocked`, …; null if it has none.
   */
  readonly status: string | null;
  /** Why it waits for a person, or null. */
  readonly need: string | null;
  /** Whether another live agent works on the same issue. */
  readonly collides: boolean;
  readonly account: string | null;
  /** The policy that its launch asked for; null is the pool's. */
  readonly policy: string | null;
  /** Whether the server has seen it. */
  readonly isBound: boolean;
  /** Whether it was used within the last five minutes. */
  readonly isWarm: boolean;
  readonly isToolRunning: boolean;
  /** Its requests in flight. */
  readonly requests: readonly RequestView[];
  /**
   * Input and output tokens, as the seed counts them; null while it is not
   * bound.
   */
  readonly tokens: number | null;
  /** US dollars; null is unpriced. */
  readonly cost: number | null;
  /** Epoch milliseconds; null if the server has not seen it. */
  readonly lastUsedAt: number | null;
}

/** A binding used within this time counts as warm. */
const WARM_MS = 5 * MINUTE_MS;

/** How long a session that only the server knows is shown. */
const SEEN_MS = 30 * MINUTE_MS;

const NAME_LENGTH = 6;

/** Returns every live agent, the one with the most tokens first. */
export function agentsOf(
  status: StatusView | null,
  local: readonly LocalSession[],
  now: number,
): readonly Agent[] {
  const bound = new Map(status?.sessions.map((view) => [view.id, view]));
  const requests = Map.groupBy(
    status?.requests ?? [],
    (request) => request.session ?? "",
  );
  const here = local.map((session) =>
    agent(session, {
      bound: bound.get(session.sessionId) ?? null,
      requests: requests.get(session.sessionId) ?? [],
      now,
    })
  );
  const ids = new Set(local.map(({ sessionId }) => sessionId));
  const isSeen = (view: SessionView) =>
    view.inFlight > 0 || now - view.lastUsedAt.ms <= SEEN_MS;
  const others = new Set([
    ...[...bound.values()].filter(isSeen).map(({ id }) => id),
    // The server has no session yet for a first request that waits.
    ...requests.keys(),
  ]);
  const strangers = [...others]
    .filter((id) => id !== "" && !ids.has(id))
    .map((id) =>
      agent(stranger(id), {
        bound: bound.get(id) ?? null,
        requests: requests.get(id) ?? [],
        now,
      })
    );
  return withCollisions([...here, ...strangers].sort(byTokens));
}

/**
 * Returns a session without a file here: another client's, or another
 * machine's.
 */
function stranger(sessionId: string): LocalSession {
  return {
    sessionId,
    emoji: null,
    intent: null,
    name: null,
    issue: null,
    pin: null,
    isToolRunning: false,
    lastTurnAt: null,
  };
}

function agent(
  session: LocalSession,
  { bound, requests, now }: {
    readonly bound: SessionView | null;
    readonly requests: readonly RequestView[];
    readonly now: number;
  },
): Agent {
  const { sessionId, pin, issue, intent } = session;
  const solo = /^\s*solo:\s*/i.exec(intent ?? "");
  return {
    id: sessionId,
    emoji: session.emoji,
    label: issue ?? session.name ?? sessionId.slice(0, NAME_LENGTH),
    issue,
    issueId: pin?.issueId ?? null,
    parentId: pin?.parentId ?? null,
    title: pin?.title ?? null,
    intent: solo === null ? intent : intent?.slice(solo[0].length) ?? null,
    isSolo: solo !== null,
    status: pin?.status ?? null,
    need: needOf(pin?.status ?? null, pin?.assigneeUserId ?? null),
    collides: false,
    account: bound?.account ?? requests[0]?.account ?? null,
    policy: bound?.policy ?? null,
    isBound: bound !== null || requests.length > 0,
    isWarm: requests.length > 0 ||
      (bound !== null && now - bound.lastUsedAt.ms < WARM_MS),
    isToolRunning: session.isToolRunning,
    requests,
    tokens: bound === null ? null : bound.usage.input + bound.usage.output,
    cost: bound?.usage.cost ?? null,
    lastUsedAt: bound?.lastUsedAt.ms ?? null,
  };
}

function needOf(status: string | null, assignee: string | null): string | null {
  if (status === "blocked") return "blocked";
  if (status === "in_review") return "ready for review";
  return assignee === null ? null : "asked for you";
}

function withCollisions(agents: readonly Agent[]): readonly Agent[] {
  const counts = new Map<string, number>();
  for (const { issue } of agents) {
    if (issue !== null) counts.set(issue, (counts.get(issue) ?? 0) + 1);
  }
  return agents.map((one) =>
    one.issue !== null && (counts.get(one.issue) ?? 0) > 1
      ? { ...one, collides: true }
      : one
  );
}

/**
 * Orders by tokens, the most first. Names break ties, so that rows keep their
 * places.
 */
export function byTokens(a: Agent, b: Agent): number {
  return (b.tokens ?? -1) - (a.tokens ?? -1) ||
    (a.label < b.label ? -1 : a.label > b.label ? 1 : a.id < b.id ? -1 : 1);
}

interface Chip {
  readonly text: string;
  readonly style: "good" | "bad" | "careful" | "info" | "dim";
}

/** An issue's status in one short word. */
export function chipOf(status: string | null): Chip {
  switch (status) {
    case "in_progress":
      return { text: "work", style: "good" };
    case "blocked":
      return { text: "block", style: "bad" };
    case "in_review":
      return { text: "review", style: "careful" };
    case "todo":
      return { text: "todo", style: "info" };
    case "backlog":
      return { text: "queued", style: "dim" };
    case "done":
      return { text: "done", style: "dim" };
    case "cancelled":
    case "canceled":
      return { text: "cancel", style: "dim" };
    case null:
      return { text: "·", style: "dim" };
    default:
      return { text: status.replaceAll("_", " "), style: "dim" };
  }
}

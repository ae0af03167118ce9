/**
 * One simulated request: what it wants, what happened to it, and what its
 * answers say.
 *
 * @module
 */

import type { AccountId, TicketId } from "../../core/account.ts";
import { type Attempt, FIRST_ATTEMPT } from "../../core/quota/retry.ts";
import { after } from "../../core/time.ts";
import { NO_USAGE, type TokenUsage } from "../../core/usage.ts";
import type { CapacityVerdict } from "../../core/quota/verdict.ts";
import type { Reception } from "../provider.ts";
import type { PlannedRequest } from "./workload.ts";
import type { World } from "../world.ts";

const SHORT_TTL_MS = 600_000;

/** A request and what follows when it ends. */
export interface Errand {
  readonly request: PlannedRequest;
  readonly conversation: string;
  /** Its number within its conversation, without side requests. */
  readonly turn: number;
  readonly parent: string | null;
  readonly usefulTokens: number;
  /**
   * When the client first wanted it: it may have been refused and come again.
   */
  readonly wantedAt: number;
  /** Whether it asks for a stream, which can be held for longer. */
  readonly isStream: boolean;
  readonly ticket: TicketId;
  /** If no answer has begun by then, nobody wants it any more. */
  readonly deadline: number;
  excluded: ReadonlySet<AccountId>;
  counts: Omit<Attempt, "now">;
  isWaiting: boolean;
  /** How long it has waited for an account, in all its waits. */
  waitedMs: number;
  /** Since when it waits now. */
  waitsSince: number;
  /** What it waits for; requests that wait for the same thing go in order. */
  line: string;
  /** Raised with each look, so that an older alarm is ignored. */
  looks: number;
  onServed(): void;
  /** The client gets an error after which it may try again, by itself. */
  onFailed(retryAfterMs: number): void;
  /** The client is told when to come again. */
  onLimited(backAt: number): void;
  /** The stream is open already, so an error event ends it. */
  onInterrupted(): void;
}

/** Returns a request to which nothing has happened yet. */
export function newErrand(
  parts: Pick<
    Errand,
    | "request"
    | "conversation"
    | "turn"
    | "parent"
    | "usefulTokens"
    | "wantedAt"
    | "isStream"
    | "deadline"
    | "ticket"
    | "onServed"
    | "onFailed"
    | "onLimited"
    | "onInterrupted"
  >,
): Errand {
  return {
    ...parts,
    excluded: new Set(),
    counts: FIRST_ATTEMPT,
    isWaiting: false,
    waitedMs: 0,
    waitsSince: 0,
    line: "",
    looks: 0,
  };
}

/** Returns the counts after one more try. */
export function counted(
  counts: Errand["counts"],
  verdict: CapacityVerdict,
  isHop: boolean,
): Errand["counts"] {
  const isForced = verdict.kind === "exhausted" ||
    verdict.kind === "throttled" || verdict.kind === "credential";
  return {
    ...counts,
    failures: counts.failures + (verdict.kind === "overloaded" ? 1 : 0),
    hops: counts.hops + (isHop && !isForced ? 1 : 0),
  };
}

/** Returns what the core learns from the reception. */
export function verdictOf(reception: Reception, world: World): CapacityVerdict {
  switch (reception.kind) {
    case "served":
      return { kind: "served" };
    case "overloaded":
      return { kind: "overloaded", retryAt: null };
    case "throttled":
      return {
        kind: "throttled",
        until: after(world.now, reception.retryAfterMs),
        isStated: true,
      };
    case "exhausted":
      return {
        kind: "exhausted",
        window: reception.window,
        family: reception.family,
        until: after(world.now, Math.max(1, reception.resetsAt - world.now)),
      };
  }
}

/** Returns the usage block of the answer. */
export function usageOf(
  request: PlannedRequest,
  cached: number,
  { workload }: World,
): TokenUsage {
  const written = request.contextTokens - cached;
  const isLong = workload.cacheTtlMs > SHORT_TTL_MS;
  return {
    ...NO_USAGE,
    cacheRead: cached,
    cacheWrite5m: isLong ? 0 : written,
    cacheWrite1h: isLong ? written : 0,
    output: request.outputTokens,
  };
}

/**
 * The requests of one session, one by one, as the API returns them. Pure.
 *
 * @module
 */

import type { TimeView } from "../protocol.ts";

/** One request of a session; null is unknown. */
export interface TurnView {
  readonly id: string;
  readonly at: TimeView;
  readonly durationMs: number;
  readonly waitedMs: number;
  readonly account: string | null;
  /** The account that the conversation left; null if it stayed. */
  readonly movedFrom: string | null;
  /** The router's reason for this account. */
  readonly reason: string;
  /** Its sub-agent; null for the session itself. */
  readonly agent: string | null;
  readonly model: string | null;
  readonly status: number;
  /** Whether the client compacted the conversation with it. */
  readonly isCompaction: boolean;
  readonly input: number | null;
  readonly cacheRead: number | null;
  readonly cacheWrite: number | null;
  readonly output: number | null;
  /** At list price in US dollars; null if it has no price. */
  readonly costUsd: number | null;
  /** Whether it was really paid, by a key or extra usage. */
  readonly isPaid: boolean;
}

export interface TurnsView {
  readonly schema: "tc.turns/v1";
  readonly at: TimeView;
  readonly session: string;
  readonly since: TimeView;
  /** The number of all its requests; `turns` holds only the latest. */
  readonly count: number;
  /** Oldest first. */
  readonly turns: readonly TurnView[];
}

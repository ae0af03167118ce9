/**
 * The pool as one session sees it, for a status line: which account serves it,
 * how much quota is left there, and whether there is room.
 *
 * @module
 */

import { type ConversationId, signInOf } from "../account.ts";
import { poolCapacity } from "./capacity.ts";
import { colorOf, outlook } from "./outlook.ts";
import { runningWindow } from "./quota.ts";
import type { AccountState, PoolSnapshot } from "../pool/state.ts";
import type { Instant } from "../time.ts";

export interface GlanceWindow {
  readonly key: string;
  /** Null is unknown, never 0. */
  readonly utilization: number | null;
  readonly resetsAt: number | null;
  /** Null if its source does not say. */
  readonly observedAt: number | null;
}

export interface PoolGlance {
  readonly at: number;
  /** The account that serves the session; null while none does. */
  readonly account: string | null;
  /** When its sign-in ends, if that is within three days; else null. */
  readonly signInEndsAt: number | null;
  readonly windows: readonly GlanceWindow[];
  /** Null if it is unknown. */
  readonly capacity: {
    readonly verdict: "green" | "yellow" | "red";
    readonly headroom: number;
    readonly soonestResetSec: number;
  } | null;
  /**
   * Since when an account has been paid by the token, and how many US dollars;
   * null while none is, and where it is unknown.
   */
  readonly paying?: {
    readonly since: number;
    readonly cost: number | null;
  } | null;
}

const KEYS = ["5h", "7d"] as const;

/**
 * Returns the glance for `session` as its client names it, or for a client that
 * names none.
 */
export function poolGlance(
  snapshot: PoolSnapshot,
  session: string | null,
): PoolGlance {
  const state = servingAccount(snapshot, session);
  const signIn = state === null ? null : signInOf(state.account, snapshot.at);
  const { headroom, soonestResetSec } = poolCapacity(snapshot);
  const verdict = colorOf(outlook(snapshot));
  return {
    at: snapshot.at,
    account: state?.account.label ?? null,
    signInEndsAt: signIn?.kind === "ends_soon" ? signIn.at : null,
    windows: state === null ? [] : glanceWindows(state, snapshot.at),
    capacity: { verdict, headroom, soonestResetSec },
  };
}

/** A new session is shown the account that it would probably get. */
function servingAccount(
  { bindings, accounts, pin, primary }: PoolSnapshot,
  session: string | null,
): AccountState | null {
  const bound = session === null
    ? undefined
    : bindings.get(session as ConversationId)?.accountId;
  const id = bound ?? pin ?? primary;
  return id === null ? null : accounts.get(id) ?? null;
}

function glanceWindows(
  { windows }: AccountState,
  at: Instant,
): readonly GlanceWindow[] {
  return KEYS.flatMap((key) => {
    const window = runningWindow(windows, key, at);
    if (window === null) return [];
    const { utilization, resetsAt, observedAt } = window;
    return [{ key, utilization, resetsAt, observedAt }];
  });
}

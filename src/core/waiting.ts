/**
 * The queue: who waits, in which order, and for what.
 *
 * @module
 */

import type { TicketId } from "./account.ts";
import type { PoolEvent } from "./event.ts";
import type { PoolState } from "./state.ts";

type WaitingChanged = Extract<PoolEvent, { readonly kind: "waiting_changed" }>;

/** Adds the request to the queue, or renews its reason and keeps its place. */
export function enqueue(state: PoolState, event: WaitingChanged): PoolState {
  const { ticket, query, only, reason, at } = event;
  const known = state.waiting.get(ticket);
  if (known !== undefined) {
    if (known.reason === reason) return state;
    const waiting = state.waiting.with(ticket, {
      ...known,
      reason,
      reasonSince: at,
    });
    return { ...state, waiting };
  }
  return {
    ...state,
    waitingOrder: state.waitingOrder + 1,
    waiting: state.waiting.with(ticket, {
      ticket,
      order: state.waitingOrder,
      since: at,
      facts: query,
      only,
      reason,
      reasonSince: at,
    }),
  };
}

export function dequeue(state: PoolState, ticket: TicketId): PoolState {
  const waiting = state.waiting.without(ticket);
  return waiting === state.waiting ? state : { ...state, waiting };
}

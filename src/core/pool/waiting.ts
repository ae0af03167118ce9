/**
 * The queue: who waits, in which order, and for what.
 *
 * @module
 */

import type { ConversationId, TicketId } from "../account.ts";
import type { PoolEvent } from "./event.ts";
import type { PoolState } from "./state.ts";
import type { Instant } from "../time.ts";

type WaitingChanged = Extract<PoolEvent, { readonly kind: "waiting_changed" }>;

/** Adds the request to the queue, or renews its reason and keeps its place. */
export function enqueue(before: PoolState, event: WaitingChanged): PoolState {
  const { ticket, query, only, reason, at } = event;
  const state = reason === "parked"
    ? parkedSince(before, query.conversation, at)
    : before;
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

/** Keeps the time of the first parking: the conversation may leave and return. */
function parkedSince(
  state: PoolState,
  conversation: ConversationId | null,
  at: Instant,
): PoolState {
  if (conversation === null || state.parked.has(conversation)) return state;
  return { ...state, parked: state.parked.with(conversation, at) };
}

export function dequeue(state: PoolState, ticket: TicketId): PoolState {
  const waiting = state.waiting.without(ticket);
  return waiting === state.waiting ? state : { ...state, waiting };
}

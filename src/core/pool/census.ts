/**
 * Who is where: conversations by account, and who waits. Counted once for each
 * snapshot that is asked, however many requests ask it.
 *
 * @module
 */

import { headcount, type Heads } from "./headcount.ts";
import type { PoolSnapshot, Waiting } from "./state.ts";
import { ACTIVE_MS } from "./sweep.ts";
import type { Instant } from "../time.ts";

export { NOBODY } from "./headcount.ts";

export interface Census extends Heads {
  /** Conversations that wait and are not active, for whatever reason. */
  readonly stalled: number;
  /** All who wait, first come first. */
  readonly queue: readonly Waiting[];
}

interface Counted {
  readonly waiting: PoolSnapshot["waiting"];
  readonly settings: PoolSnapshot["settings"];
  readonly at: Instant;
  readonly census: Census;
}

/** The last count of each table of bindings; requests that wait ask at once. */
const counted = new WeakMap<PoolSnapshot["bindings"], Counted>();

/** The queue in its order, which time alone does not change. */
const queues = new WeakMap<PoolSnapshot["waiting"], readonly Waiting[]>();

/** The census of `snapshot`. */
export function census(snapshot: PoolSnapshot): Census {
  const { bindings, waiting, settings, at } = snapshot;
  const known = counted.get(bindings);
  const isSame = known !== undefined && known.at === at &&
    known.waiting === waiting && known.settings === settings;
  if (isSame) return known.census;
  const queue = queueOf(waiting);
  const fresh: Census = {
    ...headcount(snapshot),
    stalled: stalled(snapshot, queue),
    queue,
  };
  counted.set(bindings, { waiting, settings, at, census: fresh });
  return fresh;
}

function queueOf(waiting: PoolSnapshot["waiting"]): readonly Waiting[] {
  const known = queues.get(waiting);
  if (known !== undefined) return known;
  const queue = waiting.size === 0
    ? []
    : [...waiting.values()].sort((a, b) => a.order - b.order);
  queues.set(waiting, queue);
  return queue;
}

/** Sub-agents and side requests are part of another conversation's work. */
function stalled(
  { bindings, at }: PoolSnapshot,
  queue: readonly Waiting[],
): number {
  let count = 0;
  for (const { facts } of queue) {
    const { conversation, parent, isSide } = facts;
    if (conversation === null || parent !== null || isSide) continue;
    const binding = bindings.get(conversation);
    if (binding === undefined || at - binding.lastUsedAt > ACTIVE_MS) count++;
  }
  return count;
}

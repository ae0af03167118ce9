/**
 * How many conversations there are, where, and who waits: counted once for a
 * picture of the pool, however many requests ask.
 *
 * @module
 */

import type { AccountId } from "./account.ts";
import type { PoolSnapshot, Waiting } from "./state.ts";
import { ACTIVE_MS } from "./sweep.ts";
import { type Instant, later } from "./time.ts";

export interface Headcount {
  /** Conversations seen within the last ten minutes. */
  readonly active: number;
  /** Conversations used so lately that they count as warm. */
  readonly warm: number;
  /** When the last of them came to the account; null while there is none. */
  readonly boundAt: Instant | null;
}

export interface Census {
  readonly byAccount: ReadonlyMap<AccountId, Headcount>;
  /** Active conversations of the whole pool. */
  readonly active: number;
  readonly warm: number;
  /** Conversations that wait and are not active, for whatever reason. */
  readonly stalled: number;
  /** All who wait, first come first. */
  readonly queue: readonly Waiting[];
}

export const NOBODY: Headcount = { active: 0, warm: 0, boundAt: null };

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

interface Counted {
  readonly waiting: PoolSnapshot["waiting"];
  readonly settings: PoolSnapshot["settings"];
  readonly at: Instant;
  readonly census: Census;
}

/** The last count of each table of bindings; requests that wait ask at once. */
const counted = new WeakMap<PoolSnapshot["bindings"], Counted>();

/** The census of `snapshot`. */
export function census(snapshot: PoolSnapshot): Census {
  const { bindings, waiting, settings, at } = snapshot;
  const known = counted.get(bindings);
  const isSame = known !== undefined && known.at === at &&
    known.waiting === waiting && known.settings === settings;
  if (isSame) return known.census;
  const fresh = count(snapshot);
  counted.set(bindings, { waiting, settings, at, census: fresh });
  return fresh;
}

function count(snapshot: PoolSnapshot): Census {
  const { bindings, waiting, settings, at } = snapshot;
  const byAccount = new Map<AccountId, Writable<Headcount>>();
  let active = 0;
  let warm = 0;
  bindings.forEach(({ accountId, lastUsedAt, boundAt }) => {
    const ageMs = at - lastUsedAt;
    if (ageMs > ACTIVE_MS) return;
    let heads = byAccount.get(accountId);
    if (heads === undefined) {
      heads = { ...NOBODY };
      byAccount.set(accountId, heads);
    }
    heads.active++;
    heads.boundAt = later(heads.boundAt, boundAt);
    active++;
    if (ageMs >= settings.paceWarmMs) return;
    heads.warm++;
    warm++;
  });
  const queue = waiting.size === 0
    ? []
    : [...waiting.values()].sort((a, b) => a.order - b.order);
  return { byAccount, active, warm, stalled: stalled(snapshot, queue), queue };
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

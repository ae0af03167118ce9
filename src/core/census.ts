/**
 * How many conversations there are, where, and who waits: counted once for a
 * picture of the pool, however many requests ask.
 *
 * @module
 */

import type { AccountId } from "./account.ts";
import type { PoolSnapshot, Waiting } from "./state.ts";
import { ACTIVE_MS } from "./sweep.ts";
import type { Instant } from "./time.ts";

export interface Headcount {
  /** Conversations seen within the last ten minutes. */
  readonly active: number;
  /** Conversations used so lately that they count as warm. */
  readonly warm: number;
}

export interface Census {
  readonly byAccount: ReadonlyMap<AccountId, Headcount>;
  /** Active conversations of the whole pool. */
  readonly active: number;
  readonly warm: number;
  readonly parked: number;
  /** All who wait, first come first. */
  readonly queue: readonly Waiting[];
}

export const NOBODY: Headcount = { active: 0, warm: 0 };

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

function count({ bindings, waiting, settings, at }: PoolSnapshot): Census {
  const byAccount = new Map<AccountId, { active: number; warm: number }>();
  let active = 0;
  let warm = 0;
  bindings.forEach(({ accountId, lastUsedAt }) => {
    const ageMs = at - lastUsedAt;
    if (ageMs > ACTIVE_MS) return;
    let heads = byAccount.get(accountId);
    if (heads === undefined) {
      heads = { active: 0, warm: 0 };
      byAccount.set(accountId, heads);
    }
    heads.active++;
    active++;
    if (ageMs >= settings.paceWarmMs) return;
    heads.warm++;
    warm++;
  });
  const queue = waiting.size === 0
    ? []
    : [...waiting.values()].sort((a, b) => a.order - b.order);
  const parked = queue.filter((w) => w.reason === "parked").length;
  return { byAccount, active, warm, parked, queue };
}

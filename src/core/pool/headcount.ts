/**
 * Counts conversations per account, and orders the requests that wait. Every
 * request asks for both, and between two requests only one binding changes, so
 * each count starts from the last one.
 *
 * @module
 */

import type { AccountId, ConversationId } from "../account.ts";
import type { Binding } from "./session.ts";
import type { RouteSettings } from "../settings.ts";
import type { Parked, PoolSnapshot, Waiting } from "./state.ts";
import { ACTIVE_MS } from "./sweep.ts";
import { type Instant, MINUTE_MS } from "../time.ts";

export interface Headcount {
  /** Conversations seen within the last ten minutes. */
  readonly active: number;
  /** Conversations used recently enough that their cache counts as warm. */
  readonly warm: number;
}

export const NOBODY: Headcount = { active: 0, warm: 0 };

type Bindings = PoolSnapshot["bindings"];

export interface Heads {
  readonly byAccount: ReadonlyMap<AccountId, Headcount>;
  readonly active: number;
  readonly warm: number;
}

/**
 * A count, and until when no conversation in it changes its class by age alone.
 */
interface Counted extends Heads {
  readonly bindings: Bindings;
  readonly at: Instant;
  readonly until: number;
}

/** The last count of each pool, from which the next one starts. */
const counted = new WeakMap<RouteSettings, Counted>();

/** Returns the conversations per account at the snapshot's instant. */
export function headcount(
  { bindings, settings, at }: PoolSnapshot,
): Heads {
  const last = counted.get(settings);
  const known = last !== undefined && at >= last.at && at < last.until
    ? last
    : null;
  const tally = new HeadTally(known, at, settings.paceWarmMs);
  if (known === null) bindings.forEach((binding) => tally.add(binding, 1));
  else bindings.compare(known.bindings, (one, sign) => tally.add(one, sign));
  const { byAccount, active, warm, until } = tally;
  const fresh = { bindings, at, byAccount, active, warm, until };
  counted.set(settings, fresh);
  return fresh;
}

class HeadTally {
  readonly byAccount: Map<AccountId, Headcount>;
  active: number;
  warm: number;
  until: number;
  readonly #at: Instant;
  readonly #warmMs: number;

  constructor(known: Counted | null, at: Instant, warmMs: number) {
    this.byAccount = new Map(known?.byAccount);
    this.active = known?.active ?? 0;
    this.warm = known?.warm ?? 0;
    this.until = known?.until ?? Infinity;
    this.#at = at;
    this.#warmMs = warmMs;
  }

  add({ accountId, lastUsedAt }: Binding, sign: 1 | -1): void {
    const ageMs = this.#at - lastUsedAt;
    if (ageMs > ACTIVE_MS) return;
    const isWarm = ageMs < this.#warmMs;
    const heads = this.byAccount.get(accountId) ?? NOBODY;
    const warm = isWarm ? sign : 0;
    const active = heads.active + sign;
    if (active === 0) this.byAccount.delete(accountId);
    else this.byAccount.set(accountId, { active, warm: heads.warm + warm });
    this.active += sign;
    this.warm += warm;
    if (sign < 0) return;
    // A conversation that is exactly ten minutes old still counts as active.
    const idleAt = lastUsedAt + ACTIVE_MS + 1;
    const coldAt = isWarm ? lastUsedAt + this.#warmMs : idleAt;
    this.until = Math.min(this.until, idleAt, coldAt);
  }
}

export interface Census extends Heads {
  /** Conversations that wait and are not active, for whatever reason. */
  readonly stalled: number;
  /** All waiting requests, first come first. */
  readonly queue: readonly Waiting[];
}

interface CountedCensus {
  readonly bindings: PoolSnapshot["bindings"];
  readonly waiting: PoolSnapshot["waiting"];
  readonly parked: PoolSnapshot["parked"];
  readonly at: Instant;
  readonly census: Census;
}

/**
 * The last census of each pool. Waiting requests ask at the same instant. (A
 * memory by the table of bindings would get an entry with each request, and the
 * collector would have to look through them.)
 */
const lastCensus = new WeakMap<RouteSettings, CountedCensus>();

/** Returns the census of `snapshot`, counted once however many requests ask. */
export function census(snapshot: PoolSnapshot): Census {
  const { bindings, waiting, parked, settings, at } = snapshot;
  const known = lastCensus.get(settings);
  const isSame = known !== undefined && known.at === at &&
    known.waiting === waiting && known.parked === parked &&
    known.bindings === bindings;
  if (isSame) return known.census;
  const queue = queueOf(waiting, known);
  const fresh: Census = {
    ...headcount(snapshot),
    stalled: stalled(snapshot, queue),
    queue,
  };
  lastCensus.set(settings, { bindings, waiting, parked, at, census: fresh });
  return fresh;
}

/** Time alone does not change the order, so a queue is sorted once. */
function queueOf(
  waiting: PoolSnapshot["waiting"],
  known: CountedCensus | undefined,
): readonly Waiting[] {
  if (known?.waiting === waiting) return known.census.queue;
  return waiting.size === 0
    ? []
    : [...waiting.values()].sort((a, b) => a.order - b.order);
}

/**
 * How long after its turn a parked conversation may come and still counts as
 * waiting. Claude Code comes within a minute and a half.
 */
const LATE_MS = 5 * MINUTE_MS;

/** Returns whether a parked conversation is still expected at its turn. */
export function isExpected({ turnAt }: Parked, at: Instant): boolean {
  return at <= turnAt + LATE_MS;
}

/**
 * Counts conversations that wait and are not active: with a request held, or
 * parked until their turn. Sub-agents and side requests belong to another
 * conversation's work and are left out.
 */
function stalled(
  { bindings, parked, at }: PoolSnapshot,
  queue: readonly Waiting[],
): number {
  const found = new Set<ConversationId>();
  for (const { facts } of queue) {
    const { conversation, parent, isSide } = facts;
    if (conversation === null || parent !== null || isSide) continue;
    found.add(conversation);
  }
  parked.forEach((one, conversation) => {
    if (isExpected(one, at)) found.add(conversation);
  });
  let count = 0;
  for (const conversation of found) {
    const binding = bindings.get(conversation);
    if (binding === undefined || at - binding.lastUsedAt > ACTIVE_MS) count++;
  }
  return count;
}

/**
 * Counts conversations per account, and orders the requests that wait. Every
 * request asks for both, and between two requests only one binding changes, so
 * each count starts from the last one.
 *
 * @module
 */

import type { AccountId, ConversationId } from "../account.ts";
import type { ElsewhereCount } from "./event.ts";
import type { Binding } from "./session.ts";
import type { RouteSettings } from "../settings.ts";
import type { Headcount, Parked, PoolSnapshot, Waiting } from "./state.ts";
import { ACTIVE_MS } from "./sweep.ts";
import { type Instant, MINUTE_MS } from "../time.ts";

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
  readonly elsewhere: PoolSnapshot["elsewhere"];
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
  const { bindings, waiting, parked, elsewhere, settings, at } = snapshot;
  const known = lastCensus.get(settings);
  const isSame = known !== undefined && known.at === at &&
    known.waiting === waiting && known.parked === parked &&
    known.bindings === bindings && known.elsewhere === elsewhere;
  if (isSame) return known.census;
  const queue = queueOf(waiting, known);
  const fresh: Census = {
    ...withElsewhere(headcount(snapshot), elsewhere),
    stalled: stalled(snapshot, queue) + elsewhere.stalled,
    queue,
  };
  lastCensus.set(settings, {
    bindings,
    waiting,
    parked,
    elsewhere,
    at,
    census: fresh,
  });
  return fresh;
}

/** Adds the conversations of other machines: the quota feeds all of them. */
function withElsewhere(
  heads: Heads,
  { accounts }: PoolSnapshot["elsewhere"],
): Heads {
  if (accounts.size === 0) return heads;
  const byAccount = new Map(heads.byAccount);
  let { active, warm } = heads;
  for (const [id, there] of accounts) {
    const here = byAccount.get(id) ?? NOBODY;
    byAccount.set(id, {
      active: here.active + there.active,
      warm: here.warm + there.warm,
    });
    active += there.active;
    warm += there.warm;
  }
  return { byAccount, active, warm };
}

/** What a machine tells the others of one account. */
interface OwnCount extends Headcount {
  readonly inFlight: number;
  /** Quota tokens booked since the server started. */
  readonly booked: number;
}

/** What a machine tells the others. */
export interface OwnCounts {
  readonly accounts: Readonly<Record<string, OwnCount>>;
  readonly stalled: number;
}

/** Returns what this machine does, without the others. */
export function ownCounts(snapshot: PoolSnapshot): OwnCounts {
  const { byAccount } = headcount(snapshot);
  const accounts: Record<string, OwnCount> = {};
  for (const [id, { leases, booked }] of snapshot.accounts) {
    const heads = byAccount.get(id) ?? NOBODY;
    if (leases === 0 && booked === 0 && heads.active === 0) continue;
    accounts[id] = { inFlight: leases, booked, ...heads };
  }
  const queue = queueOf(snapshot.waiting, lastCensus.get(snapshot.settings));
  return { accounts, stalled: stalled(snapshot, queue) };
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

/** What another machine said last. */
export interface MachineCounts extends OwnCounts {
  readonly machine: string;
}

/** What each machine had booked on each account when it last spoke. */
export type BookedBefore = ReadonlyMap<string, number>;

/**
 * Adds up what other machines do. `before` is what they had booked when they
 * were last heard, so that each token is evidence once; of a machine that was
 * never heard nothing counts, and a server that started again counts from 0.
 */
export function sumElsewhere(
  machines: readonly MachineCounts[],
  before: BookedBefore,
): {
  readonly accounts: ReadonlyMap<AccountId, ElsewhereCount>;
  readonly stalled: number;
  readonly booked: BookedBefore;
} {
  const accounts = new Map<AccountId, ElsewhereCount>();
  const all = new Map(before);
  let waiting = 0;
  for (const { machine, accounts: counts, stalled } of machines) {
    waiting += stalled;
    for (const [id, count] of Object.entries(counts)) {
      const key = `${machine} ${id}`;
      const last = before.get(key) ?? count.booked;
      all.set(key, count.booked);
      const known = accounts.get(id as AccountId) ?? NOTHING_COUNTED;
      accounts.set(id as AccountId, {
        inFlight: known.inFlight + count.inFlight,
        active: known.active + count.active,
        warm: known.warm + count.warm,
        tokens: known.tokens +
          (count.booked >= last ? count.booked - last : count.booked),
      });
    }
  }
  return { accounts, stalled: waiting, booked: all };
}

const NOTHING_COUNTED: ElsewhereCount = {
  inFlight: 0,
  active: 0,
  warm: 0,
  tokens: 0,
};

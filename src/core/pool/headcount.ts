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
import type {
  Headcount,
  Parked,
  Part,
  PoolSnapshot,
  Waiting,
} from "./state.ts";
import { ACTIVE_MS } from "./sweep.ts";
import { hashOf } from "./table.ts";
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
  /** Requests that wait for a place there; an older tc does not say. */
  readonly waiting?: number;
}

/** What a machine tells the others. */
export interface OwnCounts {
  readonly accounts: Readonly<Record<string, OwnCount>>;
  readonly stalled: number;
}

/** Returns what this machine does, without the others. */
export function ownCounts(snapshot: PoolSnapshot): OwnCounts {
  const { byAccount } = headcount(snapshot);
  const queue = queueOf(snapshot.waiting, lastCensus.get(snapshot.settings));
  const { anywhere, at } = waitersOf(snapshot, queue);
  const accounts: Record<string, OwnCount> = {};
  for (const [id, { leases, booked }] of snapshot.accounts) {
    const heads = byAccount.get(id) ?? NOBODY;
    const waiting = anywhere + (at.get(id) ?? 0);
    if (leases + booked + heads.active + waiting === 0) continue;
    accounts[id] = { inFlight: leases, booked, waiting, ...heads };
  }
  return { accounts, stalled: stalled(snapshot, queue) };
}

/** Counts the requests that wait for a place, at any account or at one. */
function waitersOf(
  { bindings }: PoolSnapshot,
  queue: readonly Waiting[],
): {
  readonly anywhere: number;
  readonly at: ReadonlyMap<AccountId, number>;
} {
  const at = new Map<AccountId, number>();
  let anywhere = 0;
  for (const { reason, facts: { conversation } } of queue) {
    if (reason === "full") anywhere++;
    if (reason !== "warm_account" || conversation === null) continue;
    const home = bindings.get(conversation)?.accountId;
    if (home !== undefined) at.set(home, (at.get(home) ?? 0) + 1);
  }
  return { anywhere, at };
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
 * Adds up what other machines do, beside what this one has told them, `own`.
 * `before` is what they had booked when they were last heard, so that each token
 * is evidence once; of a machine that was never heard nothing counts, and a
 * server that started again counts from 0.
 */
export function sumElsewhere(
  own: MachineCounts,
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
        part: null,
      });
    }
  }
  for (const [id, count] of accounts) {
    accounts.set(id, { ...count, part: partOf(id, own, machines) });
  }
  return { accounts, stalled: waiting, booked: all };
}

/**
 * Returns what is counted of machines that cannot be heard any more: nobody knows
 * of their requests in flight, and this machine keeps to an even part of each
 * account's places.
 */
export function unheard(
  accounts: ReadonlyMap<AccountId, ElsewhereCount>,
): ReadonlyMap<AccountId, ElsewhereCount> {
  return new Map([...accounts].map(([id, count]) => [id, {
    ...count,
    inFlight: 0,
    tokens: 0,
    part: count.part === null ? null : { ...count.part, told: 0 },
  }]));
}

const NOTHING_COUNTED: ElsewhereCount = {
  inFlight: 0,
  active: 0,
  warm: 0,
  tokens: 0,
  part: null,
};

/**
 * Returns this machine's part of the free places of an account; null if no other
 * machine has work there. All machines reckon it from the same words: those with
 * requests that wait come first, then those with fewer requests in flight.
 */
function partOf(
  id: AccountId,
  own: MachineCounts,
  machines: readonly MachineCounts[],
): Part | null {
  const others = machines.filter(({ accounts }) => isAtWork(accounts[id]));
  if (others.length === 0) return null;
  const before = others.filter((other) => goesBefore(other, own, id));
  return {
    told: own.accounts[id]?.inFlight ?? 0,
    machines: others.length + 1,
    place: before.length,
  };
}

function isAtWork(count: OwnCount | undefined): boolean {
  return count !== undefined &&
    (count.inFlight > 0 || count.active > 0 || (count.waiting ?? 0) > 0);
}

function goesBefore(
  one: MachineCounts,
  other: MachineCounts,
  id: AccountId,
): boolean {
  const [a, b] = [one.accounts[id], other.accounts[id]];
  const waits = Number((b?.waiting ?? 0) > 0) - Number((a?.waiting ?? 0) > 0);
  const fewer = waits || (a?.inFlight ?? 0) - (b?.inFlight ?? 0) ||
    // So that no machine is the first one at all accounts.
    hashOf(id + one.machine) - hashOf(id + other.machine);
  return fewer === 0 ? one.machine < other.machine : fewer < 0;
}

/**
 * How many conversations each account has, counted from the bindings. Every
 * request asks for it, and between two requests one binding changes: the count
 * of each bucket of the table is kept until the bucket or the time undoes it.
 *
 * @module
 */

import type { AccountId } from "./account.ts";
import type { PoolState } from "./state.ts";
import { ACTIVE_MS } from "./sweep.ts";
import type { Instant } from "./time.ts";

export interface Headcount {
  /** Conversations seen within the last ten minutes. */
  readonly active: number;
  /** Conversations used so lately that they count as warm. */
  readonly warm: number;
}

export const NOBODY: Headcount = { active: 0, warm: 0 };

type Bindings = PoolState["bindings"];
type Bucket = Bindings["buckets"][number];

export interface Heads {
  readonly byAccount: ReadonlyMap<AccountId, Headcount>;
  readonly active: number;
  readonly warm: number;
}

/** One bucket's count, with the time in which no conversation changes class. */
interface Counted {
  readonly warmMs: number;
  readonly from: Instant;
  readonly until: number;
  readonly heads: readonly (readonly [AccountId, Headcount])[];
}

/** A bucket never changes, so its count holds for as long as its time does. */
const counts = new WeakMap<Bucket, Counted>();

/** The conversations by account at `at`; warm ones were used within `warmMs`. */
export function headcount(
  { buckets }: Bindings,
  at: Instant,
  warmMs: number,
): Heads {
  const byAccount = new Map<AccountId, Headcount>();
  let active = 0;
  let warm = 0;
  for (const bucket of buckets) {
    if (bucket.length === 0) continue;
    for (const [accountId, heads] of countOf(bucket, at, warmMs).heads) {
      add(byAccount, accountId, heads);
      active += heads.active;
      warm += heads.warm;
    }
  }
  return { byAccount, active, warm };
}

function countOf(bucket: Bucket, at: Instant, warmMs: number): Counted {
  const known = counts.get(bucket);
  const isValid = known !== undefined && known.warmMs === warmMs &&
    at >= known.from && at < known.until;
  if (isValid) return known;
  const byAccount = new Map<AccountId, Headcount>();
  let until = Infinity;
  for (const [, { accountId, lastUsedAt }] of bucket) {
    const ageMs = at - lastUsedAt;
    if (ageMs > ACTIVE_MS) continue;
    const isWarm = ageMs < warmMs;
    add(byAccount, accountId, { active: 1, warm: isWarm ? 1 : 0 });
    // An age of exactly ten minutes still counts as active.
    const idleAt = lastUsedAt + ACTIVE_MS + 1;
    until = Math.min(until, isWarm ? lastUsedAt + warmMs : idleAt, idleAt);
  }
  const counted = { warmMs, from: at, until, heads: [...byAccount] };
  counts.set(bucket, counted);
  return counted;
}

function add(
  byAccount: Map<AccountId, Headcount>,
  accountId: AccountId,
  { active, warm }: Headcount,
): void {
  const heads = byAccount.get(accountId) ?? NOBODY;
  byAccount.set(accountId, {
    active: heads.active + active,
    warm: heads.warm + warm,
  });
}

/**
 * Ids that exist under one account only: files, batches, containers, skills,
 * threads. A request that names one must go to the account that made it.
 *
 * @module
 */

import type { AccountId } from "../account.ts";
import type { Table } from "./table.ts";
import { type Instant, MINUTE_MS } from "../time.ts";

/** An id and the account that it belongs to. */
interface OwnedId {
  /** Null if every account was asked and none has it. */
  readonly accountId: AccountId | null;
  readonly at: Instant;
}

export type OwnedIds = Table<string, OwnedId>;

/**
 * Past this count the oldest ids are forgotten; an unknown id is looked for
 * again.
 */
const IDS_MAX = 5_000;

/** An id that no account had may be created meanwhile: ask again after this. */
const NOBODYS_MS = 5 * MINUTE_MS;

/** Returns `ids` with one more observation of where an id belongs. */
export function withOwner(
  ids: OwnedIds,
  id: string,
  owned: OwnedId,
): OwnedIds {
  const known = ids.get(id);
  if (known !== undefined && known.accountId === owned.accountId) {
    if (known.accountId !== null) return ids;
  }
  const next = ids.with(id, owned);
  if (next.size <= IDS_MAX) return next;
  let oldest: readonly [string, Instant] | null = null;
  next.forEach(({ at }, key) => {
    if (oldest === null || at < oldest[1]) oldest = [key, at];
  });
  return oldest === null ? next : next.without(oldest[0]);
}

/**
 * Returns what is known of an id at `at`: its account, that no account has it,
 * or nothing.
 */
export function ownerOf(
  ids: OwnedIds,
  id: string,
  at: Instant,
): AccountId | "nobody" | null {
  const known = ids.get(id);
  if (known === undefined) return null;
  if (known.accountId !== null) return known.accountId;
  return at - known.at < NOBODYS_MS ? "nobody" : null;
}

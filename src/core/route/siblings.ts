/**
 * Sub-agents that start together share their tools and prompts. The provider
 * lets a cache be read once the answer that writes it has begun, so those that
 * start at once would each write the same. One writes, and the others wait for
 * its answer to begin.
 *
 * @module
 */

import type { AccountId } from "../account.ts";
import type { RouteQuery } from "../facts.ts";
import { type Binding, sharedKey } from "../pool/session.ts";
import type { PoolSnapshot } from "../pool/state.ts";
import { after, type Instant, SECOND_MS } from "../time.ts";

/** When the wait for another sub-agent's answer is over, by account. */
export type Writing = ReadonlyMap<AccountId, Instant>;

const NOTHING: Writing = new Map();

/** An answer mostly begins within three seconds; longer is not waited for. */
const WRITING_MS = 4 * SECOND_MS;

/**
 * After so many sub-agents in a row that found nothing in a cache that should
 * have held their prompt, it is not shared, and nobody waits for it.
 */
const MISSES_MAX = 3;

/**
 * Returns the accounts on which another sub-agent is just writing the prompt
 * that `query` shares with it; none if it is no sub-agent that starts.
 */
export function writingShared(
  { leases, at, flow, settings }: PoolSnapshot,
  query: RouteQuery,
  binding: Binding | null,
): Writing {
  const isStart = query.parent !== null && binding === null && !query.isSide;
  if (!isStart || query.waitedMs >= WRITING_MS) return NOTHING;
  if (settings.warmWaitMaxMs <= 0 || flow.sharedMisses >= MISSES_MAX) {
    return NOTHING;
  }
  const key = sharedKey(query);
  let found: Map<AccountId, Instant> | null = null;
  leases.forEach(({ accountId, facts, openedAt }) => {
    const until = after(openedAt, WRITING_MS);
    if (until <= at || facts.isSide || !facts.isMetered) return;
    if (sharedKey(facts) !== key) return;
    found ??= new Map();
    const known = found.get(accountId) ?? until;
    found.set(accountId, known < until ? known : until);
  });
  return found ?? NOTHING;
}

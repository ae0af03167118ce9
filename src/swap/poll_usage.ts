/**
 * Polls the usage of several accounts at once. If a poll fails, the account's
 * usage is unknown; it never counts as used up.
 *
 * @module
 */

import { AccountCredential } from "../auth/account_credential.ts";
import { within } from "../auth/renewal.ts";
import { isOAuth } from "../auth/provider.ts";
import { type ObservedUsage, observeUsage } from "../auth/usage.ts";
import type { AccountId } from "../core/account.ts";
import type { QuotaObservation } from "../core/quota/quota.ts";
import { SECOND_MS } from "../core/time.ts";
import type { Locks, Secret } from "../ports.ts";
import type { AccountRecord } from "../store/accounts.ts";
import { seenUsage } from "./choose.ts";
import type { SeenUsage, SwapPorts } from "./swap_state.ts";
import { reasonOf } from "../errors.ts";

/** Time limit: a hook waits for the answers. */
const LIMIT_MS = 10 * SECOND_MS;

export type Polled =
  | {
    readonly kind: "known";
    readonly record: AccountRecord;
    readonly observation: QuotaObservation;
  }
  | {
    readonly kind: "unknown";
    readonly record: AccountRecord;
    readonly reason: string;
  };

/** Returns whether Claude Code can hold the account's login. */
export function isSwappable({ account }: AccountRecord): boolean {
  return account.kind === "subscription" && account.enabled;
}

/** Polls all of `records` at the same time and stores the answers. */
export async function pollUsage(
  records: readonly AccountRecord[],
  ports: SwapPorts,
): Promise<readonly Polled[]> {
  const polled = await Promise.all(
    records.map((record) => poll(record, ports)),
  );
  const seen: Record<string, SeenUsage> = {};
  for (const result of polled) {
    if (result.kind !== "known") continue;
    seen[result.record.account.id] = seenUsage(result.observation);
  }
  const askedAt = ports.clock.now();
  await ports.memory.update((state) => ({
    ...state,
    askedAt,
    usage: { ...state.usage, ...seen },
  }));
  return polled;
}

async function poll(record: AccountRecord, ports: SwapPorts): Promise<Polled> {
  const { clock } = ports;
  const stop = new AbortController();
  const asking = ask(record.account.id, ports, stop.signal);
  try {
    const outcome = await within(asking, {
      clock,
      signal: stop.signal,
      limitMs: LIMIT_MS,
    });
    if (outcome?.kind === "known") {
      return { kind: "known", record, observation: outcome.observation };
    }
    const reason = outcome === null
      ? "no answer in time"
      : outcome.kind === "refused"
      ? "the provider refuses its token"
      : outcome.reason;
    return { kind: "unknown", record, reason };
  } catch (error) {
    const reason = reasonOf(error);
    return { kind: "unknown", record, reason };
  } finally {
    stop.abort();
    // A token that is being renewed must have its successor on disk before this
    // returns: the process may end right after.
    await asking.catch(() => {});
  }
}

async function ask(
  id: AccountId,
  ports: SwapPorts,
  signal: AbortSignal,
): Promise<ObservedUsage> {
  const account = new AccountCredential(id, {
    ...ports,
    locks: stoppable(ports.locks, signal),
  });
  try {
    const token = await tokenOf(account, null);
    if (token === null) return { kind: "refused" };
    const outcome = await observeUsage({ id, token }, ports, signal);
    if (outcome.kind !== "refused") return outcome;
    const next = await tokenOf(account, token);
    return next === null
      ? outcome
      : await observeUsage({ id, token: next }, ports, signal);
  } finally {
    await account.close();
  }
}

async function tokenOf(
  account: AccountCredential,
  refused: Secret | null,
): Promise<Secret | null> {
  const renewal = await account.renew(refused);
  const entry = renewal.kind === "usable"
    ? renewal.entry
    : renewal.kind === "failed" && refused === null
    ? await account.entry()
    : null;
  return entry !== null && isOAuth(entry) ? entry.credential.accessToken : null;
}

/** Returns `locks` without a long wait for another process's renewal. */
function stoppable(locks: Locks, signal: AbortSignal): Locks {
  return {
    acquire: (name, wait) => locks.acquire(name, { ...wait, signal }),
  };
}

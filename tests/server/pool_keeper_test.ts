/** PoolKeeper: who waits for a change, and what those see who are woken. */

import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { PoolKeeper } from "../../src/server/worker/pool_keeper.ts";
import { after, HOUR_MS, type Instant } from "../../src/core/time.ts";
import type { Clock } from "../../src/ports.ts";
import { ManualClock } from "../fixtures/manual_clock.ts";
import { account, accountId, NOW, poolOf, query } from "../fixtures/pool.ts";
import { realEntropy } from "../fixtures/real_ports.ts";

/** A millisecond passes with each look at it. */
class TickingClock implements Clock {
  looks = 0;

  now(): Instant {
    return after(NOW, this.looks++);
  }

  monotonicMs(): number {
    return this.looks;
  }

  sleep(_ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason));
    });
  }
}

const NEVER = after(NOW, 3_600_000);

/** What each of `count` who wait sees when it is woken, in their order. */
async function seenBy(
  count: number,
  decide: (keeper: PoolKeeper, index: number) => void,
): Promise<{ readonly seen: readonly Instant[]; readonly keeper: PoolKeeper }> {
  const pool = poolOf([{ account: account("a") }]);
  const keeper = new PoolKeeper(pool, new TickingClock(), realEntropy);
  const stop = new AbortController();
  const seen: Instant[] = [];
  const waits = Array.from({ length: count }, async (_, index) => {
    await keeper.changed(NEVER, stop.signal);
    seen.push(keeper.snapshot().at);
    decide(keeper, index);
  });
  keeper.dispatch({ kind: "pinned", accountId: accountId("a") });
  await Promise.all(waits);
  return { seen, keeper };
}

Deno.test("waiters that are woken together decide at one instant", async () => {
  const { seen, keeper } = await seenBy(5, () => {});
  strictEqual(new Set(seen).size, 1);
  const [first] = seen;
  ok(first !== undefined);
  // Afterwards time goes on for everybody.
  const later = [keeper.snapshot().at, keeper.snapshot().at];
  const [next = first, last = first] = later;
  ok(first < next && next < last);
});

Deno.test("a waiter that changes the pool moves the instant of those behind it", async () => {
  const opened: Instant[] = [];
  const { seen } = await seenBy(4, (keeper, index) => {
    if (index !== 1) return;
    keeper.listen((event) => {
      if (event.kind === "lease_opened") opened.push(event.at);
    });
    keeper.openLease(accountId("a"), query());
  });
  const [first, second, third, fourth] = seen;
  strictEqual(first, second);
  strictEqual(third, fourth);
  const [at] = opened;
  ok(at !== undefined && third !== undefined && third >= at);
});

Deno.test("changed() ends with its signal, and wakes nobody else", async () => {
  const pool = poolOf([{ account: account("a") }]);
  const keeper = new PoolKeeper(pool, new TickingClock(), realEntropy);
  const leaving = new AbortController();
  const staying = new AbortController();
  const ends: string[] = [];
  const left = keeper.changed(NEVER, leaving.signal)
    .catch(() => ends.push("left"));
  const stayed = keeper.changed(NEVER, staying.signal)
    .then(() => ends.push("woken"));
  leaving.abort(new Error("gone"));
  await left;
  deepStrictEqual(ends, ["left"]);
  keeper.dispatch({ kind: "pinned", accountId: accountId("a") });
  await stayed;
  deepStrictEqual(ends, ["left", "woken"]);
});

Deno.test("the first read after the clock was set back sees the pool adjusted", () => {
  const clock = new ManualClock();
  const pool = poolOf([{ account: account("a") }]);
  const keeper = new PoolKeeper(pool, clock, realEntropy);
  const lease = keeper.openLease(accountId("a"), query());
  const until = after(clock.now(), 5_000);
  keeper.judge(lease, { kind: "throttled", until, isStated: true });
  clock.suspend(-8 * HOUR_MS);
  const seen = keeper.snapshot();
  const bench = seen.accounts.get(accountId("a"))?.bench;
  strictEqual(seen.at, clock.now());
  ok(bench?.kind === "benched");
  strictEqual(bench.until - seen.at, 5_000);
});

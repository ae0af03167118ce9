import { deepStrictEqual } from "node:assert/strict";
import fc from "fast-check";
import type { AccountId, ConversationId } from "../../src/core/account.ts";
import { headcount, type Heads } from "../../src/core/pool/headcount.ts";
import type { Binding } from "../../src/core/pool/session.ts";
import { DEFAULT_ROUTE_SETTINGS } from "../../src/core/settings.ts";
import type { PoolSnapshot } from "../../src/core/pool/state.ts";
import { Table } from "../../src/core/pool/table.ts";
import { instantFromMs } from "../../src/core/time.ts";
import { trials } from "../fixtures/trials.ts";

const ACTIVE_MS = 600_000;
const WARM_MS = 300_000;
const START = instantFromMs(1_760_000_000_000);

function binding(account: string, lastUsedAt: number): Binding {
  return {
    accountId: account as AccountId,
    lastUsedAt: instantFromMs(lastUsedAt),
  } as unknown as Binding;
}

/** The count with nothing remembered. */
function plainCount(
  bindings: Table<ConversationId, Binding>,
  at: number,
): Heads {
  const byAccount = new Map<AccountId, { active: number; warm: number }>();
  let active = 0;
  let warm = 0;
  for (const { accountId, lastUsedAt } of bindings.values()) {
    if (at - lastUsedAt > ACTIVE_MS) continue;
    const heads = byAccount.get(accountId) ?? { active: 0, warm: 0 };
    const isWarm = at - lastUsedAt < WARM_MS;
    heads.active++;
    heads.warm += Number(isWarm);
    byAccount.set(accountId, heads);
    active++;
    warm += Number(isWarm);
  }
  return { byAccount, active, warm };
}

Deno.test("headcount() equals the plain count after any bindings and times", () => {
  const step = fc.record({
    conversation: fc.integer({ min: 0, max: 40 }).map((n) => `c${n}`),
    account: fc.constantFrom("a", "b", "c"),
    passMs: fc.integer({ min: 0, max: 400_000 }),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let bindings = Table.of<ConversationId, Binding>();
      let at: number = START;
      const settings = { ...DEFAULT_ROUTE_SETTINGS, paceWarmMs: WARM_MS };
      for (const { conversation, account, passMs } of steps) {
        bindings = bindings.with(
          conversation as ConversationId,
          binding(account, at),
        );
        at += passMs;
        const counted = headcount({
          bindings,
          settings,
          at: instantFromMs(at),
        } as PoolSnapshot);
        const plain = plainCount(bindings, at);
        deepStrictEqual(
          new Map(
            [...counted.byAccount].filter(([, { active }]) => active > 0)
              .sort(),
          ),
          new Map([...plain.byAccount].sort()),
        );
        deepStrictEqual([counted.active, counted.warm], [
          plain.active,
          plain.warm,
        ]);
      }
    }),
    { numRuns: trials(200, 2_000) },
  );
});

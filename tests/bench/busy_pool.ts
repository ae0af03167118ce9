/** The pool on which the cost of a decision is measured. */

import { reduce } from "../../src/core/pool/pool.ts";
import type { PoolState } from "../../src/core/pool/state.ts";
import { after } from "../../src/core/time.ts";
import {
  account,
  closed,
  conversationId,
  judged,
  NOW,
  opened,
  poolOf,
  quotaWindow,
} from "../fixtures/pool.ts";

export const ACCOUNTS = 20;
export const CONVERSATIONS = 500;

export function nameOf(index: number): string {
  return `account${index}`;
}

/** The pool after each conversation has had two answers, five minutes back. */
export function busyPool(): PoolState {
  let state = poolOf(Array.from({ length: ACCOUNTS }, (_, index) => ({
    account: account(nameOf(index)),
    windows: [
      quotaWindow("5h", (index * 4) / 100),
      quotaWindow("7d", (index * 3) / 100),
      quotaWindow("7d_oi", 0.2, { family: "fable" }),
    ],
  })));
  for (let index = 0; index < 2 * CONVERSATIONS; index++) {
    const lease = `l${index}`;
    const at = after(NOW, index * 100);
    const conversation = conversationId(`c${index % CONVERSATIONS}`);
    const facts = { conversation, contextTokens: 60_000 };
    for (
      const event of [
        opened(lease, nameOf(index % ACCOUNTS), facts, at),
        judged(lease, { kind: "served" }, at),
        ...(index % 10 === 0
          ? []
          : [closed(lease, { cacheWrite5m: 60_000, output: 500 }, at)]),
      ]
    ) state = reduce(state, event);
  }
  return state;
}

/** When the last of them was answered. */
export const BUSY_UNTIL = after(NOW, 2 * CONVERSATIONS * 100);

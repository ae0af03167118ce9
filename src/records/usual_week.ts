/**
 * The usual week of the pool's person, from the ledger and from what was read
 * in transcripts.
 *
 * @module
 */

import { modelFamily } from "../core/account.ts";
import type { Zone } from "../core/calendar.ts";
import { type Habit, HABIT_MS, habitOf } from "../core/quota/habit.ts";
import { quotaTokens } from "../core/usage.ts";
import { historyByPart } from "../store/history/history_report.ts";
import { ledgerSince, spendByPart } from "../store/ledger/ledger_report.ts";
import type { SpendSources } from "./spend_report.ts";

const OF = { key: "quarter", part: "model" } as const;

/** Returns the usual week before `now`, or null if there was too little work. */
export function usualWeek(
  { ledger, history }: Pick<SpendSources, "ledger" | "history">,
  { now, zone, cacheReadWeight }: {
    readonly now: number;
    readonly zone: Zone;
    readonly cacheReadWeight: number;
  },
): Habit | null {
  const span = { fromMs: now - HABIT_MS, untilMs: now };
  const tcSinceMs = ledger === null ? Infinity : ledgerSince(ledger);
  const rows = [
    ...ledger === null ? [] : spendByPart(ledger, OF, span),
    ...history === null ? [] : historyByPart(history, OF, { span, tcSinceMs }),
  ];
  const work = rows.map(({ key, part: model, spend }) => ({
    at: Number(key),
    tokens: quotaTokens(
      spend,
      model === null ? null : modelFamily(model),
      cacheReadWeight,
    ),
  }));
  return habitOf(work, { now, zone });
}

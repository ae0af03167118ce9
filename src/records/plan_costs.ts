/**
 * Finds since when each account was in the pool and what its plan covered, so
 * that a report can set the price of the plan beside it.
 *
 * @module
 */

import type { DatabaseSync } from "node:sqlite";
import type { PlanUse } from "../control/history/plan_view.ts";
import { hasPlan, type PlanAccount } from "../core/plans.ts";
import {
  accountSeenBefore,
  type AccountWorth,
  type TimeSpan,
  worthByAccount,
} from "../store/ledger/ledger_report.ts";
import { readLabels } from "../store/ledger/pool_store.ts";
import { windowsSince } from "../store/ledger/window_history.ts";

const NANODOLLARS = 1_000_000_000;

/**
 * Returns the plans that were in the pool within the span, those of removed
 * accounts last. An account counts from its first request or its first known
 * window on: nothing says when it came before that.
 */
export function planUses(
  ledger: DatabaseSync,
  accounts: readonly PlanAccount[],
  { span, nowMs }: { readonly span: TimeSpan; readonly nowMs: number },
): readonly PlanUse[] {
  const untilMs = Math.min(span.untilMs, nowMs);
  const rows = new Map(
    worthByAccount(ledger, span).map((row) => [row.account, row]),
  );
  const present = accounts.filter(hasPlan).flatMap((account) => {
    const row = rows.get(account.id);
    const first = accountSeenBefore(ledger, account.id, span.fromMs)
      ? span.fromMs
      : Math.min(
        row?.firstAt ?? Infinity,
        windowsSince(ledger, account.id) ?? Infinity,
      );
    const fromMs = Math.max(first, span.fromMs);
    if (fromMs >= untilMs) return [];
    const worthUsd = row === undefined ? 0 : worthOf(row);
    return [{ account, isRemoved: false, fromMs, untilMs, worthUsd }];
  });
  const known = new Set(accounts.map(({ id }) => id));
  const labels = readLabels(ledger);
  const removed = [...rows].flatMap(([id, row]) => {
    const worthUsd = worthOf(row);
    // An account that only paid by the token had no plan.
    if (known.has(id) || worthUsd === 0) return [];
    return [{
      account: {
        id,
        label: labels[id] ?? id,
        kind: "subscription",
        tier: "unknown",
        ownUsdPerMonth: null,
      } as const,
      isRemoved: true,
      fromMs: Math.max(row.firstAt, span.fromMs),
      untilMs: Math.min(row.lastAt, untilMs),
      worthUsd,
    }];
  });
  return [...present, ...removed];
}

/** Returns what the plan covered in dollars; null if nothing has a price. */
function worthOf(
  { costNano, paidNano, unpriced }: AccountWorth,
): number | null {
  if (costNano === 0 && unpriced > 0) return null;
  return Math.max(0, costNano - paidNano) / NANODOLLARS;
}

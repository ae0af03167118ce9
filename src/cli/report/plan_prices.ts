/**
 * `tc prices plan`: prints what each account's plan costs a month, and takes
 * what a person really pays.
 *
 * @module
 */

import { inert, planText, tierText } from "../../control/words.ts";
import type { AccountFactsView } from "../../control/protocol.ts";
import type { AccountKind, Tier } from "../../core/account.ts";
import {
  hasPlan,
  PLAN_PRICE_MAX,
  PLAN_PRICES,
  type PlanAccount,
  planPrice,
} from "../../core/plans.ts";
import { EXIT, UsageError } from "../../errors.ts";
import { systemClock } from "../../system/clock.ts";
import { changeAccount, listAccounts } from "../accounts/account_work.ts";
import type { Shell } from "../shell.ts";
import { cellLines } from "../table.ts";

const SCHEMA = "tc.plan_prices/v1";
const HINT = "tc prices plan work 150   states what you pay a month";

/**
 * Prints the plans of all accounts or of `wanted`, or states the price of one.
 * Throws UsageError for an unknown account or a price that is no amount.
 */
export async function planPrices(
  shell: Shell,
  wanted: string | undefined,
  dollars: string | undefined,
): Promise<number> {
  if (wanted !== undefined && dollars !== undefined) {
    const price = priceOf(dollars);
    return await changeAccount(shell, {
      wanted,
      change: { planPrice: price },
      schema: SCHEMA,
      told: (label) =>
        price === null
          ? `${label}: no own price, the list's counts.`
          : `${label}: its plan costs $${price} a month.`,
    });
  }
  const { accounts } = await listAccounts(shell);
  const named = wanted === undefined
    ? accounts
    : accounts.filter(({ id, label }) => id === wanted || label === wanted);
  if (wanted !== undefined && named.length === 0) {
    throw new UsageError(
      `Cannot show the plan of ${wanted}: there is no such account`,
      "tc accounts",
    );
  }
  return print(shell, named.map(planAccount));
}

/** Returns dollars a month, or null for `none`. Throws UsageError. */
function priceOf(text: string): number | null {
  if (text === "none") return null;
  const price = Number(text.replace(/^\$/, ""));
  if (/^\$?\d+(\.\d{1,2})?$/.test(text) && price <= PLAN_PRICE_MAX) {
    return price;
  }
  throw new UsageError(
    `Cannot use the price ${text}: it must be dollars a month, or none`,
    HINT,
  );
}

function planAccount(facts: AccountFactsView): PlanAccount {
  return {
    id: facts.id,
    label: facts.label,
    kind: facts.kind as AccountKind,
    tier: facts.tier as Tier,
    ownUsdPerMonth: facts.planPrice,
  };
}

function print({ output }: Shell, accounts: readonly PlanAccount[]): number {
  const now = systemClock.now();
  const rows = accounts.map((account) => ({
    account,
    price: hasPlan(account) ? planPrice(account, now) : null,
  }));
  const { asOf, source, rows: list } = PLAN_PRICES;
  if (output.isJson) {
    output.json({
      schema: SCHEMA,
      asOf,
      source,
      list,
      accounts: rows.map(({ account, price }) => ({
        id: account.id,
        label: account.label,
        kind: account.kind,
        tier: account.tier,
        hasPlan: hasPlan(account),
        usdPerMonth: price?.usd ?? null,
        priceFrom: price?.from ?? null,
      })),
    });
    return EXIT.ok;
  }
  for (const line of planListLines()) output.line(line);
  if (rows.length === 0) return EXIT.ok;
  output.line();
  const cells = rows.map(({ account, price }) => [
    inert(account.label),
    hasPlan(account) ? planName(account) : "pays by token",
    price === null ? hasPlan(account) ? "unknown" : "–" : `$${price.usd}`,
    price === null ? "" : price.from === "own" ? "your own" : "list",
  ]);
  const looks = [{ cutTo: 8 }, { drop: 1 }, { isNumber: true }, { drop: 2 }];
  const head = ["account", "plan", "a month", "price"];
  for (const line of cellLines([head, ...cells], looks, output.width)) {
    output.line(line);
  }
  if (rows.some(({ account, price }) => hasPlan(account) && price === null)) {
    output.say(HINT);
  }
  return EXIT.ok;
}

function planName({ kind, tier }: PlanAccount): string {
  if (kind === "api_key" || kind === "backend") return "by the month";
  return planText({ kind, tier });
}

/** Returns the list prices of plans with their date, a plan a line. */
export function planListLines(): readonly string[] {
  const { asOf, source, rows } = PLAN_PRICES;
  return [
    `list prices of plans of ${asOf}, ${source}`,
    "US dollars a month; team and enterprise:",
    "by contract, so unknown",
    ...cellLines(
      [
        ["plan", "a month"],
        ...rows.map((row) => [
          tierText(row.tier),
          String(row.usdPerMonth),
        ]),
      ],
      [{}, { isNumber: true }],
      Infinity,
    ),
  ];
}

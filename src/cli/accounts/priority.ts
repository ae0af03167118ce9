/**
 * `tc priority`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { inert } from "../../control/words.ts";
import { spendLimit, spendLimitText } from "../../core/quota/spending.ts";
import { EXIT, UsageError } from "../../errors.ts";
import { type AccountChange, findAccount } from "../../store/account_desk.ts";
import { changeAccount, listAccounts, openDesk } from "./account_work.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";

const PRIORITY_MAX = 1_000_000;
const REQUESTS_MAX = 1_000;
const HINT = "tc priority work 1   lower goes first";

const TEXT: CommandText = {
  name: "priority",
  group: "accounts",
  summary: "Set which accounts go first, and how far each may be used",
  examples: [
    "tc priority work 1",
    "tc priority home --max-requests 4",
    "tc priority home --max-used 80",
    "tc priority key-1 --max-cost 20/day",
    "tc priority key-1",
  ],
  schema: "tc.priority/v1",
};

export function registerPriority(program: Command, registry: Registry): void {
  addCommand(program, registry, TEXT)
    .argument("<account>", "The account's name or id")
    .argument("[number]", "Lower goes first; the default is 0")
    .option("--max-requests <number>", "Maximum concurrent requests, or none")
    .option(
      "--max-used <percent>",
      "Stop taking new work above this percentage, or none",
    )
    .option(
      "--max-cost <dollars/time>",
      "Most dollars to pay for it: 20/day, 50/week, 100/month, or none",
    )
    .option("--json", "Print one JSON object")
    .action(registry.run(async (wanted, number, options) => {
      const { maxRequests, maxUsed, maxCost } = options;
      const shell = new Shell(registry, options);
      const change: AccountChange = {
        ...number === undefined
          ? {}
          : { priority: numberOf(number, [-PRIORITY_MAX, PRIORITY_MAX]) },
        ...maxRequests === undefined
          ? {}
          : { leasesMax: limitOf(maxRequests, REQUESTS_MAX) },
        ...maxUsed === undefined
          ? {}
          : { capUtilization: partOf(limitOf(maxUsed.replace("%", ""), 100)) },
        ...maxCost === undefined ? {} : { maxCost: costOf(maxCost) },
      };
      if (Object.keys(change).length === 0) return await show(shell, wanted);
      return await changeAccount(shell, {
        wanted,
        change,
        schema: "tc.priority/v1",
        told: (label) => `${label}: ${words(change)}.`,
      });
    }));
}

/** Prints what holds for the account now. */
async function show(shell: Shell, wanted: string): Promise<number> {
  const { desk } = await openDesk(shell);
  const { id } = findAccount(await desk.list(), wanted);
  const { accounts } = await listAccounts(shell);
  const account = accounts.find((one) => one.id === id);
  if (account === undefined) throw new UsageError(`${wanted} is not listed`);
  const { label, priority, maxInFlight, capUtilization, maxCost } = account;
  if (shell.output.isJson) {
    shell.output.json({
      schema: TEXT.schema,
      id,
      label,
      priority,
      maxInFlight,
      capUtilization,
      maxCost,
    });
    return EXIT.ok;
  }
  const change: AccountChange = {
    priority,
    leasesMax: maxInFlight,
    capUtilization,
    maxCost,
  };
  shell.output.line(`${inert(label)}: ${words(change)}.`);
  return EXIT.ok;
}

/** Returns `20/day` as it is stored; null for none. */
function costOf(text: string): string | null {
  if (text === "none") return null;
  const limit = spendLimit(text);
  if (limit !== null) return spendLimitText(limit);
  throw new UsageError(
    `Cannot use ${text}: it must be dollars a day, week or month, from 0.01 on, or none`,
    "tc priority key-1 --max-cost 20/day",
  );
}

function numberOf(text: string, [min, max]: readonly [number, number]): number {
  const number = Number(text);
  if (/^-?\d+$/.test(text) && number >= min && number <= max) return number;
  throw new UsageError(
    `Cannot use ${text}: it must be a whole number from ${min} to ${max}`,
    HINT,
  );
}

function limitOf(text: string, max: number): number | null {
  return text === "none" ? null : numberOf(text, [1, max]);
}

function partOf(percent: number | null): number | null {
  return percent === null ? null : percent / 100;
}

function words(change: AccountChange): string {
  const { priority, leasesMax, capUtilization, maxCost } = change;
  return [
    ...priority === undefined ? [] : [`priority ${priority}`],
    ...leasesMax === undefined ? [] : [
      leasesMax === null
        ? "any number of requests"
        : `at most ${leasesMax} requests`,
    ],
    ...capUtilization === undefined ? [] : [
      capUtilization === null
        ? "no limit on use"
        : `new work until a window is ${
          Math.round(capUtilization * 100)
        }% used`,
    ],
    ...maxCost === undefined ? [] : [
      maxCost === null ? "no limit in dollars" : `at most $${maxCost}`,
    ],
  ].join(", ");
}

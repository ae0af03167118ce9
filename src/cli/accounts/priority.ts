/**
 * `tc priority`.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { UsageError } from "../../errors.ts";
import type { AccountChange } from "../../store/account_desk.ts";
import { changeAccount } from "./account_work.ts";
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
    .option("--json", "Print one JSON object")
    .action(registry.run((wanted, number, options) => {
      const { maxRequests, maxUsed } = options;
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
      };
      if (Object.keys(change).length === 0) {
        throw new UsageError(
          "Nothing to change: give a priority, --max-requests or --max-used",
          HINT,
        );
      }
      return changeAccount(new Shell(registry, options), {
        wanted,
        change,
        schema: "tc.priority/v1",
        told: (label) => `${label}: ${words(change)}.`,
      });
    }));
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

function words({ priority, leasesMax, capUtilization }: AccountChange): string {
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
  ].join(", ");
}

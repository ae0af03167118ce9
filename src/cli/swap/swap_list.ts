/**
 * `tc swap list`: accounts with their usage, then the keys.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { systemClock } from "../../system/clock.ts";
import { durationText, inert, percentText } from "../../control/words.ts";
import type { Instant } from "../../core/time.ts";
import { EXIT } from "../../errors.ts";
import type { AccountRecord } from "../../store/accounts.ts";
import { isFallbackKey } from "../../swap/key_mode.ts";
import { isSwappable, pollUsage } from "../../swap/poll_usage.ts";
import type { SeenUsage, SwapState } from "../../swap/swap_state.ts";
import type { Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { openSwap } from "./swapping.ts";

export function registerSwapList(
  swap: Command<[], Record<string, unknown>>,
  registry: Registry,
): void {
  swap.command("list").alias("ls")
    .description("List accounts with their usage, then API keys")
    .option("--offline", "Show what was heard last and ask nobody")
    .option("--json", "Print one JSON object")
    .action(registry.run((options) => {
      return list(
        new Shell(registry.environment, options),
        options.offline ?? false,
      );
    }));
}

async function list(shell: Shell, isOffline: boolean): Promise<number> {
  using swap = await openSwap(shell, { policy: null, threshold: null });
  const { ports } = swap;
  const records = await ports.accounts();
  const logins = records.filter(isSwappable);
  const keys = records.filter(isFallbackKey);
  if (!isOffline) await pollUsage(logins, ports);
  const state = await ports.memory.load();
  const { output } = shell;
  if (output.isJson) {
    output.json(listView(state, logins, keys));
    return EXIT.ok;
  }
  const now = systemClock.now();
  const all = [...logins, ...keys];
  const width = Math.max(4, ...all.map(({ account }) => account.label.length));
  for (const { account } of all) {
    const usage = state.usage[account.id];
    const words = account.kind === "api_key"
      ? "API key"
      : usage === undefined
      ? "unknown"
      : usageText(usage, now);
    const mark = isInUse(account.id, state) ? "*" : " ";
    output.line(`${mark} ${inert(account.label).padEnd(width)}  ${words}`);
  }
  if (all.length === 0) output.say("The pool is empty: tc login");
  return EXIT.ok;
}

function isInUse(id: string, { mode, account, key }: SwapState): boolean {
  return (mode === "account" ? account : key) === id;
}

function listView(
  state: SwapState,
  logins: readonly AccountRecord[],
  keys: readonly AccountRecord[],
): Readonly<Record<string, unknown>> {
  const label = (id: string | null) =>
    [...logins, ...keys].find(({ account }) => account.id === id)?.account
      .label ?? null;
  return {
    schema: "tc.swap_list/v1",
    mode: state.mode,
    current: label(state.account),
    current_key: label(state.key),
    accounts: logins.map(({ account, email }) => ({
      id: account.id,
      name: account.label,
      email,
      usage: usageView(state.usage[account.id] ?? null),
    })),
    api_keys: keys.map(({ account }) => ({
      id: account.id,
      name: account.label,
    })),
  };
}

function usageView(
  usage: SeenUsage | null,
): Readonly<Record<string, unknown>> | null {
  if (usage === null) return null;
  const time = (at: Instant | null) =>
    at === null ? null : { iso: new Date(at).toISOString(), ms: at };
  return {
    five_hour: usage.fiveHour,
    five_hour_resets_at: time(usage.fiveHourResetsAt),
    week: usage.week,
    week_resets_at: time(usage.weekResetsAt),
    at: time(usage.at),
  };
}

/** The seed's form: `4%/4h40m 2%/6d8h`, and how old it is. */
function usageText(usage: SeenUsage, now: Instant): string {
  const windows = [
    [usage.fiveHour, usage.fiveHourResetsAt],
    [usage.week, usage.weekResetsAt],
  ] as const;
  const parts = windows.map(([part, resetsAt]) => {
    const left = resetsAt === null ? "" : `/${durationText(resetsAt - now)}`;
    return `${part === null ? "unknown" : percentText(part)}${left}`;
  });
  return `${parts.join("  ")}  (${durationText(now - usage.at)} ago)`;
}

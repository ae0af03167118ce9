/**
 * `tc swap`: the best login in Claude Code's own store, without the proxy.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { systemClock } from "../../system/clock.ts";
import { inert } from "../../control/words.ts";
import { rivalText } from "../../claude/login/own_login.ts";
import { EXIT } from "../../errors.ts";
import { findAccount } from "../../store/account_desk.ts";
import { leaveKeyMode } from "../../swap/key_mode.ts";
import { swapStatus } from "../../swap/swap_status.ts";
import { useAccount } from "../../swap/use_account.ts";
import { openDesk } from "../accounts/account_work.ts";
import { storedAccounts } from "../accounts/accounts_store.ts";
import { commandText } from "../command_table.ts";
import type { Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { registerSwapAuto } from "./swap_auto.ts";
import { registerSwapKeys } from "./swap_keys.ts";
import { registerSwapList } from "./swap_list.ts";
import { swapRivals, tellHolders, tellRivals } from "./swap_words.ts";
import { openSwap, type SwapChoice, swapMemory } from "./swapping.ts";

const ANY: SwapChoice = { policy: null, threshold: null };

export function registerSwap(program: Command, registry: Registry): void {
  const swap = program.command("swap").description(commandText("swap").summary);
  registerSwapAuto(swap, registry);
  swap.command("use").alias("switch")
    .description("Give Claude Code this account's login")
    .argument("<account>", "Name or id of a subscription account")
    .option("--json", "Print one JSON object")
    .action(registry.run((account, options) => {
      return use(new Shell(registry.environment, options), account);
    }));
  swap.command("status")
    .description("Print what Claude Code uses now, from files alone")
    .option("--json", "Print one JSON object, as it always does")
    .action(registry.run((options) => {
      return status(new Shell(registry.environment, options));
    }));
  registerSwapList(swap, registry);
  registerSwapKeys(swap, registry);
  swap.command("off")
    .description("Let hooks swap no more and leave API-key mode")
    .action(registry.run(() => off(new Shell(registry.environment, {}))));
}

async function use(shell: Shell, name: string): Promise<number> {
  const { desk } = await openDesk(shell);
  const { id, label } = findAccount(await desk.list(), name);
  using swap = await openSwap(shell, ANY);
  const { isWritten, before, alsoAt, isCopyKept } = await useAccount(
    id,
    swap.ports,
  );
  await swap.ports.memory.update((state) => ({ ...state, isOn: true }));
  const { output } = shell;
  const rivals = swapRivals(shell);
  if (output.isJson) {
    output.json({
      schema: "tc.swap_use/v1",
      account: { id, label },
      from: before === null ? null : { id: before.id, label: before.label },
      changed: isWritten,
      also_at: alsoAt,
      copy_kept: isCopyKept,
      outranked_by: rivals.map(rivalText),
    });
  } else {
    const unused = rivals.length === 0 ? "" : ", and does not use it";
    output.line(
      isWritten
        ? `Claude Code now has the login of ${inert(label)}${unused}.`
        : `Claude Code has the login of ${inert(label)} already${unused}.`,
    );
  }
  if (isCopyKept) {
    shell.output.say(
      "note: what stood in .credentials.json could not be read, and is kept beside it as .credentials.json.unreadable",
    );
  }
  tellRivals(rivals, shell);
  await tellHolders(id, { label, alsoAt }, shell);
  return EXIT.ok;
}

/** A statusline asks at every draw: no network, no lock, nothing written. */
async function status(shell: Shell): Promise<number> {
  const memory = await swapMemory(shell);
  const { accounts } = await storedAccounts(shell);
  const state = await memory.load();
  shell.output.json(swapStatus(state, accounts, systemClock.now()));
  return EXIT.ok;
}

async function off(shell: Shell): Promise<number> {
  using swap = await openSwap(shell, ANY);
  const { memory } = swap.ports;
  const { mode } = await memory.load();
  if (mode === "apikey") await leaveKeyMode(swap.ports);
  await memory.update((state) => ({ ...state, isOn: false }));
  shell.output.line("Hooks swap no more; the login stays as it is.");
  return EXIT.ok;
}

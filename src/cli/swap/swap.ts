/**
 * `tc swap`: puts the best login into Claude Code's own store, without the
 * proxy.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import { systemClock } from "../../system/clock.ts";
import { durationText, inert, percentText } from "../../control/words.ts";
import { rivalText } from "../../claude/login/own_login.ts";
import { EXIT, UsageError } from "../../errors.ts";
import { checkName, findAccount } from "../../store/account_desk.ts";
import { isFallbackKey, leaveKeyMode } from "../../swap/key_mode.ts";
import { swapStatus } from "../../swap/auto_swap.ts";
import type { SeenUsage, SwapState } from "../../swap/swap_state.ts";
import { useAccount } from "../../swap/use_account.ts";
import {
  checkFree,
  openDesk,
  removeHere,
  storedAccounts,
  takenNames,
  tellServer,
} from "../accounts/account_work.ts";
import { addCommand, type CommandText, type Registry } from "../registry.ts";
import { Shell } from "../shell.ts";
import { cellLines } from "../table.ts";
import { registerSwapAuto } from "./swap_auto.ts";
import { swapRivals, tellHolders, tellRivals } from "./swap_words.ts";
import { openSwap, type SwapChoice, swapMemory } from "./swapping.ts";
import { addKey, readKey } from "../../auth/sign_in/api_key.ts";
import { askSecret, readStdin } from "../asking.ts";
import { checkNewKey } from "../login/provider_client.ts";
import type { Instant } from "../../core/time.ts";
import type { AccountRecord } from "../../store/accounts.ts";
import { isSwappable, pollUsage } from "../../swap/poll_usage.ts";
import { commandWord, fromFile } from "../../shell_words.ts";

const ANY: SwapChoice = { policy: null, threshold: null };

const TEXT: CommandText = {
  name: "swap",
  group: "more",
  summary: "Put the best login into Claude Code itself, without the proxy",
  examples: [
    "tc swap auto",
    "tc swap use work",
    "tc swap auto --if-needed --launch -- --continue",
    (person) => fromFile(person, "tc swap key add --id console", "key.txt"),
  ],
  schema: "tc.swap/v1",
};

export function registerSwap(program: Command, registry: Registry): void {
  const swap = addCommand(program, registry, TEXT);
  registerSwapAuto(swap, registry);
  swap.command("use").alias("switch")
    .description("Give Claude Code this account's login")
    .argument("<account>", "Name or id of a subscription account")
    .option("--json", "Print one JSON object")
    .action(registry.run((account, options) => {
      return use(new Shell(registry, options), account);
    }));
  swap.command("status")
    .description("Print what Claude Code uses now, from files alone")
    .option("--json", "Print one JSON object, as it always does")
    .action(registry.run((options) => {
      return status(new Shell(registry, options));
    }));
  registerSwapList(swap, registry);
  registerSwapKeys(swap, registry);
  swap.command("off")
    .description("Stop hooks from switching logins, and leave API-key mode")
    .action(registry.run(() => off(new Shell(registry, {}))));
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
      alsoAt,
      isCopyKept,
      outrankedBy: rivals.map(rivalText),
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

/**
 * Prints the state. Status lines run it often, so it uses no network and no
 * lock, and writes nothing.
 */
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
  shell.output.line(
    "Hooks no longer switch logins; the current login is unchanged.",
  );
  return EXIT.ok;
}

function registerSwapKeys(
  swap: Command<[], Record<string, unknown>>,
  registry: Registry,
): void {
  const key = swap.command("key").description("API keys for the last resort");
  key.command("add")
    .description("Add a key: typed unseen, or read from standard input")
    .option("--id <name>", "Name for the key")
    .option("--json", "Print one JSON object")
    .action(registry.run((options) => {
      return addKeyOf(
        new Shell(registry, options),
        options.id ?? null,
      );
    }));
  key.command("list").alias("ls")
    .description("List the keys, without their values")
    .option("--json", "Print one JSON object")
    .action(registry.run((options) => {
      return listKeys(new Shell(registry, options));
    }));
  key.command("rm")
    .description("Remove a key")
    .argument("<key>", "Name or id of the key")
    .action(registry.run((name) => {
      return removeKey(new Shell(registry, {}), name);
    }));
}

async function addKeyOf(shell: Shell, name: string | null): Promise<number> {
  if (name !== null) checkName(name);
  const { desk, vault } = await openDesk(shell);
  const listing = await desk.list();
  if (name !== null) checkFree(name, listing);
  const text = shell.mayAsk
    ? await askSecret(shell, "API key")
    : await readStdin("the key");
  const credential = readKey(text, null);
  if (credential.kind !== "api_key") {
    throw new UsageError(
      "Cannot use it as a fallback: it is not an API key",
      "An API key starts with sk-ant-api",
    );
  }
  await checkNewKey(credential, shell);
  const taken = takenNames(listing);
  const entry = await addKey(
    credential,
    { name, account: null, backend: null, taken },
    { vault, clock: systemClock },
  );
  await desk.enlist(entry.id);
  await tellServer(shell);
  const { id, label } = entry;
  if (shell.output.isJson) {
    shell.output.json({ schema: "tc.swap_key/v1", key: { id, name: label } });
  } else shell.output.line(`Added ${inert(label)}.`);
  return EXIT.ok;
}

async function listKeys(shell: Shell): Promise<number> {
  const { desk } = await openDesk(shell);
  const { accounts } = await desk.list();
  const keys = accounts.filter(isFallbackKey)
    .map(({ account: { id, label } }) => ({ id, name: label }));
  const { output } = shell;
  if (output.isJson) output.json({ schema: "tc.swap_keys/v1", keys });
  else for (const { name } of keys) output.line(inert(name));
  return EXIT.ok;
}

async function removeKey(shell: Shell, name: string): Promise<number> {
  const { desk } = await openDesk(shell);
  const listing = await desk.list();
  const found = findAccount(listing, name);
  const record = listing.accounts.find(({ account }) =>
    account.id === found.id
  );
  if (record !== undefined && record.account.kind !== "api_key") {
    throw new UsageError(
      `Cannot remove ${found.label} as a key: it is an account`,
      `tc remove ${commandWord(found.label)}`,
    );
  }
  await removeHere(shell, desk, found.id);
  await tellServer(shell);
  shell.output.line(`Removed ${inert(found.label)}.`);
  return EXIT.ok;
}

function registerSwapList(
  swap: Command<[], Record<string, unknown>>,
  registry: Registry,
): void {
  swap.command("list").alias("ls")
    .description("List accounts with their usage, then API keys")
    .option("--offline", "Show the last known usage, without asking")
    .option("--json", "Print one JSON object")
    .action(registry.run((options) => {
      return list(
        new Shell(registry, options),
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
  const cells = all.map(({ account }) => {
    const usage = state.usage[account.id];
    const words = account.kind === "api_key"
      ? "API key"
      : usage === undefined
      ? "unknown"
      : usageText(usage, now);
    const mark = isInUse(account.id, state) ? "*" : " ";
    return [`${mark} ${inert(account.label)}`, words];
  });
  if (all.length === 0) {
    output.say("No accounts yet: tc login");
    return EXIT.ok;
  }
  const looks = [{ cutTo: 10 }, { cutTo: 10, isSentence: true }];
  const lines = cellLines(
    [["  account", "used"], ...cells],
    looks,
    output.width,
  );
  for (const line of lines) output.line(line);
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
    currentKey: label(state.key),
    accounts: logins.map(({ account, email }) => ({
      id: account.id,
      name: account.label,
      email,
      usage: usageView(state.usage[account.id] ?? null),
    })),
    apiKeys: keys.map(({ account }) => ({
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
    fiveHour: usage.fiveHour,
    fiveHourResetsAt: time(usage.fiveHourResetsAt),
    week: usage.week,
    weekResetsAt: time(usage.weekResetsAt),
    at: time(usage.at),
  };
}

/** Returns `4%/4h40m 2%/6d8h`, and how old it is. */
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

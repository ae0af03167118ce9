/**
 * Every command of the tree, in the order of the help. The file of a command is
 * loaded when the command is asked for, so that no start loads all of them.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import type { Registry } from "./registry.ts";

/** Adds one command to the program. */
type Register = (program: Command, registry: Registry) => void;

const FILES: Readonly<Record<string, () => Promise<Register>>> = {
  run: async () => (await import("./launch/run.ts")).registerRun,
  server: async () => (await import("./server/server.ts")).registerServer,
  env: async () => (await import("./launch/env.ts")).registerEnv,
  demo: async () => (await import("./server/demo.ts")).registerDemo,
  login: async () => (await import("./login/login.ts")).registerLogin,
  import: async () => (await import("./login/import.ts")).registerImport,
  export: async () => (await import("./login/export.ts")).registerExport,
  accounts: async () =>
    (await import("./accounts/accounts.ts")).registerAccounts,
  remove: async () => (await import("./accounts/remove.ts")).registerRemove,
  rename: async () => (await import("./accounts/rename.ts")).registerRename,
  enable: async () => (await import("./accounts/enable.ts")).registerEnable,
  disable: async () => (await import("./accounts/enable.ts")).registerDisable,
  priority: async () =>
    (await import("./accounts/priority.ts")).registerPriority,
  pin: async () => (await import("./accounts/pin.ts")).registerPin,
  store: async () => (await import("./store/store.ts")).registerStore,
  status: async () => (await import("./status/status.ts")).registerStatus,
  watch: async () => (await import("./server/watch.ts")).registerWatch,
  ui: async () => (await import("./status/ui.ts")).registerUi,
  explain: async () => (await import("./status/explain.ts")).registerExplain,
  capacity: async () => (await import("./status/capacity.ts")).registerCapacity,
  simulate: async () => (await import("./report/simulate.ts")).registerSimulate,
  report: async () => (await import("./report/report.ts")).registerReport,
  prices: async () => (await import("./report/prices.ts")).registerPrices,
  api: async () => (await import("./accounts/api.ts")).registerApi,
  reload: async () => (await import("./server/reload.ts")).registerReload,
  swap: async () => (await import("./swap/swap.ts")).registerSwap,
  profile: async () => (await import("./profile/profile.ts")).registerProfile,
  plugin: async () => (await import("./plugin/plugin.ts")).registerPlugin,
  statusline: async () =>
    (await import("./statusline/statusline.ts")).registerStatusline,
  logs: async () => (await import("./server/logs.ts")).registerLogs,
  restart: async () => (await import("./server/restart.ts")).registerRestart,
  stop: async () => (await import("./server/stop.ts")).registerStop,
  service: async () => (await import("./setup/service.ts")).registerService,
  doctor: async () => (await import("./doctor/doctor.ts")).registerDoctor,
  config: async () => (await import("./setup/config.ts")).registerConfig,
  paths: async () => (await import("./setup/paths.ts")).registerPaths,
  bugreport: async () =>
    (await import("./doctor/bugreport.ts")).registerBugreport,
  upgrade: async () => (await import("./setup/upgrade.ts")).registerUpgrade,
  completion: async () =>
    (await import("./help/completion.ts")).registerCompletion,
  man: async () => (await import("./help/man.ts")).registerMan,
  version: async () => (await import("./help/version.ts")).registerVersion,
};

export const COMMAND_NAMES: readonly string[] = Object.keys(FILES);

const ALIASES: Readonly<Record<string, string>> = { switch: "pin" };

/** Returns whether `tc help` can tell of it: a command, an alias or an option. */
export function isCommand(word: string): boolean {
  return word.startsWith("-") || word === "help" ||
    Object.hasOwn(ALIASES, word) || COMMAND_NAMES.includes(word);
}

/** The command that walks the whole tree. */
const WALKER = "man";

/**
 * Returns the command that `args` name, alone: its help and its run need no
 * other one. Returns every command where one of them is the manual page.
 */
export function commandsFor(
  args: readonly string[],
): Promise<readonly Register[]> {
  const word = args.find((arg) =>
    Object.hasOwn(FILES, arg) || Object.hasOwn(ALIASES, arg)
  );
  const name = ALIASES[word ?? ""] ?? word;
  const names = name === WALKER
    ? COMMAND_NAMES
    : COMMAND_NAMES.filter((known) => known === name);
  return Promise.all(names.flatMap((known) => FILES[known]?.() ?? []));
}

/**
 * Every command of the tree, in the order of the help. A command's own file is
 * loaded when it is asked for: the server need not carry what sets up profiles.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import type { Registry } from "../registry.ts";

/** Hangs one command into the program. */
export type Register = (program: Command, registry: Registry) => void;

const FILES: Readonly<Record<string, () => Promise<Register>>> = {
  run: async () => (await import("./run.ts")).registerRun,
  server: async () => (await import("./server.ts")).registerServer,
  env: async () => (await import("./env.ts")).registerEnv,
  demo: async () => (await import("./demo.ts")).registerDemo,
  login: async () => (await import("./login.ts")).registerLogin,
  import: async () => (await import("./import.ts")).registerImport,
  accounts: async () => (await import("./accounts.ts")).registerAccounts,
  remove: async () => (await import("./remove.ts")).registerRemove,
  rename: async () => (await import("./rename.ts")).registerRename,
  enable: async () => (await import("./enable.ts")).registerEnable,
  disable: async () => (await import("./enable.ts")).registerDisable,
  priority: async () => (await import("./priority.ts")).registerPriority,
  status: async () => (await import("./status.ts")).registerStatus,
  statusline: async () => (await import("./statusline.ts")).registerStatusline,
  watch: async () => (await import("./watch.ts")).registerWatch,
  explain: async () => (await import("./explain.ts")).registerExplain,
  capacity: async () => (await import("./capacity.ts")).registerCapacity,
  pin: async () => (await import("./pin.ts")).registerPin,
  simulate: async () => (await import("./simulate.ts")).registerSimulate,
  prices: async () => (await import("./prices.ts")).registerPrices,
  report: async () => (await import("./report.ts")).registerReport,
  api: async () => (await import("./api.ts")).registerApi,
  reload: async () => (await import("./reload.ts")).registerReload,
  swap: async () => (await import("./swap.ts")).registerSwap,
  profile: async () => (await import("./profile.ts")).registerProfile,
  plugin: async () => (await import("./plugin.ts")).registerPlugin,
  hook: async () => (await import("./hook.ts")).registerHook,
  restart: async () => (await import("./restart.ts")).registerRestart,
  stop: async () => (await import("./stop.ts")).registerStop,
  service: async () => (await import("./service.ts")).registerService,
  doctor: async () => (await import("./doctor.ts")).registerDoctor,
  config: async () => (await import("./config.ts")).registerConfig,
  bugreport: async () => (await import("./bugreport.ts")).registerBugreport,
  upgrade: async () => (await import("./upgrade.ts")).registerUpgrade,
  completion: async () => (await import("./completion.ts")).registerCompletion,
  man: async () => (await import("./man.ts")).registerMan,
  version: async () => (await import("./version.ts")).registerVersion,
};

/** These walk the whole tree. */
const WALKERS: readonly (string | null)[] = ["completion", "man"];

/** The command called `name`, or all of them where that does not tell. */
export function commandsFor(name: string | null): Promise<readonly Register[]> {
  const isOne = name !== null && Object.hasOwn(FILES, name) &&
    !WALKERS.includes(name);
  const only = isOne ? FILES[name] : undefined;
  const loads = only === undefined ? Object.values(FILES) : [only];
  return Promise.all(loads.map((load) => load()));
}

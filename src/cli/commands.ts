/**
 * Every command of the tree, in the order of the help. A command's own file is
 * loaded when it is asked for: the server need not carry what sets up profiles.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import type { Registry } from "./registry.ts";

/** Hangs one command into the program. */
export type Register = (program: Command, registry: Registry) => void;

const FILES: Readonly<Record<string, () => Promise<Register>>> = {
  run: async () => (await import("./launch/run.ts")).registerRun,
  server: async () => (await import("./server/server.ts")).registerServer,
  env: async () => (await import("./launch/env.ts")).registerEnv,
  demo: async () => (await import("./server/demo.ts")).registerDemo,
  login: async () => (await import("./login/login.ts")).registerLogin,
  import: async () => (await import("./login/import.ts")).registerImport,
  accounts: async () =>
    (await import("./accounts/accounts.ts")).registerAccounts,
  remove: async () => (await import("./accounts/remove.ts")).registerRemove,
  rename: async () => (await import("./accounts/rename.ts")).registerRename,
  enable: async () => (await import("./accounts/enable.ts")).registerEnable,
  disable: async () => (await import("./accounts/enable.ts")).registerDisable,
  priority: async () =>
    (await import("./accounts/priority.ts")).registerPriority,
  status: async () => (await import("./status/status.ts")).registerStatus,
  statusline: async () =>
    (await import("./statusline/statusline.ts")).registerStatusline,
  watch: async () => (await import("./server/watch.ts")).registerWatch,
  explain: async () => (await import("./status/explain.ts")).registerExplain,
  capacity: async () => (await import("./status/capacity.ts")).registerCapacity,
  pin: async () => (await import("./accounts/pin.ts")).registerPin,
  simulate: async () => (await import("./report/simulate.ts")).registerSimulate,
  prices: async () => (await import("./report/prices.ts")).registerPrices,
  report: async () => (await import("./report/report.ts")).registerReport,
  api: async () => (await import("./accounts/api.ts")).registerApi,
  reload: async () => (await import("./server/reload.ts")).registerReload,
  swap: async () => (await import("./swap/swap.ts")).registerSwap,
  profile: async () => (await import("./profile/profile.ts")).registerProfile,
  plugin: async () => (await import("./plugin/plugin.ts")).registerPlugin,
  hook: async () => (await import("./plugin/hook.ts")).registerHook,
  restart: async () => (await import("./server/restart.ts")).registerRestart,
  stop: async () => (await import("./server/stop.ts")).registerStop,
  service: async () => (await import("./setup/service.ts")).registerService,
  doctor: async () => (await import("./doctor/doctor.ts")).registerDoctor,
  config: async () => (await import("./setup/config.ts")).registerConfig,
  bugreport: async () =>
    (await import("./doctor/bugreport.ts")).registerBugreport,
  upgrade: async () => (await import("./setup/upgrade.ts")).registerUpgrade,
  completion: async () =>
    (await import("./help/completion.ts")).registerCompletion,
  man: async () => (await import("./help/man.ts")).registerMan,
  version: async () => (await import("./help/version.ts")).registerVersion,
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

/**
 * Every command of the tree, in the order of the help.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import type { Registry } from "../registry.ts";
import { registerAccounts } from "./accounts.ts";
import { registerApi } from "./api.ts";
import { registerBugreport } from "./bugreport.ts";
import { registerCapacity } from "./capacity.ts";
import { registerCompletion } from "./completion.ts";
import { registerConfig } from "./config.ts";
import { registerDemo } from "./demo.ts";
import { registerDoctor } from "./doctor.ts";
import { registerEnv } from "./env.ts";
import { registerDisable, registerEnable } from "./enable.ts";
import { registerImport } from "./import.ts";
import { registerLogin } from "./login.ts";
import { registerPriority } from "./priority.ts";
import { registerReload } from "./reload.ts";
import { registerExplain } from "./explain.ts";
import { registerHook } from "./hook.ts";
import { registerMan } from "./man.ts";
import { registerPlugin } from "./plugin.ts";
import { registerProfile } from "./profile.ts";
import { registerRemove } from "./remove.ts";
import { registerRename } from "./rename.ts";
import { registerRestart } from "./restart.ts";
import { registerReport } from "./report.ts";
import { registerRun } from "./run.ts";
import { registerServer } from "./server.ts";
import { registerStatusline } from "./statusline.ts";
import { registerPin } from "./pin.ts";
import { registerService } from "./service.ts";
import { registerSimulate } from "./simulate.ts";
import { registerStatus } from "./status.ts";
import { registerStop } from "./stop.ts";
import { registerSwap } from "./swap.ts";
import { registerUpgrade } from "./upgrade.ts";
import { registerVersion } from "./version.ts";
import { registerWatch } from "./watch.ts";

/** Each hangs its command into the program. */
export const REGISTER:
  readonly ((program: Command, registry: Registry) => void)[] = [
    registerRun,
    registerServer,
    registerEnv,
    registerDemo,
    registerLogin,
    registerImport,
    registerAccounts,
    registerRemove,
    registerRename,
    registerEnable,
    registerDisable,
    registerPriority,
    registerStatus,
    registerStatusline,
    registerWatch,
    registerExplain,
    registerCapacity,
    registerPin,
    registerSimulate,
    registerReport,
    registerApi,
    registerReload,
    registerSwap,
    registerProfile,
    registerPlugin,
    registerHook,
    registerRestart,
    registerStop,
    registerService,
    registerDoctor,
    registerConfig,
    registerBugreport,
    registerUpgrade,
    registerCompletion,
    registerMan,
    registerVersion,
  ];

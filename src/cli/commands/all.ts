/**
 * Every command of the tree, in the order of the help.
 *
 * @module
 */

import type { Command } from "@commander-js/extra-typings";
import type { Registry } from "../registry.ts";
import { registerAccounts } from "./accounts.ts";
import { registerApi } from "./api.ts";
import { registerCapacity } from "./capacity.ts";
import { registerConfig } from "./config.ts";
import { registerDemo } from "./demo.ts";
import { registerEnv } from "./env.ts";
import { registerHook } from "./hook.ts";
import { registerLogin } from "./login.ts";
import { registerPlugin } from "./plugin.ts";
import { registerProfile } from "./profile.ts";
import { registerRemove } from "./remove.ts";
import { registerRun } from "./run.ts";
import { registerServer } from "./server.ts";
import { registerStatus } from "./status.ts";
import { registerStop } from "./stop.ts";
import { registerSwap } from "./swap.ts";
import { registerVersion } from "./version.ts";

/** Each hangs its command into the program. */
export const REGISTER:
  readonly ((program: Command, registry: Registry) => void)[] = [
    registerRun,
    registerServer,
    registerEnv,
    registerDemo,
    registerLogin,
    registerAccounts,
    registerRemove,
    registerStatus,
    registerCapacity,
    registerApi,
    registerSwap,
    registerProfile,
    registerPlugin,
    registerHook,
    registerStop,
    registerConfig,
    registerVersion,
  ];

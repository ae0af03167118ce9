/**
 * Where `tc import` looks, with a person there to answer a keychain's prompt.
 *
 * @module
 */

import { userInfo } from "node:os";
import type { ImportPlaces } from "../app/import_files.ts";
import { systemRunner } from "../app/command_runner.ts";
import { readMachineId } from "../store/machine_secret.ts";
import type { Environment } from "../app/paths.ts";
import type { Shell } from "./shell.ts";

const PROMPT_TIMEOUT_MS = 60_000;
const QUIET_TIMEOUT_MS = 5_000;

export function importPlaces({ environment, mayAsk }: Shell): ImportPlaces {
  const userName = systemUser(environment);
  return {
    environment,
    system: Deno.build.os,
    claude: {
      runner: systemRunner,
      userName,
      timeoutMs: mayAsk ? PROMPT_TIMEOUT_MS : QUIET_TIMEOUT_MS,
    },
    machine: async () => ({
      userName,
      machineId: await readMachineId({
        os: Deno.build.os,
        runner: systemRunner,
        userName,
        readText: (path) => Deno.readTextFile(path).catch(() => null),
      }),
    }),
  };
}

/** As claude-pool finds it: the system's word, else the environment's. */
function systemUser(environment: Environment): string {
  try {
    return userInfo().username;
  } catch {
    // A user without an entry in the system's list has no name.
    return environment["USER"] || "user";
  }
}

/**
 * The home of the user where the environment does not name it: a service or a
 * container may run without HOME.
 *
 * @module
 */

import { userInfo } from "node:os";
import { isAbsolute } from "node:path";
import type { Environment } from "./paths.ts";

/**
 * Returns `environment` with the home of the system's user list where HOME is
 * missing or relative, as Claude Code does it.
 */
export function withHome(
  environment: Environment,
  system: string,
): Environment {
  const home = environment["HOME"];
  if (system === "windows") return environment;
  if (home !== undefined && isAbsolute(home)) return environment;
  try {
    return { ...environment, HOME: userInfo().homedir };
  } catch {
    // The user is not in the list; whoever needs the home reports it.
    return { ...environment, HOME: undefined };
  }
}

/**
 * The plugin and the program in step: a plugin that is newer than this program
 * says so, and starts the verified upgrade where the user has asked for that.
 *
 * @module
 */

import { buildInfo } from "../../release/version.ts";
import { startDetached } from "../../system/detached.ts";

/** Looks at the plugin in `folder`; words for a person, or null. */
export async function pluginStep(folder: string): Promise<string | null> {
  const wanted = await versionIn(folder);
  const { version } = buildInfo();
  if (wanted === null || wanted === version) return null;
  const { isNewer } = await import("../../release/upgrade.ts");
  if (!isNewer(wanted, version)) return null;
  const { readEnvironment, Shell } = await import("../shell.ts");
  const shell = new Shell(readEnvironment(), {});
  if (!shell.config.settings.update.withPlugin) {
    return `tc ${version} is older than its plugin ${wanted}: tc upgrade`;
  }
  // It checks what it loads, and refuses where a package manager owns tc.
  startDetached(["upgrade"]);
  return null;
}

async function versionIn(folder: string): Promise<string | null> {
  try {
    const file = `${folder}/.claude-plugin/plugin.json`;
    const { version } = JSON.parse(await Deno.readTextFile(file));
    return /^\d+\.\d+\.\d+$/.test(version) ? version : null;
  } catch {
    // Run by hand, or a plugin that is not ours.
    return null;
  }
}
